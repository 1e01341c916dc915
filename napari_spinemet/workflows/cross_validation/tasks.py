"""The tasks of a cross-validation: whatever machine they run on, they know only their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...detection.engines import map_series
from ...detection.map_settings import MapSettings
from ...errors import Cancelled, SpinemetError
from ...imaging import Annotation, FrocCase, LikelihoodMap, OperatingPoint, SagittalSeries
from ...jobs import JobContext
from ...network import SiameseNet
from ...network.provenance import OUT_OF_FOLD
from ...network.threads import torch_threads
from ...training import TrainingConfig, TrainingResult
from ...training.loop import train_network
from ..operating_points.by_regions import choose_operating_point
from .folds import Fold

Cases = Sequence[tuple[SagittalSeries, Annotation]]


def train_fold(
    cases: Cases, fold: Fold, config: TrainingConfig, threads: int | None, *, job: JobContext
) -> TrainingResult:
    """One network.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
        All of the cross-validation.
    fold : Fold
    config : TrainingConfig
    threads : int or None
    job : JobContext
    """
    with torch_threads(threads):
        return train_network(
            [cases[k] for k in fold.training],
            config,
            validation=[cases[k] for k in fold.validation],
            job=job,
        )


def choose_fold_point(
    cases: Cases,
    fold: Fold,
    model: SiameseNet,
    device: str,
    threads: int | None,
    default_point: OperatingPoint | None,
    *,
    job: JobContext,
) -> OperatingPoint | None:
    """The operating point that a fold's network does best at on its validation cases.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
        All of the cross-validation.
    fold : Fold
    model : SiameseNet
        The fold's network.
    device : str
    threads : int or None
    default_point : OperatingPoint or None
        See :func:`.choose_operating_point`.
    job : JobContext

    Returns
    -------
    OperatingPoint or None
        None where no validation case has a lesion, or no setting has few enough false positives.
    """
    if not any(cases[k][1].lesions.any() for k in fold.validation):
        return None
    with torch_threads(threads):
        validation_cases = []
        for k in fold.validation:
            series, annotation = cases[k]
            settings = MapSettings(device=device)
            likelihood = map_series(series, model, settings, job=job.without_events())
            validation_cases.append(FrocCase(f"case-{k + 1:03d}", ((likelihood, annotation),)))
        try:
            return choose_operating_point(
                validation_cases, default_point=default_point, job=job.without_events()
            ).point
        except Cancelled:
            raise
        except SpinemetError:  # no setting has few enough false positives
            return None


def map_test_case(
    cases: Cases,
    number: int,
    model: SiameseNet,
    settings: MapSettings,
    identity: str,
    threads: int | None,
    *,
    job: JobContext,
) -> LikelihoodMap:
    """The plain map of a case by the network of the fold that left it out.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
        All of the cross-validation.
    number : int
        Of the case, from 0.
    model : SiameseNet
        The network of its fold.
    settings : MapSettings
    identity : str
        What the map names as its model.
    threads : int or None
    job : JobContext
    """
    with torch_threads(threads):
        likelihood = map_series(cases[number][0], model, settings, job=job.without_events())
    return replace(likelihood, model=identity, learned_from=OUT_OF_FOLD)
