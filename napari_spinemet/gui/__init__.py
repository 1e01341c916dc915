"""The napari plugin: the only folder that imports Qt or napari; it holds no science."""
