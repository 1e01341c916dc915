"""What is known of a case once it has been looked at: what figures are chosen by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...detection import DetectionResult
from ...evaluation.froc import region_centres
from ...evaluation.matching import DEFAULT_DISTANCE_MM
from ...imaging import Annotation, Detection
from ...imaging.grids import resample_labels

_ALL_NEIGHBOURS = np.ones((3, 3, 3))


@dataclass(frozen=True)
class LesionLocation:
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
class SliceMatches:
    """What an operating point makes of one slice.

    Attributes
    ----------
    true_positives, false_positives : tuple of Detection
        Near a contoured region, and near none.
    regions, regions_found : int
    found_cm2 : float
        Area of the regions found.
    """

    true_positives: tuple[Detection, ...]
    false_positives: tuple[Detection, ...]
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
    has_vertebrae : bool
        Whether any is contoured in it.
    false_positives, plain_false_positives : int
        In the aggregated and in the plain map.
    far_mm : float or None
        Of the false positive farthest from all contours, its distance in plane from those of
        any slice; None without a false positive or without contours.
    """

    lesion_cm2: float
    has_vertebrae: bool = False
    found_cm2: float = 0.0
    false_positives: int = 0
    plain_false_positives: int = 0
    far_mm: float | None = None


@dataclass(frozen=True)
class CaseFacts:
    """What the choice depends on, for one case, and whether it has a likelihood map."""

    name: str
    slices: tuple[SliceFacts, ...]
    lesion_locations: tuple[LesionLocation, ...]
    has_map: bool = False


def lesion_locations(
    case: str, annotation: Annotation, spacing_mm: tuple[float, float, float]
) -> tuple[LesionLocation, ...]:
    """The lesions of a case: parts of one label that hang together across slices.

    Parameters
    ----------
    case : str
        Its name.
    annotation : Annotation
    spacing_mm : tuple of float
        (slice, row, column) of the series that it is drawn on.
    """
    labels = resample_labels(annotation.lesions, spacing_mm[1:])
    result = []
    for label in np.unique(labels[labels > 0]):
        parts, count = ndimage.label(labels == label, _ALL_NEIGHBOURS)
        for part in range(1, count + 1):
            area = (parts == part).sum(axis=(1, 2))
            index = int(area.argmax())
            pixels = np.argwhere(parts[index] == part)
            # The centre of gravity of a hollow lesion lies outside it.
            squared_distance = ((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1)
            row, column = pixels[squared_distance.argmin()]
            result.append(LesionLocation(case, index, int(row), int(column), area[index] / 100))
    return tuple(result)


def match_slices(result: DetectionResult, annotation: Annotation) -> list[SliceMatches]:
    """Tell what was found in each slice from false positives, by the rule of the FROC.

    Parameters
    ----------
    result : DetectionResult
    annotation : Annotation
        On the same series.
    """
    spacing = result.plain.series_spacing_mm
    masks = resample_labels(annotation.lesions, spacing[1:]) > 0
    matches = []
    for index, (centres, mask) in enumerate(
        zip(region_centres(annotation, spacing), masks, strict=True)
    ):
        detections = [d for d in result.detections if d.slice == index]
        positions = np.array([d.centre_working for d in detections]).reshape(-1, 2)
        distance_mm = np.linalg.norm(positions[:, None] - centres[None], axis=2)
        # As in the FROC: 20 mm must not fail by the last digit of a quotient.
        is_match = distance_mm <= DEFAULT_DISTANCE_MM + 1e-9
        is_hit, is_region_found = is_match.any(axis=1), is_match.any(axis=0)
        area_cm2 = np.bincount(ndimage.label(mask, _ALL_NEIGHBOURS[0])[0].ravel())[1:] / 100
        matches.append(
            SliceMatches(
                tuple(d for d, hit in zip(detections, is_hit, strict=True) if hit),
                tuple(d for d, hit in zip(detections, is_hit, strict=True) if not hit),
                len(centres),
                int(is_region_found.sum()),
                float(area_cm2[is_region_found].sum()),
            )
        )
    return matches


def case_facts(
    case: str,
    annotation: Annotation,
    spacing_mm: tuple[float, float, float],
    aggregated_result: DetectionResult | None = None,
    plain_result: DetectionResult | None = None,
) -> CaseFacts:
    """Sum a case up; without results only its contours count.

    Parameters
    ----------
    case : str
        Its name.
    annotation : Annotation
    spacing_mm : tuple of float
        (slice, row, column) of the series that it is drawn on.
    aggregated_result, plain_result : DetectionResult, optional
        Of the same map with aggregation and without.
    """
    pixel_cm2 = spacing_mm[1] * spacing_mm[2] / 100
    lesion_cm2 = pixel_cm2 * (annotation.lesions > 0).sum(axis=(1, 2))
    bodies = (annotation.vertebrae > 0).sum(axis=(1, 2))
    lesions = lesion_locations(case, annotation, spacing_mm)
    if aggregated_result is None or plain_result is None:
        contours = [SliceFacts(float(a), bool(b)) for a, b in zip(lesion_cm2, bodies, strict=True)]
        return CaseFacts(case, tuple(contours), lesions)
    distance_mm = _distance_from_contours_mm(annotation, spacing_mm)
    matches = match_slices(aggregated_result, annotation)
    plain_matches = match_slices(plain_result, annotation)
    slices = [
        SliceFacts(
            lesion_cm2=float(area),
            has_vertebrae=bool(body),
            found_cm2=match.found_cm2,
            false_positives=len(match.false_positives),
            plain_false_positives=len(plain_match.false_positives),
            far_mm=None
            if distance_mm is None
            else max((_at(distance_mm, d) for d in match.false_positives), default=None),
        )
        for area, body, match, plain_match in zip(
            lesion_cm2, bodies, matches, plain_matches, strict=True
        )
    ]
    return CaseFacts(case, tuple(slices), lesions)


def _distance_from_contours_mm(
    annotation: Annotation, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.float64] | None:
    """Distance of each working pixel from what is contoured in any slice."""
    has_contour = (annotation.lesions > 0) | (annotation.vertebrae > 0)
    mask = resample_labels(has_contour.astype(np.uint16), spacing_mm[1:]).max(axis=0)
    if not mask.any():
        return None
    return np.asarray(ndimage.distance_transform_edt(mask == 0), dtype=np.float64)


def _at(image: npt.NDArray[np.float64], detection: Detection) -> float:
    row, column = (round(value) for value in detection.centre_working)
    return float(image[row, column])
