"""Marks in a scan of one's own of which nobody has said what they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import ndimage

from ...detection.pipeline import evaluate
from ...imaging import Finding, LikelihoodMap, OperatingPoint
from ...imaging.findings import mask_of_finding
from ...imaging.grids import resample_labels
from ...study.verdicts import SAME_FINDING_MM, Position
from .own_scan import OwnScan

MARGIN_MM = 6.0
"""So far around one nothing is learned as normal."""


def find_unknown_marks(
    scan: OwnScan, likelihood: LikelihoodMap, point: OperatingPoint
) -> list[Finding]:
    """What is marked, and neither contoured as a lesion nor rejected by a person.

    Parameters
    ----------
    scan : OwnScan
    likelihood : LikelihoodMap
        Plain, of that scan.
    point : OperatingPoint
    """
    lesions = resample_labels(scan.annotation.lesions, scan.series.spacing_mm[1:])
    return [
        finding
        for finding in evaluate(likelihood, point).findings
        if not any(lesions[d.slice][tuple(d.pixels.T)].any() for d in finding.detections)
        and not _is_at(finding, scan.rejected)
    ]


def leave_out(scan: OwnScan, findings: Sequence[Finding]) -> OwnScan:
    """The scan with nothing to be learned where such marks lie, and around them.

    Parameters
    ----------
    scan : OwnScan
    findings : sequence of Finding
        On that scan.
    """
    if not findings:
        return scan
    uncertain = np.zeros(scan.series.shape, dtype=bool)
    _, row_mm, column_mm = scan.series.spacing_mm
    for finding in findings:
        first, last = finding.slices
        # The next slices too: its ends are seen there, and likely missed.
        uncertain[max(0, first - 1) : last + 2] |= mask_of_finding(finding, scan.series).any(axis=0)
    is_near = ndimage.distance_transform_edt(~uncertain, sampling=(1e3, row_mm, column_mm))
    return scan.without(is_near <= MARGIN_MM)


def _is_at(finding: Finding, places: Iterable[Position]) -> bool:
    """Whether a person has said what it is."""
    return any(math.dist(finding.centre_mm, position) <= SAME_FINDING_MM for position in places)
