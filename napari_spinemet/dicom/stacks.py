"""Sort the images of a series into stacks, and say what is wrong with a stack.

The rules were found by trial on damaged series: group by everything that makes two images
incomparable, never by file name or number; order by position; refuse what is not a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from ..imaging.geometry import reorient
from .headers import normal_of, numbers, plane_of, strings_of, value_of
from .sources import Source

FloatArray = npt.NDArray[np.float64]

ORIENTATION_TOLERANCE = 5e-3
"""Direction cosines closer than this are meant to be one plane."""
ORIENTATION_NOISE_PIXELS = 0.5
"""What their differences may move the far corner of a slice before the mean is no longer true."""
UNIT_TOLERANCE = 2e-3
"""How far direction cosines may be from unit length and right angles: three decimals' worth."""
SPACING_TOLERANCE = 0.02
"""Share of the slice distance by which a slice may be off; below a tenth of a mm in practice."""
SHEAR_TOLERANCE = 1e-3
"""In-plane drift for each mm along the normal."""

_GROUP_KEYS = (
    "StudyInstanceUID", "PatientID", "FrameOfReferenceUID", "Rows", "Columns",
    "PhotometricInterpretation", "PixelRepresentation", "EchoTime", "EchoNumbers",
    "TemporalPositionIdentifier", "DiffusionBValue", "TriggerTime",
)  # fmt: skip
_PLACE = (
    ("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2),
    ("RescaleSlope", 1), ("RescaleIntercept", 1),
)  # fmt: skip
_SAME_PLANE_DEGREES = 5.0


@dataclass
class Stack:
    """Images of one series that belong together.

    Attributes
    ----------
    images : list
        (source, header) of each image; a multi-frame object repeats its source, and the
        header is then that of one frame.
    warnings : list of str
        What was put right or passed over.
    duplicates : list
        (source, SOPInstanceUID) of the files that repeat an image.
    clash : str
        A fault that the files show together, such as one identifier at two places.
    """

    images: list[tuple[Source, Dataset]]
    warnings: list[str] = field(default_factory=list)
    duplicates: list[tuple[Source, str]] = field(default_factory=list)
    clash: str = ""

    @property
    def header(self) -> Dataset:
        """Header of the first image."""
        return self.images[0][1]

    @property
    def orientation(self) -> FloatArray | None:
        """Mean direction cosines of (columns growing, rows growing), made orthonormal."""
        values = [numbers(header, "ImageOrientationPatient", 6) for _, header in self.images]
        known = [v for v in values if v is not None]
        if len(known) < len(values):
            return None
        # A mean of thousands of equal numbers may differ in the last digit: keep the number.
        same = np.ptp(known, axis=0).max() <= 1e-6
        mean = known[0] if same else np.mean(known, axis=0)
        along, down = mean[:3], mean[3:]
        lengths = np.array([np.linalg.norm(along), np.linalg.norm(down)])
        error = max(np.abs(lengths - 1).max(), abs(along @ down))
        if error > UNIT_TOLERANCE:
            return None
        if same and error <= 1e-6:
            return np.asarray(mean)
        along = along / np.linalg.norm(along)
        down = down - along * (along @ down)
        return np.concatenate([along, down / np.linalg.norm(down)])

    @property
    def spread(self) -> float:
        """Largest difference between the direction cosines of two images."""
        known = [numbers(header, "ImageOrientationPatient", 6) for _, header in self.images]
        return float(np.ptp([k for k in known if k is not None], axis=0).max(initial=0.0))

    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Median slice distance and pixel spacing, where the headers give them.

        For a sagittal stack in the order of the series as it is read (slice, head to feet,
        front to back), else as stored (slice, row, column).
        """
        orientation, pixel = self.orientation, numbers(self.header, "PixelSpacing", 2)
        distances = self._distances(orientation)
        if pixel is None or orientation is None or distances is None or len(distances) < 2:
            return None
        gaps = np.diff(np.sort(distances))
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

    def _positions(self) -> FloatArray | None:
        values = [numbers(header, "ImagePositionPatient", 3) for _, header in self.images]
        known = [v for v in values if v is not None]
        return np.array(known) if len(known) == len(values) else None

    def _distances(self, orientation: FloatArray | None) -> FloatArray | None:
        positions = self._positions()
        if orientation is None or positions is None:
            return None
        result: FloatArray = positions @ normal_of(orientation)
        return result

    def plane(self) -> str:
        """The plane of the stack, ``unknown`` without a valid orientation."""
        orientation = self.orientation
        return "unknown" if orientation is None else plane_of(orientation)

    def fault(self) -> str:
        """Why these images are not one regular box of voxels; empty if they are."""
        if self.clash:
            return self.clash
        for keyword, count in (("ImageOrientationPatient", 6), ("ImagePositionPatient", 3)):
            missing = sum(numbers(h, keyword, count) is None for _, h in self.images)
            if missing:
                return f"{_of(missing, self.images)} no valid {keyword}, so its place is unknown"
        pixel = numbers(self.header, "PixelSpacing", 2)
        if pixel is None or (pixel <= 0).any():
            return "it has no valid PixelSpacing, so nothing in it can be measured"
        size = [numbers(self.header, keyword, 1) for keyword in ("Rows", "Columns")]
        if size[0] is None or size[1] is None or min(size[0][0], size[1][0]) < 1:
            return "it has no valid Rows and Columns, so its images have no shape"
        if any(value_of(h, "SamplesPerPixel", 1) != 1 for _, h in self.images):
            return "its images are in colour, and so no measurement of a scanner"
        orientation = self.orientation
        if orientation is None:
            return "its ImageOrientationPatient is not a pair of directions at right angles"
        edge = self.spread * float(np.hypot(size[0][0] * pixel[0], size[1][0] * pixel[1]))
        if edge > ORIENTATION_NOISE_PIXELS * pixel.min():
            return f"the directions of its slices differ, by up to {edge:.1f} mm at the edge"
        if len(self.images) == 1:
            return "it has only one slice, and a series of at least two is needed"
        return self._stacking_fault(orientation)

    def _stacking_fault(self, orientation: FloatArray) -> str:
        """What is wrong with the distances of the slices from each other."""
        positions = self._positions()
        assert positions is not None
        normal = normal_of(orientation)
        order = np.argsort(positions @ normal, kind="stable")
        positions = positions[order]
        distances = positions @ normal
        gaps = np.diff(distances)
        if (gaps < 1e-3).any():
            return f"{int((gaps < 1e-3).sum()) + 1} of its slices share a position"
        step = float(np.median(gaps))
        uneven = f"its slices are unevenly spaced, {gaps.min():.2f} to {gaps.max():.2f} mm apart"
        if (np.abs(gaps - step) > SPACING_TOLERANCE * step).any():
            holes = gaps / step
            whole = np.abs(holes - np.round(holes)) < SPACING_TOLERANCE * np.round(holes)
            if whole.all() and (np.round(holes) >= 1).all():
                missing = int((np.round(holes) - 1).sum())
                return f"{missing} slice{'s are' if missing > 1 else ' is'} missing in the middle"
            return uneven
        # Small differences of one sign add up: each slice must be where a regular stack has it.
        length = float(distances[-1] - distances[0])
        regular = np.linspace(0.0, length, len(distances))
        if np.abs(distances - distances[0] - regular).max() > SPACING_TOLERANCE * step:
            return uneven
        offsets = positions - positions[0]
        drift = np.linalg.norm(offsets - np.outer(offsets @ normal, normal), axis=1).max()
        if drift > max(SHEAR_TOLERANCE * length, 2e-2):
            return f"its slices are shifted in their plane, by up to {drift:.2f} mm"
        return ""


def _of(count: int, images: Sequence[object]) -> str:
    return "it has" if count == len(images) else f"{count} of its {len(images)} images have"


def split(images: list[tuple[Source, Dataset]]) -> list[Stack]:
    """Sort the images of one series into stacks, the largest first.

    The same SOPInstanceUID at the same place is taken once; whether the pixels agree too is
    checked when they are read.
    """
    stacks: list[Stack] = []
    keys: list[tuple[object, ...]] = []
    seen: dict[tuple[str, object], tuple[int, Dataset]] = {}
    for source, header in images:
        key = _key(header)
        uid = str(value_of(header, "SOPInstanceUID", ""))
        # The frames of a multi-frame object share its identifier, and have numbers of their own.
        several = value_of(header, "NumberOfFrames", 1) != 1
        identity = (uid, value_of(header, "InstanceNumber") if several else 1)
        if uid and identity in seen:
            index, twin = seen[identity]
            stack = stacks[index]
            if key != keys[index] or not _same_place(header, twin):
                stack.clash = f"{source.name} has the identifier of another image"
            if all(source != other for other, _ in stack.duplicates):
                stack.warnings.append(f"The duplicate file {source.name} was passed over.")
                stack.duplicates.append((source, uid))
            continue
        orientation = numbers(header, "ImageOrientationPatient", 6)
        for index, stack in enumerate(stacks):
            first = numbers(stack.header, "ImageOrientationPatient", 6)
            if keys[index] == key and _alike(orientation, first):
                stack.images.append((source, header))
                break
        else:
            index = len(stacks)
            stacks.append(Stack([(source, header)]))
            keys.append(key)
        seen[identity] = (index, header)
    return sorted(stacks, key=lambda stack: -len(stack.images))


def belongs(other: Stack, stack: Stack) -> bool:
    """Whether a stack may hold slices that are missing in another one, or another person's.

    A localiser or a picture of the screen may be passed over; a slice of the same plane that
    differs in echo or polarity may not, and nor may one whose plane nobody knows.
    """
    first, second = other.header, stack.header
    for keyword in ("PatientID", "StudyInstanceUID"):
        if value_of(first, keyword, "") != value_of(second, keyword, ""):
            return True
    plane = other.orientation
    if plane is None:
        return all(value_of(first, k) == value_of(second, k) for k in ("Rows", "Columns"))
    own = stack.orientation
    assert own is not None
    parallel = abs(float(normal_of(plane) @ normal_of(own)))
    return parallel > float(np.cos(np.deg2rad(_SAME_PLANE_DEGREES)))


def _alike(orientation: FloatArray | None, other: FloatArray | None) -> bool:
    if orientation is None or other is None:
        return orientation is other
    return bool(np.abs(orientation - other).max() <= ORIENTATION_TOLERANCE)


def _same_place(header: Dataset, other: Dataset) -> bool:
    """Whether two headers put their image in the same place, with the same meaning of values."""
    for keyword, count in _PLACE:
        first, second = numbers(header, keyword, count), numbers(other, keyword, count)
        if (first is None) != (second is None):
            return False
        if first is not None and second is not None and np.abs(first - second).max() > 1e-4:
            return False
    return True


def _key(header: Dataset) -> tuple[object, ...]:
    pixel = numbers(header, "PixelSpacing", 2)
    return (
        None if pixel is None else tuple(np.round(pixel, 4)),
        tuple(strings_of(header, "ImageType")[2:]),
        *(str(value_of(header, keyword, "")) for keyword in _GROUP_KEYS),
    )
