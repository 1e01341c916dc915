"""What other programs read and write: contours as DICOM SEG, NIfTI and TIFF."""

from .dicom_seg import read_annotation, write_annotation

__all__ = ["read_annotation", "write_annotation"]
