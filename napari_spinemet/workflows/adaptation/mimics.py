"""What a person has rejected, shown to a network in many bodies in place of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...errors import SpinemetError
from ...imaging import Finding, SagittalSeries
from ...imaging.findings import mask_of_finding
from ...jobs import UNATTENDED, JobContext
from ...phantom.implants.mimic_implant import (
    Mimic,
    bodies_with_room,
    cut_out_mimics,
    implant_mimic,
)
from .own_scan import OwnScan, TrainingCase, mark_of

MIMIC_MARGIN_MM = 3.0
"""So far around a rejected finding it is learned from: what lies there is marked a little less."""
MIMICS_A_CASE = 2
_STREAM = 3
"""Of random numbers; implants have others."""


def mask_of_rejected(findings: Sequence[Finding], series: SagittalSeries) -> npt.NDArray[np.bool_]:
    """What was rejected, and a little around it, as ``(slice, row, column)``.

    Parameters
    ----------
    findings : sequence of Finding
        That a person has rejected.
    series : SagittalSeries
        That they were detected on.
    """
    mask = np.zeros(series.shape, dtype=bool)
    for finding in findings:
        mask |= mask_of_finding(finding, series)
    if not findings:
        return mask
    sampling = (1e3, *series.spacing_mm[1:])  # within the slices
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=sampling) <= MIMIC_MARGIN_MM)


def mimics_of(scans: Sequence[OwnScan]) -> list[Mimic]:
    """All that was rejected in bodies of some scans.

    Parameters
    ----------
    scans : sequence of OwnScan
    """
    return [mimic for scan in scans for mimic in cut_out_mimics(scan.series, scan.annotation)]


def with_mimics(
    cases: Sequence[TrainingCase],
    mimics: Sequence[Mimic],
    seed: int,
    *,
    job: JobContext = UNATTENDED,
) -> list[TrainingCase]:
    """Cases with some mimics in bodies that are free; as they are where there is no room.

    A network that sees a rejected finding in its own body alone learns that body.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
    mimics : sequence of Mimic
    seed : int
    job : JobContext
        Polled before each case.
    """
    if not mimics:
        return list(cases)
    results: list[TrainingCase] = []
    for series, annotation in cases:
        job.raise_if_cancelled()
        rng = np.random.default_rng((seed, _STREAM, *mark_of(series)))
        labels = rng.permutation(bodies_with_room(annotation))[:MIMICS_A_CASE]
        for label in labels.tolist():
            mimic = mimics[int(rng.integers(len(mimics)))]
            try:
                series, annotation = implant_mimic(series, annotation, mimic, label, rng)
            except SpinemetError:  # its canal is not seen, or something is beside it
                continue
        results.append((series, annotation))
    return results
