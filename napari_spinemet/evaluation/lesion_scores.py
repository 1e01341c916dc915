"""What of a scan's lesions is found, and what is found beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..detection.pipeline import DetectionResult
from ..imaging import Annotation, Detection, Finding
from ..imaging.grids import resample_labels
from .case_level import Proportion
from .froc import region_centres

DISTANCE_MM = 20.0
"""Of centres, in plane, as in the FROC (paper, section 3.3)."""
LARGE_ML = 1.0
_REGIONS = {"C": "cervical", "T": "thoracic", "L": "lumbar", "S": "sacral"}


@dataclass(frozen=True)
class LesionOutcome:
    """One lesion.

    Attributes
    ----------
    is_found : bool
        Whether a detection's centre lies within 20 mm of its own in some slice.
    volume_ml, largest_cm2, contrast : float
    level, site, kind : str
    """

    is_found: bool
    volume_ml: float
    largest_cm2: float
    contrast: float
    level: str
    site: str
    kind: str

    @property
    def region(self) -> str:
        """Of the spine."""
        return _REGIONS.get(self.level[:1], "unknown")


@dataclass(frozen=True)
class ScanOutcome:
    """One scan.

    Attributes
    ----------
    name : str
    lesions : tuple of LesionOutcome
    false_findings : int
        Regions merged across slices that lie at no lesion.
    slices_hit, slices : int
        Annotated regions in slices that a detection lies at, and all of them.
    vertebrae : tuple of tuple of bool
        (is diseased, is marked) for each contoured vertebra.
    warnings : tuple of str
        Codes.
    """

    name: str
    lesions: tuple[LesionOutcome, ...]
    false_findings: int
    slices_hit: int
    slices: int
    vertebrae: tuple[tuple[bool, bool], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a scan.

    Attributes
    ----------
    annotation : Annotation
        A mark that lies mostly in what is uncertain counts as nothing.
    facts : sequence of mapping
        Of its lesions by label, from 1: level, contrast, site, kind.
    ignored_labels : tuple of int
        Vertebrae that are bright and no tumour: a mark with its centre there counts as nothing.
    """

    annotation: Annotation
    facts: Sequence[Mapping[str, Any]] = ()
    ignored_labels: tuple[int, ...] = ()


def score_scan(name: str, result: DetectionResult, truth: Truth) -> ScanOutcome:
    """Hold a result against the truth.

    Parameters
    ----------
    name : str
        Of the scan.
    result : DetectionResult
    truth : Truth
        On the grid of the series.
    """
    grid = _working_truth(truth, result.plain.series_spacing_mm)
    false = 0
    for finding in result.findings:
        if any(_is_at(d, grid.centres) for d in finding.detections):
            continue
        if truth.ignored_labels and _lies_in(finding, grid.vertebrae, truth.ignored_labels):
            continue
        if grid.uncertain is not None and _is_mostly_in(finding, grid.uncertain):
            continue
        false += 1
    hit = sum(
        int(np.any(_distances(result.detections, index, own) <= DISTANCE_MM))
        for index, plane in enumerate(grid.centres)
        for own in plane
    )
    return ScanOutcome(
        name,
        tuple(replace(x, is_found=_is_found(own, result)) for x, own in grid.lesions),
        false,
        hit,
        sum(len(plane) for plane in grid.centres),
        tuple(_vertebra_outcomes(grid, result.findings)),
        tuple(warning.code for warning in result.warnings),
    )


@dataclass(frozen=True, eq=False)
class _WorkingTruth:
    """The truth on the working grid."""

    centres: Sequence[npt.NDArray[np.floating]]
    """Of annotated regions, by slice."""
    lesions: tuple[tuple[LesionOutcome, Mapping[int, npt.NDArray[np.floating]]], ...]
    """Each lesion, not found, and its centres by slice."""
    vertebrae: npt.NDArray[np.unsignedinteger]
    is_diseased: Mapping[int, bool]
    """By vertebra: lesion on a tenth of it."""
    uncertain: npt.NDArray[np.bool_] | None = None


# One scan is scored at many operating points, one after the other.
@lru_cache(maxsize=1)
def _working_truth(truth: Truth, spacing: tuple[float, float, float]) -> _WorkingTruth:
    annotation = truth.annotation
    lesions = resample_labels(annotation.lesions, spacing[1:])
    vertebrae = resample_labels(annotation.vertebrae, spacing[1:])
    masks = ((lesions == label, facts) for label, facts in enumerate(truth.facts, 1))
    return _WorkingTruth(
        region_centres(annotation, spacing),
        tuple(_not_yet_found(mask, facts, spacing[0]) for mask, facts in masks if mask.any()),
        vertebrae,
        {
            int(label): bool((lesions[vertebrae == label] > 0).mean() > 0.1)
            for label in np.unique(vertebrae)[1:]
        },
        None
        if annotation.uncertain is None
        else resample_labels(annotation.uncertain.astype(np.uint16), spacing[1:]) > 0,
    )


def _distances(
    detections: Sequence[Detection], index: int, centre: npt.NDArray[np.floating]
) -> npt.NDArray[np.floating]:
    own = [d.centre_working for d in detections if d.slice == index]
    return np.asarray(np.hypot(*(np.array(own).reshape(-1, 2) - centre).T))


