"""Strokes on the layers of contours: their order, and outlines that are not closed yet."""
