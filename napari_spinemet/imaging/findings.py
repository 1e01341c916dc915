"""What detection reports: regions in slices, and findings across slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .annotation import Annotation
from .comparison import Evidence
from .grids import mask_on_series
from .likelihood import LikelihoodMap
from .series import SagittalSeries


@dataclass(frozen=True, eq=False)
class Detection:
    """One region of raised likelihood in one slice.

    Attributes
    ----------
    slice : int
        Slice index, the same on the working and on the series grid.
    area_cm2 : float
        Area of the region.
    centre_working : tuple of float
        (row, column) of the centre of gravity on the working grid, that is in mm from the
        first pixel.
    centre_index : tuple of float
        (slice, row, column) of the centre on the grid of the series.
    centre_mm : tuple of float
        The centre in patient LPS coordinates.
    peak, mean : float
        Largest and mean likelihood of the region.
    pixels : numpy.ndarray
        ``(n, 2)`` working-grid (row, column) of the region's pixels.
    """

    slice: int
    area_cm2: float
    centre_working: tuple[float, float]
    centre_index: tuple[float, float, float]
    centre_mm: tuple[float, float, float]
    peak: float
    mean: float
    pixels: npt.NDArray[np.int32] = field(repr=False)

    def mask(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """The region as a mask of the given working-grid (rows, columns)."""
        mask = np.zeros(shape, dtype=bool)
        mask[self.pixels[:, 0], self.pixels[:, 1]] = True
        return mask

    @property
    def outline(self) -> list[npt.NDArray[np.float64]]:
        """Closed outlines, holes included, as ``(n, 2)`` working-grid (row, column)."""
        from skimage.measure import find_contours

        # Cut out with a border of one pixel, so that every outline closes.
        first = self.pixels.min(axis=0) - 1
        height, width = self.pixels.max(axis=0) - first + 2
        local = np.zeros((int(height), int(width)), dtype=np.float32)
        local[self.pixels[:, 0] - first[0], self.pixels[:, 1] - first[1]] = 1
        return [contour + first for contour in find_contours(local, 0.5)]

    def to_dict(self) -> dict[str, Any]:
        """What a report says of the detection; the keys are part of the command's contract."""
        return {
            "slice": self.slice,
            "area_cm2": self.area_cm2,
            "centre_index": list(self.centre_index),
            "centre_mm": list(self.centre_mm),
            "peak": self.peak,
            "mean": self.mean,
        }


@dataclass(frozen=True, eq=False)
class Finding:
    """The detections of one lesion across neighbouring slices.

    Attributes
    ----------
    detections : tuple of Detection
        In slice order; each overlaps one in a neighbouring slice.
    volume_cm3 : float
        Sum of the areas times the distance between slices.
    centre_mm : tuple of float
        Area-weighted mean of the centres, patient LPS.
    level : str
        Vertebra level where it is contoured, else empty.
    evidence : Evidence or None
        What it was compared by; None where nothing was.
    verdict : str
        ``""``, ``"accepted"``, ``"rejected"`` or ``"unsure"``, as the reader judged.
    reason : str
        Why it was rejected; empty where that was not said.
    """

    detections: tuple[Detection, ...]
    volume_cm3: float
    centre_mm: tuple[float, float, float]
    level: str = ""
    verdict: str = ""
    evidence: Evidence | None = None
    reason: str = ""

    @property
    def guessed_level(self) -> str:
        """By the network's own vertebrae, where none is contoured; empty if they do not tell."""
        return "" if self.level or self.evidence is None else self.evidence.level

    @property
    def level_text(self) -> str:
        """The level in words: a guess is said to be one."""
        return self.level or (f"{self.guessed_level} (guess)" if self.guessed_level else "")

    @property
    def slices(self) -> tuple[int, int]:
        """First and last slice."""
        indices = [d.slice for d in self.detections]
        return min(indices), max(indices)

    @property
    def peak(self) -> float:
        """Largest likelihood over all slices."""
        return max(d.peak for d in self.detections)

    @property
    def largest(self) -> Detection:
        """The detection with the greatest area: the slice to show first."""
        return max(self.detections, key=lambda d: d.area_cm2)

    def to_dict(self) -> dict[str, Any]:
        """What a report says of the finding."""
        return {
            "slices": list(self.slices),
            "volume_cm3": self.volume_cm3,
            "max_area_cm2": self.largest.area_cm2,
            "centre_mm": list(self.centre_mm),
            "peak": self.peak,
            "level": self.level,
            "guessed_level": self.guessed_level,
            "contrast_to_neighbours": None if self.evidence is None else self.evidence.contrast,
            "evidence": None if self.evidence is None else self.evidence.to_dict(),
            "verdict": self.verdict,
            "reason": self.reason,
        }

    @property
    def verdict_text(self) -> str:
        """Verdict and reason in words; empty without a verdict."""
        return f"{self.verdict} ({self.reason})" if self.reason else self.verdict


def mask_of_detection(detection: Detection, series: SagittalSeries) -> npt.NDArray[np.bool_]:
    """A region as a mask ``(row, column)`` on its slice of the series.

    Parameters
    ----------
    detection : Detection
    series : SagittalSeries
        That was detected on.
    """
    last = detection.pixels.max(axis=0) + 1
    mask = detection.mask((int(last[0]) + 1, int(last[1]) + 1))
    return mask_on_series(mask, series.shape[1:], series.spacing_mm[1:])


def mask_of_finding(finding: Finding, series: SagittalSeries) -> npt.NDArray[np.bool_]:
    """All its regions as a mask ``(slice, row, column)`` on the grid of the series.

    Parameters
    ----------
    finding : Finding
    series : SagittalSeries
        That was detected on.
    """
    result = np.zeros(series.shape, dtype=bool)
    for detection in finding.detections:
        result[detection.slice] |= mask_of_detection(detection, series)
    return result


@dataclass(frozen=True, eq=False)
class FrocCase:
    """A case with truth, as FROC analysis takes it.

    Attributes
    ----------
    case_id : str
        Names the case in tables and sentences.
    sequences : tuple of (LikelihoodMap, Annotation)
        One pair for each sequence of the case; the annotation lies on the grid of the series
        that the map was made from.
    """

    case_id: str
    sequences: tuple[tuple[LikelihoodMap, Annotation], ...]
