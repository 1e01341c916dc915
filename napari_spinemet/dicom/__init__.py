"""Scans in, series and contours out; all geometry is checked, none is repaired in silence."""

from .reading import list_series, read_series

__all__ = ["list_series", "read_series"]
