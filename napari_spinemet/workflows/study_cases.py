"""The contoured cases of a study, read one after the other with word of how far it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..imaging import Annotation, SagittalSeries
from ..jobs import UNATTENDED, JobContext
from ..study import Case, Study


def read_contoured_cases(
    study: Study, only_cases: Sequence[str] | None = None, *, job: JobContext = UNATTENDED
) -> Iterator[tuple[Case, SagittalSeries, Annotation]]:
    """Read the contoured cases of a study.

    Parameters
    ----------
    study : Study
    only_cases : sequence of str, optional
        Names of those to read; all contoured ones by default.
    job : JobContext
        Told of each case; polled before it.
    """
    total = (
        sum(case.has_contours for case in study.cases()) if only_cases is None else len(only_cases)
    )
    for number, (case, series, annotation) in enumerate(study.contoured_cases(only_cases), 1):
        job.raise_if_cancelled()
        yield case, series, annotation
        job.progress("read", number, total, f"reading {case.name}")
