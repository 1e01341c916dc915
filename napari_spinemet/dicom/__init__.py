"""Scans in, from DICOM; all geometry is checked, none is repaired in silence."""

from .series_readers import list_series, read_series

__all__ = ["list_series", "read_series"]
