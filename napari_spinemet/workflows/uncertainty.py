"""Which scan to contour next: the one that the model is least sure of.

Uncertainty sampling (Lewis and Gale, SIGIR 1994): of the scans without contours, those teach
most of which the model is most in doubt. Doubt is the entropy of its answer (Settles, Active
Learning Literature Survey, 2009, section 3.1), in the mean over the scan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import Cancelled, SpinemetError
from ..imaging import LikelihoodMap
from ..jobs import UNATTENDED, JobContext
from ..study import Study
from .map_source import MapSource

TASK = "rank"


@dataclass(frozen=True)
class CaseUncertainty:
    """How much a model is in doubt about a scan.

    Attributes
    ----------
    case : str
    bits : float or None
        Mean entropy of the lesion likelihood over the evaluated pixels, 0 (sure everywhere) to
        1 (every pixel may be either); None where the scan could not be read.
    reason : str
        Why it could not.
    """

    case: str
    bits: float | None
    reason: str = ""


def mean_entropy(likelihood: LikelihoodMap) -> float:
    """Mean binary entropy of a plain map over its evaluated region, in bits."""
    p = likelihood.values[:, likelihood.region.mask].astype(np.float64)
    q = np.clip(p, 1e-12, 1 - 1e-12)
    return float(np.mean(-q * np.log2(q) - (1 - q) * np.log2(1 - q)))


def rank_cases(
    study: Study, source: MapSource, *, job: JobContext = UNATTENDED
) -> list[CaseUncertainty]:
    """Cases without contours, the most doubtful first; those that cannot be read last.

    Parameters
    ----------
    study : Study
        Maps that are made here are kept there.
    source : MapSource
        A model.
    job : JobContext
    """
    cases = [case for case, state in study.states() if not state.has_contours]
    ranking = []
    for number, case in enumerate(cases, 1):
        job.raise_if_cancelled()
        try:
            likelihood = source.made_map_of(study, case, job=job)
            ranking.append(CaseUncertainty(case.name, mean_entropy(likelihood)))
        except Cancelled:
            raise
        except SpinemetError as error:  # one bad scan must not hide the others
            ranking.append(CaseUncertainty(case.name, None, str(error)))
        job.progress(TASK, number, len(cases), case.name)
    return sorted(ranking, key=lambda u: (u.bits is None, -(u.bits or 0.0), u.case))
