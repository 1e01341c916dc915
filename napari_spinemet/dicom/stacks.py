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

from .headers import normal_of, numbers, plane_of
from .sources import Source

FloatArray = npt.NDArray[np.float64]

ORIENTATION_TOLERANCE = 5e-3
"""Direction cosines closer than this are one plane written with noise."""
SPACING_TOLERANCE = 0.02
"""Share by which slice distances may differ; a resampling error below a tenth of a mm."""
SHEAR_TOLERANCE = 1e-3
"""In-plane drift for each mm along the normal."""

_GROUP_KEYS = (
    "StudyInstanceUID", "PatientID", "FrameOfReferenceUID", "Rows", "Columns",
    "PhotometricInterpretation", "PixelRepresentation", "EchoTime", "EchoNumbers",
    "TemporalPositionIdentifier", "DiffusionBValue", "TriggerTime",
)  # fmt: skip


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
    """

    images: list[tuple[Source, Dataset]]
    warnings: list[str] = field(default_factory=list)
    duplicates: list[tuple[Source, str]] = field(default_factory=list)

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
        mean = np.mean(known, axis=0)
        # A mean of thousands of equal numbers may differ in the last digit: keep the number.
        if np.ptp(known, axis=0).max() <= 1e-6:
            mean = known[0]
        along, down = mean[:3], mean[3:]
        if min(np.linalg.norm(along), np.linalg.norm(down)) < 0.9 or abs(along @ down) > 0.01:
            return None
        if np.ptp(known, axis=0).max() <= 1e-6:
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
        """Median slice distance and pixel spacing (row, column), where the headers give them."""
        orientation, pixel = self.orientation, numbers(self.header, "PixelSpacing", 2)
        distances = self._distances(orientation)
        if pixel is None or distances is None or len(distances) < 2:
            return None
        gaps = np.diff(np.sort(distances))
        gaps = gaps[gaps > 1e-3]
        if len(gaps) == 0:
            return None
        return float(np.median(gaps)), float(pixel[0]), float(pixel[1])

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
        for keyword, count in (("ImageOrientationPatient", 6), ("ImagePositionPatient", 3)):
            missing = sum(numbers(h, keyword, count) is None for _, h in self.images)
            if missing:
                return f"{_of(missing, self.images)} no valid {keyword}, so its place is unknown"
        pixel = numbers(self.header, "PixelSpacing", 2)
        if pixel is None or (pixel <= 0).any():
            return "it has no valid PixelSpacing, so nothing in it can be measured"
        orientation = self.orientation
        if orientation is None:
            return "its ImageOrientationPatient is not a pair of directions at right angles"
        if len(self.images) == 1:
            return "it has only one slice, and a series of at least two is needed"
        positions = self._positions()
        assert positions is not None
        distances = positions @ normal_of(orientation)
        order = np.argsort(distances, kind="stable")
        gaps = np.diff(distances[order])
        if (gaps < 1e-3).any():
            return f"{int((gaps < 1e-3).sum()) + 1} of its slices share a position"
        step = float(np.median(gaps))
        if (np.abs(gaps - step) > SPACING_TOLERANCE * step).any():
            holes = gaps / step
            whole = np.abs(holes - np.round(holes)) < SPACING_TOLERANCE * np.round(holes)
            if whole.all():
                missing = int((np.round(holes) - 1).sum())
                return f"{missing} slice{'s are' if missing > 1 else ' is'} missing in the middle"
            return f"its slices are unevenly spaced, {gaps.min():.2f} to {gaps.max():.2f} mm apart"
        ends = positions[order[-1]] - positions[order[0]]
        drift = ends - normal_of(orientation) * (ends @ normal_of(orientation))
        length = float(distances[order[-1]] - distances[order[0]])
        if np.linalg.norm(drift) > max(SHEAR_TOLERANCE * length, 1e-2):
            return f"its slices are sheared by {np.linalg.norm(drift):.1f} mm from first to last"
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
    seen: dict[str, int] = {}
    for source, header in images:
        key = _key(header)
        uid = str(header.get("SOPInstanceUID", ""))
        if uid and header.get("NumberOfFrames", 1) in (None, "", 1) and uid in seen:
            stacks[seen[uid]].warnings.append(f"The duplicate file {source.name} was passed over.")
            stacks[seen[uid]].duplicates.append((source, uid))
            continue
        orientation = numbers(header, "ImageOrientationPatient", 6)
        for index, stack in enumerate(stacks):
            first = numbers(stack.header, "ImageOrientationPatient", 6)
            alike = (orientation is None) == (first is None) and (
                orientation is None
                or first is None
                or np.abs(orientation - first).max() <= ORIENTATION_TOLERANCE
            )
            if alike and keys[index] == key:
                stack.images.append((source, header))
                seen[uid] = index
                break
        else:
            seen[uid] = len(stacks)
            stacks.append(Stack([(source, header)]))
            keys.append(key)
    return sorted(stacks, key=lambda stack: -len(stack.images))


def _key(header: Dataset) -> tuple[object, ...]:
    pixel = numbers(header, "PixelSpacing", 2)
    kind = tuple(str(v) for v in (header.get("ImageType") or ())[2:])
    return (
        None if pixel is None else tuple(np.round(pixel, 4)),
        kind,
        *(str(header.get(keyword, "")) for keyword in _GROUP_KEYS),
    )
