"""``python -m napari_spinemet.cli``."""

from .app import main

main()
