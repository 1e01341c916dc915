"""``python -m napari_spinemet.cli``."""

from . import main

main()
