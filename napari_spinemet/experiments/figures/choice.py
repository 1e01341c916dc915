"""Which cases and slices of a study the figures of the paper are drawn from.

The choice is a rule, so that the same study always gives the same figures, and each figure
says by which rule it was chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...detection import DetectionResult
from ...evaluation.froc import region_centres
from ...imaging import Annotation, Detection
from ...imaging.grids import resample_labels

MAX_DISTANCE_MM = 20.0
"""Of the centres of a detection and the region that it finds, as in the FROC."""
NEIGHBOURS = 3
"""Slices of figures 6 to 8."""
SPECK_CM2 = 0.3
"""Smaller marks are not shown as a small lesion if there is a larger one."""

_ALL_AROUND = np.ones((3, 3, 3))


@dataclass(frozen=True)
class LesionPlace:
    """A lesion in the slice where it is largest.

    Attributes
    ----------
    case : str
    slice : int
    row, column : int
        Its pixel on the working grid that lies nearest to its centre of gravity.
    area_cm2 : float
        In that slice.
    """

    case: str
    slice: int
    row: int
    column: int
    area_cm2: float


@dataclass(frozen=True, eq=False)
class SliceVerdict:
    """What an operating point makes of one slice.

    Attributes
    ----------
    found, false : tuple of Detection
        Near a contoured region, and near none.
    regions, regions_found : int
    found_cm2 : float
        Area of the regions found.
    """

    found: tuple[Detection, ...]
    false: tuple[Detection, ...]
    regions: int
    regions_found: int
    found_cm2: float


@dataclass(frozen=True)
class SliceFacts:
    """What the choice depends on, for one slice.

    Attributes
    ----------
    lesion_cm2, found_cm2 : float
        Contoured, and of the regions found in the aggregated map.
    vertebrae : bool
        Whether any is contoured here.
    false_positives, plain_false_positives : int
        In the aggregated and in the plain map.
    far_mm : float or None
        Of the false positive farthest from all contours, its distance in plane from those of
        any slice; None without a false positive or without contours.
    """

    lesion_cm2: float
    vertebrae: bool = False
    found_cm2: float = 0.0
    false_positives: int = 0
    plain_false_positives: int = 0
    far_mm: float | None = None


@dataclass(frozen=True)
class CaseFacts:
    """What the choice depends on, for one case, and whether it has a likelihood map."""

    name: str
    slices: tuple[SliceFacts, ...]
    lesions: tuple[LesionPlace, ...]
    mapped: bool = False


@dataclass(frozen=True)
class Window:
    """Neighbouring slices of a case."""

    case: str
    slices: tuple[int, ...]


def lesion_places(
    case: str, annotation: Annotation, spacing_mm: tuple[float, float, float]
) -> tuple[LesionPlace, ...]:
    """The lesions of a case: parts of one label that hang together across slices."""
    labels = resample_labels(annotation.lesions, spacing_mm[1:])
    result = []
    for label in np.unique(labels[labels > 0]):
        parts, count = ndimage.label(labels == label, _ALL_AROUND)
        for part in range(1, count + 1):
            area = (parts == part).sum(axis=(1, 2))
            index = int(area.argmax())
            pixels = np.argwhere(parts[index] == part)
            away = ((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1)
            row, column = pixels[away.argmin()]
            result.append(LesionPlace(case, index, int(row), int(column), area[index] / 100))
    return tuple(result)


def judge(result: DetectionResult, annotation: Annotation) -> list[SliceVerdict]:
    """Tell what was found in each slice from false positives, by the rule of the FROC."""
    spacing = result.plain.series_spacing_mm
    masks = resample_labels(annotation.lesions, spacing[1:]) > 0
    verdicts = []
    for index, (centres, mask) in enumerate(
        zip(region_centres(annotation, spacing), masks, strict=True)
    ):
        here = [d for d in result.detections if d.slice == index]
        places = np.array([d.centre_working for d in here]).reshape(-1, 2)
        # As in the FROC: 20 mm must not fail by the last digit of a quotient.
        away = np.linalg.norm(places[:, None] - centres[None], axis=2)
        near = away <= MAX_DISTANCE_MM + 1e-9
        area_cm2 = np.bincount(ndimage.label(mask, _ALL_AROUND[0])[0].ravel())[1:] / 100
        met = near.any(axis=0)
        verdicts.append(
            SliceVerdict(
                tuple(d for d, held in zip(here, near.any(axis=1), strict=True) if held),
                tuple(d for d, held in zip(here, near.any(axis=1), strict=True) if not held),
                len(centres),
                int(met.sum()),
                float(area_cm2[met].sum()),
            )
        )
    return verdicts


def facts_of(
    case: str,
    annotation: Annotation,
    spacing_mm: tuple[float, float, float],
    aggregated: DetectionResult | None = None,
    plain: DetectionResult | None = None,
) -> CaseFacts:
    """Sum a case up; without results only its contours count."""
    pixel_cm2 = spacing_mm[1] * spacing_mm[2] / 100
    lesion_cm2 = pixel_cm2 * (annotation.lesions > 0).sum(axis=(1, 2))
    bodies = (annotation.vertebrae > 0).sum(axis=(1, 2))
    lesions = lesion_places(case, annotation, spacing_mm)
    if aggregated is None or plain is None:
        bare = [SliceFacts(float(a), bool(b)) for a, b in zip(lesion_cm2, bodies, strict=True)]
        return CaseFacts(case, tuple(bare), lesions)
    off = _from_contours_mm(annotation, spacing_mm)
    slices = [
        SliceFacts(
            lesion_cm2=float(area),
            vertebrae=bool(body),
            found_cm2=verdict.found_cm2,
            false_positives=len(verdict.false),
            plain_false_positives=len(without.false),
            far_mm=None if off is None else max((_at(off, d) for d in verdict.false), default=None),
        )
        for area, body, verdict, without in zip(
            lesion_cm2, bodies, judge(aggregated, annotation), judge(plain, annotation), strict=True
        )
    ]
    return CaseFacts(case, tuple(slices), lesions)


def _from_contours_mm(
    annotation: Annotation, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.float64] | None:
    """Distance of each working pixel from what is contoured in any slice."""
    drawn = (annotation.lesions > 0) | (annotation.vertebrae > 0)
    contoured = resample_labels(drawn.astype(np.uint16), spacing_mm[1:]).max(axis=0)
    if not contoured.any():
        return None
    return np.asarray(ndimage.distance_transform_edt(contoured == 0), dtype=np.float64)


def _at(image: npt.NDArray[np.float64], detection: Detection) -> float:
    row, column = (round(value) for value in detection.centre_working)
    return float(image[row, column])


def choose_lesions(cases: Sequence[CaseFacts]) -> tuple[LesionPlace, ...]:
    """Figure 3: the largest and the smallest lesion of all; one if there is only one.

    A lesion counts by the area of its largest slice. Specks are passed over.
    """
    every = [place for case in cases for place in case.lesions]
    large = max(every, key=lambda place: place.area_cm2)
    others = [place for place in every if place is not large]
    clear = [place for place in others if place.area_cm2 >= SPECK_CM2]
    small = min(clear, key=lambda p: p.area_cm2) if clear else None
    small = small or max(others, key=lambda p: p.area_cm2, default=None)
    return (large, small) if small is not None else (large,)


def choose_slice(cases: Sequence[CaseFacts]) -> Window:
    """Figure 4: the slice with most lesion area among those that show vertebrae too."""
    name, index, _ = max(
        ((case.name, k, s) for case in cases for k, s in enumerate(case.slices) if s.lesion_cm2),
        key=lambda place: (place[2].vertebrae, place[2].lesion_cm2),
    )
    return Window(name, (index,))


def choose_slices(cases: Sequence[CaseFacts]) -> Window:
    """Figures 6 and 7: three slices that show what is found, and what aggregation does.

    First come slices in which something is found, the plain map has a false positive and the
    aggregated map none; then those of the case with most lesion area found; then those with
    most of it.
    """

    def worth(place: tuple[CaseFacts, Window]) -> tuple[float, ...]:
        case, window = place
        here = [case.slices[k] for k in window.slices]
        found = sum(s.found_cm2 for s in here)
        wrong = sum(s.false_positives for s in here)
        saved = found > 0 and not wrong and any(s.plain_false_positives for s in here)
        lesion = sum(s.lesion_cm2 for s in here)
        return float(saved), sum(s.found_cm2 for s in case.slices), found, lesion, -wrong

    return max(_windows(cases), key=worth)[1]


def choose_false_positive(
    cases: Sequence[CaseFacts], other: Window | None = None
) -> tuple[Window, float | None] | None:
    """Figure 8: three slices about the false positive farthest from all contours.

    Parameters
    ----------
    cases : sequence of CaseFacts
    other : Window, optional
        What figure 6 shows, which is taken only if there is nothing else.

    Returns
    -------
    tuple or None
        The slices, and the distance in mm where it is known; None without a false positive.
    """
    found = [
        (_about(case, k), facts.far_mm)
        for case in cases
        for k, facts in enumerate(case.slices)
        if facts.false_positives
    ]
    return max(found, key=lambda place: (place[0] != other, place[1] or 0.0), default=None)


def _windows(cases: Sequence[CaseFacts]) -> Iterator[tuple[CaseFacts, Window]]:
    for case in cases:
        for first in range(max(1, len(case.slices) - NEIGHBOURS + 1)):
            yield case, _about(case, first + 1)


def _about(case: CaseFacts, middle: int) -> Window:
    """Three slices with this one in the middle, moved in at the ends of a case."""
    first = max(0, min(middle - 1, len(case.slices) - NEIGHBOURS))
    return Window(case.name, tuple(range(first, min(first + NEIGHBOURS, len(case.slices)))))
