"""What a person has rejected, shown to a network in many bodies in place of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import SpinemetError
from ...jobs import UNATTENDED, JobContext
from ...phantom.implants.mimic_implant import (
    Mimic,
    bodies_with_room,
    cut_out_mimics,
    implant_mimic,
)
from .own_scan import OwnScan, TrainingCase

MIMICS_A_CASE = 2
_STREAM = 3
"""Of random numbers; implants have others."""


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
    for number, (series, annotation) in enumerate(cases):
        job.raise_if_cancelled()
        rng = np.random.default_rng((seed, _STREAM, number))
        labels = rng.permutation(bodies_with_room(annotation))[:MIMICS_A_CASE]
        for label in labels.tolist():
            mimic = mimics[int(rng.integers(len(mimics)))]
            try:
                series, annotation = implant_mimic(series, annotation, mimic, label, rng)
            except SpinemetError:  # its canal is not seen
                continue
        results.append((series, annotation))
    return results
