"""Scans in, series and contours out; all geometry is checked, none is repaired in silence."""

from .contours import read_annotation, write_annotation
from .reading import list_series, read_series

__all__ = ["list_series", "read_annotation", "read_series", "write_annotation"]
