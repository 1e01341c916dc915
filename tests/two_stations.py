"""A scan whose one series holds two stations: the sample's, and the same again 250 mm below."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.uid import generate_uid

SHIFT_MM = 250.0


def add_lower_station(scan: Path) -> None:
    """Put the lower station among the slices of a scan, upside down so that it differs."""
    for path in sorted(scan.iterdir()):
        image = pydicom.dcmread(path)
        x, y, z = (float(value) for value in image.ImagePositionPatient)
        image.ImagePositionPatient = [x, y, round(z - SHIFT_MM, 4)]
        image.AcquisitionNumber = 2
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        pixels = image.pixel_array[::-1].copy()
        image.PixelData = pixels.tobytes()
        image.save_as(scan / f"lower-{path.name}")
