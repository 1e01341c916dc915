"""Contours in and out: DICOM SEG, NIfTI and TIFF; :mod:`.formats` is where a format is added."""

from .formats import read_annotation, write_annotation

__all__ = ["read_annotation", "write_annotation"]
