"""Two models on the cases of a study that neither was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import SpinemetError
from ..evaluation import FrocComparison, compare_froc
from ..evaluation.froc import froc_curve
from ..imaging import Annotation, FrocCase, SagittalSeries
from ..jobs import UNATTENDED, JobContext
from ..network import ModelCard, scan_fingerprint, scans_trained_on
from ..study import Case, Study
from .map_source import MapSource
from .study_froc import SystemCurve

TASK = "compare"


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """What two models do on the same cases.

    Attributes
    ----------
    cases, left_out : tuple of str
        Names of the cases that were compared on, and of those that one of them learned from.
    curves : tuple of SystemCurve
        Of the first and the second, each with the area, weight and gate of its own card.
    difference : FrocComparison or None
        First minus second, over cases; None for a single case.
    """

    cases: tuple[str, ...]
    left_out: tuple[str, ...]
    curves: tuple[SystemCurve, SystemCurve]
    difference: FrocComparison | None


def was_trained_on(card: ModelCard, series: SagittalSeries) -> bool:
    """Whether a model learned from a scan, as far as its card tells.

    Parameters
    ----------
    card : ModelCard
    series : SagittalSeries
    """
    return scan_fingerprint(series) in scans_trained_on(card.training)


def compare_models(
    study: Study, models: tuple[MapSource, MapSource], *, job: JobContext = UNATTENDED
) -> ModelComparison:
    """Compare two models on the contoured cases of a study that neither was trained on.

    Parameters
    ----------
    study : Study
        Maps that are made here are kept there.
    models : tuple of MapSource
        The first and the second.
    job : JobContext

    Raises
    ------
    SpinemetError
        If there are no such cases, or none with a lesion.
    """
    unseen: list[tuple[Case, Annotation]] = []
    left_out = []
    for case, series, annotation in study.contoured_cases():
        job.raise_if_cancelled()
        if any(was_trained_on(model.card, series) for model in models):
            left_out.append(case.name)
        else:
            unseen.append((case, annotation))
    if not any(annotation.lesions.any() for _, annotation in unseen):
        raise SpinemetError(
            "Every contoured case with a lesion was trained on by one of the two models; contour "
            "another case to compare them on."
        )

    def froc_cases(number: int) -> Iterator[FrocCase]:
        model = models[number]
        for k, (case, annotation) in enumerate(unseen, 1):
            likelihood = model.made_map_of(study, case, job=job)
            message = f"{model.card.name}: {case.name}"
            job.progress(TASK, number * len(unseen) + k, 2 * len(unseen), message)
            yield FrocCase(case.name, ((likelihood, annotation),))

    one, other = (
        SystemCurve(
            model.card.name,
            froc_curve(froc_cases(number), model.card.operating_point),
            model.card.operating_point,
        )
        for number, model in enumerate(models)
    )
    difference = compare_froc(one.curve, other.curve) if len(unseen) > 1 else None
    return ModelComparison(
        tuple(case.name for case, _ in unseen), tuple(left_out), (one, other), difference
    )
