"""Two models on the cases of a study that neither was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import SpinemetError
from ..evaluation import FrocComparison, compare_froc
from ..evaluation.froc import froc
from ..imaging import Annotation, FrocCase, SagittalSeries
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from ..network import ModelCard, SiameseNet, scan_fingerprint, scans_trained_on
from ..study import Case, Study
from .study_froc import SystemCurve, model_map

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


def trained_on(card: ModelCard, series: SagittalSeries) -> bool:
    """Whether a model learned from a scan, as far as its card tells."""
    return scan_fingerprint(series) in scans_trained_on(card.training)


def compare_models(
    study: Study,
    models: tuple[tuple[SiameseNet, ModelCard], tuple[SiameseNet, ModelCard]],
    *,
    device: str = "auto",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> ModelComparison:
    """Compare two models on the contoured cases of a study that neither was trained on.

    Raises
    ------
    SpinemetError
        If there are none, or none with a lesion.
    """
    used: list[tuple[Case, SagittalSeries, Annotation]] = []
    left_out = []
    for case, series, annotation in study.contoured_cases():
        if cancel is not None:
            cancel.raise_if_cancelled()
        if any(trained_on(card, series) for _, card in models):
            left_out.append(case.name)
        else:
            used.append((case, series, annotation))
    if not any(annotation.lesions.any() for _, _, annotation in used):
        raise SpinemetError(
            "Every contoured case with a lesion was trained on by one of the two models; contour "
            "another case to compare them on."
        )
    total = 2 * len(used)

    def cases(number: int) -> Iterator[FrocCase]:
        network, card = models[number]
        for k, (case, _, annotation) in enumerate(used, 1):
            made = model_map(study, case, network, card.identity, device=device, cancel=cancel)
            on_event(Progressed(TASK, number * len(used) + k, total, f"{card.name}: {case.name}"))
            yield FrocCase(case.name, ((made, annotation),))

    curves = []
    for number, (_, card) in enumerate(models):
        point = card.operating_point
        curve = froc(
            cases(number), min_area_cm2=point.min_area_cm2, weight=point.weight, gate=point.gate
        )
        curves.append(SystemCurve(card.name, curve, point))
    one, other = curves
    difference = compare_froc(one.curve, other.curve) if len(used) > 1 else None
    return ModelComparison(
        tuple(case.name for case, _, _ in used), tuple(left_out), (one, other), difference
    )
