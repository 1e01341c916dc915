"""Link the detections of neighbouring slices into what a reader calls one finding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..imaging import Annotation, Detection, Finding
from ..imaging.comparison import Comparison, Evidence
from ..imaging.geometry import mm_to_index
from ..imaging.series import SagittalSeries


def link_findings(
    detections: Sequence[Detection],
    slice_spacing_mm: float,
    comparison: Comparison | None = None,
) -> list[Finding]:
    """Detections in neighbouring slices that share a pixel belong to one finding.

    Parameters
    ----------
    detections : sequence of Detection
        All from one series.
    slice_spacing_mm : float
        Distance between slices, for the volume.
    comparison : Comparison, optional
        Of the map that they come from, for the evidence of each.

    Returns
    -------
    list of Finding
        From head to feet.
    """
    from scipy.cluster.hierarchy import DisjointSet

    by_slice: dict[int, list[int]] = {}
    for number, detection in enumerate(detections):
        by_slice.setdefault(detection.slice, []).append(number)
    groups = DisjointSet(range(len(detections)))
    for index, numbers in by_slice.items():
        for a in numbers:
            for b in by_slice.get(index + 1, ()):
                if _overlap(detections[a], detections[b]):
                    groups.merge(a, b)
    findings = []
    for subset in groups.subsets():
        members = sorted((detections[k] for k in subset), key=lambda d: d.slice)
        areas = np.array([d.area_cm2 for d in members])
        centre = np.average([d.centre_mm for d in members], axis=0, weights=areas)
        findings.append(
            Finding(
                detections=tuple(members),
                volume_cm3=float(areas.sum() * slice_spacing_mm / 10),
                centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
                evidence=None if comparison is None else _evidence_of(members, comparison),
            )
        )
    return sorted(findings, key=lambda f: -f.centre_mm[2])


def _evidence_of(detections: Sequence[Detection], comparison: Comparison) -> Evidence | None:
    """Of the candidate that most pixels of a finding lie in."""
    pixels: dict[Evidence, int] = {}
    for detection in detections:
        match = comparison.evidence_at(detection.slice, detection.pixels)
        if match is not None:
            pixels[match[0]] = pixels.get(match[0], 0) + match[1]
    return max(pixels, key=lambda e: pixels[e]) if pixels else None


def level_of(finding: Finding, series: SagittalSeries, annotation: Annotation) -> str:
    """Level of the contoured vertebra that holds the finding's largest detection, or ''.

    The vertebra that most of the region lies in counts, or the nearest within 10 mm.

    Parameters
    ----------
    finding : Finding
    series : SagittalSeries
        That was detected on.
    annotation : Annotation
        Its contours.
    """
    detection = finding.largest
    row_mm, column_mm = series.spacing_mm[1:]
    rows = np.round(detection.pixels[:, 0] / row_mm).astype(int)
    columns = np.round(detection.pixels[:, 1] / column_mm).astype(int)
    labels = annotation.vertebrae[detection.slice]
    inside = labels[np.clip(rows, 0, labels.shape[0] - 1), np.clip(columns, 0, labels.shape[1] - 1)]
    inside = inside[inside > 0]
    if len(inside):
        return annotation.levels.get(int(np.bincount(inside).argmax()), "")
    everywhere = np.argwhere(annotation.vertebrae > 0)
    if not len(everywhere):
        return ""
    target = np.asarray(mm_to_index(series.affine, finding.centre_mm))
    steps = (everywhere - target) * np.asarray(series.spacing_mm)
    nearest = int((steps**2).sum(axis=1).argmin())
    if (steps[nearest] ** 2).sum() > 10.0**2:
        return ""
    return annotation.levels.get(int(annotation.vertebrae[tuple(everywhere[nearest])]), "")


def _overlap(a: Detection, b: Detection) -> bool:
    top, bottom = a.pixels.min(axis=0), a.pixels.max(axis=0)
    in_box = b.pixels[((b.pixels >= top) & (b.pixels <= bottom)).all(axis=1)]
    if not len(in_box):
        return False
    shape = bottom - top + 1
    mask = np.zeros((int(shape[0]), int(shape[1])), dtype=bool)
    mask[tuple((a.pixels - top).T)] = True
    return bool(mask[tuple((in_box - top).T)].any())