def _is_at(detection: Detection, centres: Sequence[npt.NDArray[np.floating]]) -> bool:
    near = centres[detection.slice]
    if not len(near):
        return False
    return bool(np.hypot(*(near - np.array(detection.centre_working)).T).min() <= DISTANCE_MM)


def _lies_in(
    finding: Finding, vertebrae: npt.NDArray[np.unsignedinteger], labels: Sequence[int]
) -> bool:
    """Whether the centre of one of its regions lies in one of these vertebrae."""
    for detection in finding.detections:
        row, column = (round(v) for v in detection.centre_working)
        if vertebrae[detection.slice, row, column] in labels:
            return True
    return False


def _is_mostly_in(finding: Finding, uncertain: npt.NDArray[np.bool_]) -> bool:
    """Whether nobody knows what most of it is."""
    inside = [uncertain[d.slice][tuple(d.pixels.T)] for d in finding.detections]
    return bool(np.concatenate(inside).mean() > 0.5)


def _not_yet_found(
    mask: npt.NDArray[np.bool_], facts: Mapping[str, Any], slice_mm: float
) -> tuple[LesionOutcome, Mapping[int, npt.NDArray[np.floating]]]:
    areas = mask.sum(axis=(1, 2))
    outcome = LesionOutcome(
        False,
        float(areas.sum() * slice_mm / 1000),
        float(areas.max() / 100),
        float(facts.get("contrast", np.nan)),
        str(facts.get("level", "")),
        str(facts.get("site", "body")),
        str(facts.get("kind", "lytic")),
    )
    return outcome, {
        int(index): np.argwhere(mask[index]).mean(axis=0) for index in np.flatnonzero(areas)
    }


def _is_found(centres: Mapping[int, npt.NDArray[np.floating]], result: DetectionResult) -> bool:
    return any(
        bool(np.any(_distances(result.detections, index, own) <= DISTANCE_MM))
        for index, own in centres.items()
    )


def _vertebra_outcomes(grid: _WorkingTruth, findings: Sequence[Finding]) -> list[tuple[bool, bool]]:
    """Whether each is diseased, and marked: the centre of a finding's region lies in it."""
    marked = set()
    for finding in findings:
        for detection in finding.detections:
            row, column = (round(v) for v in detection.centre_working)
            marked.add(int(grid.vertebrae[detection.slice, row, column]))
    return [(is_diseased, label in marked) for label, is_diseased in grid.is_diseased.items()]


@dataclass(frozen=True)
class Tally:
    """A set of scans.

    Attributes
    ----------
    name : str
    scans : tuple of ScanOutcome
    note : str
        What the set is.
    """

    name: str
    scans: tuple[ScanOutcome, ...]
    note: str = ""
    is_healthy: bool = field(default=False)

    @property
    def lesions(self) -> list[LesionOutcome]:
        """Of all scans."""
        return [lesion for scan in self.scans for lesion in scan.lesions]

    def sensitivity(self, keep: Callable[[LesionOutcome], bool] = lambda _: True) -> Proportion:
        """Found lesions of those that are kept.

        Parameters
        ----------
        keep : callable
            Which lesions count.
        """
        lesions = [lesion for lesion in self.lesions if keep(lesion)]
        return Proportion(sum(lesion.is_found for lesion in lesions), len(lesions))

    @property
    def false_findings(self) -> float:
        """Mean a scan."""
        return float(np.mean([scan.false_findings for scan in self.scans])) if self.scans else 0.0

    def false_findings_interval(self, seed: int = 0) -> tuple[float, float]:
        """95 % by resampling scans.

        Parameters
        ----------
        seed : int
        """
        counts = np.array([scan.false_findings for scan in self.scans], dtype=float)
        if len(counts) < 2:
            return float(counts.min(initial=0)), float(counts.max(initial=0))
        picks = np.random.default_rng(seed).integers(len(counts), size=(5000, len(counts)))
        low, high = np.percentile(counts[picks].mean(axis=1), (2.5, 97.5))
        return float(low), float(high)

    @property
    def free_scans(self) -> Proportion:
        """Scans without a false finding."""
        return Proportion(sum(s.false_findings == 0 for s in self.scans), len(self.scans))

    @property
    def regions_in_slices(self) -> Proportion:
        """Annotated regions in slices that are found."""
        return Proportion(sum(s.slices_hit for s in self.scans), sum(s.slices for s in self.scans))

    def vertebrae(self, is_diseased: bool) -> Proportion:
        """Marked ones of the diseased, or of the healthy."""
        marks = [marked for s in self.scans for sick, marked in s.vertebrae if sick == is_diseased]
        return Proportion(sum(marks), len(marks))

    @property
    def large_by_examination(self) -> Proportion:
        """Scans with lesions of 1 mL or more in which all of those are found."""
        hits = total = 0
        for scan in self.scans:
            large = [x.is_found for x in scan.lesions if x.volume_ml >= LARGE_ML]
            total += bool(large)
            hits += bool(large) and all(large)
        return Proportion(hits, total)
