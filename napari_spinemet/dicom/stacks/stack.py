"""Images of one series that belong together, and the geometry that their headers give them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from ...imaging.geometry import reorient
from ...imaging.scan_warnings import ScanWarning
from ..headers import normal_of, numbers_of, plane_of

if TYPE_CHECKING:
    from ..files.sources import Source

FloatArray = npt.NDArray[np.float64]

UNIT_TOLERANCE = 2e-3
"""How far direction cosines may be from unit length and right angles: three decimals' worth."""
_ROUNDING = 1e-6
"""Differences of direction cosines that are only those of decimals."""


@dataclass
class Stack:
    """Images of one series that belong together.

    What the headers tell of places is looked up once: images are neither added nor changed after.

    Attributes
    ----------
    images : list
        (source, header) of each image; a multi-frame object repeats its source, and the
        header is then that of one frame.
    warnings : list of ScanWarning
        What was put right or passed over.
    duplicates : list
        (source, SOPInstanceUID) of the files that repeat an image.
    copies : list of Source
        Files that repeat the pixels of an image at its place, under an identifier of their own.
    name : str
        What sets it apart from other stacks of its series, as a person would say it.
    separator : str
        The attribute that does, as a DICOM keyword; empty where place or plane do.
    clash : str
        A fault that the files show together, such as one identifier at two positions.
    """

    images: list[tuple[Source, Dataset]]
    warnings: list[ScanWarning] = field(default_factory=list)
    duplicates: list[tuple[Source, str]] = field(default_factory=list)
    copies: list[Source] = field(default_factory=list)
    name: str = ""
    separator: str = ""
    clash: str = ""

    @property
    def header(self) -> Dataset:
        """Header of the first image."""
        return self.images[0][1]

    @cached_property
    def orientation(self) -> FloatArray | None:
        """Mean direction cosines of (columns growing, rows growing), made orthonormal."""
        cosines = [values for values in self._cosines if values is not None]
        if len(cosines) < len(self.images):
            return None
        # A mean of thousands of equal numbers may differ in the last digit: keep the number.
        is_common = np.ptp(cosines, axis=0).max() <= _ROUNDING
        mean = cosines[0] if is_common else np.mean(cosines, axis=0)
        row_direction, column_direction = mean[:3], mean[3:]
        lengths = np.array([np.linalg.norm(row_direction), np.linalg.norm(column_direction)])
        error = max(np.abs(lengths - 1).max(), abs(row_direction @ column_direction))
        if error > UNIT_TOLERANCE:
            return None
        if is_common and error <= _ROUNDING:
            return np.asarray(mean)
        row_direction = row_direction / np.linalg.norm(row_direction)
        column_direction = column_direction - row_direction * (row_direction @ column_direction)
        return np.concatenate([row_direction, column_direction / np.linalg.norm(column_direction)])

    @cached_property
    def orientation_spread(self) -> float:
        """Largest difference between the direction cosines of two images."""
        cosines = [values for values in self._cosines if values is not None]
        return float(np.ptp(cosines, axis=0).max(initial=0.0))

    @cached_property
    def positions(self) -> FloatArray | None:
        """Corner of each image in patient mm; None where one image does not tell its own."""
        values = self._values("ImagePositionPatient", 3)
        return None if values is None else np.array(values)

    @property
    def plane(self) -> str:
        """The plane of the stack, ``unknown`` without a valid orientation."""
        orientation = self.orientation
        return "unknown" if orientation is None else plane_of(orientation)

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Median slice distance and pixel spacing, where the headers give them.

        For a sagittal stack in the order of the series as it is read (slice, head to feet,
        front to back), else as stored (slice, row, column).
        """
        orientation, pixel = self.orientation, numbers_of(self.header, "PixelSpacing", 2)
        positions = self.positions
        if pixel is None or orientation is None or positions is None or len(positions) < 2:
            return None
        gaps = np.diff(np.sort(positions @ normal_of(orientation)))
        gaps = gaps[gaps > 1e-3]
        if len(gaps) == 0:
            return None
        spacing = (float(np.median(gaps)), float(pixel[0]), float(pixel[1]))
        if plane_of(orientation) != "sagittal":
            return spacing
        affine = np.eye(4)
        affine[:3, :3] = np.column_stack([normal_of(orientation), orientation[3:], orientation[:3]])
        # An array whose shape is the number of each axis, to see where the axes go.
        order = [n - 1 for n in reorient(np.empty((1, 2, 3)), affine)[0].shape]
        return spacing[order[0]], spacing[order[1]], spacing[order[2]]

    @cached_property
    def _cosines(self) -> list[FloatArray | None]:
        return [numbers_of(header, "ImageOrientationPatient", 6) for _, header in self.images]

    def _values(self, keyword: str, count: int) -> list[FloatArray] | None:
        """An attribute of each image; None where one image lacks it."""
        values = [numbers_of(header, keyword, count) for _, header in self.images]
        valid = [v for v in values if v is not None]
        return valid if len(valid) == len(values) else None
