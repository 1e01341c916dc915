"""What another process of this program is asked to do: plain data in, plain data out.

Called by name through :func:`~napari_spinemet.jobs.process.run_in_process`; JSON knows no tuples,
paths or configurations, so they are made again here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..jobs import UNATTENDED, JobContext
from ..training import TrainingConfig
from .cross_validation.run import CrossValidationPlan
from .cross_validation.study import cross_validate_study
from .study_training import StudyTraining, train_study
from .worker_settings import WorkerSettings


def train_study_job(
    study: str,
    config: Mapping[str, Any],
    *,
    name: str,
    only_cases: Sequence[str] | None = None,
    start: str | None = None,
    weight_decays: Sequence[float] = (),
    minutes: float | None = None,
    resume: bool = False,
    command: str = "",
    job: JobContext = UNATTENDED,
) -> dict[str, str]:
    """Train a model on a study, see :func:`.train_study`.

    Parameters
    ----------
    study : str
        Its folder.
    config : mapping
        As :meth:`.TrainingConfig.to_dict` gives it.
    name, only_cases, start, weight_decays, minutes, resume, command
        See :class:`.StudyTraining`.
    job : JobContext

    Returns
    -------
    dict
        ``path`` of the model, and its ``card`` as JSON.
    """
    training = StudyTraining(
        study=Path(study),
        name=name,
        only_cases=None if only_cases is None else tuple(only_cases),
        start=start,
        weight_decays=tuple(weight_decays),
        minutes=minutes,
        resume=resume,
        command=command,
    )
    path, card = train_study(training, _config_from_dict(config), job=job)
    return {"path": str(path), "card": card.to_json()}


def cross_validate_study_job(
    study: str,
    config: Mapping[str, Any],
    *,
    name: str,
    folds: int,
    only_cases: Sequence[str] | None = None,
    weight_decays: Sequence[float] = (),
    scheduler: str | None = None,
    threads: int | None = None,
    job: JobContext = UNATTENDED,
) -> dict[str, Any]:
    """Cross-validate on a study, see :func:`.cross_validate_study`.

    Parameters
    ----------
    study : str
        Its folder.
    config : mapping
        As :meth:`.TrainingConfig.to_dict` gives it.
    name, only_cases
        See :func:`.cross_validate_study`.
    folds, weight_decays
        See :class:`.CrossValidationPlan`.
    scheduler, threads
        See :class:`.WorkerSettings`.
    job : JobContext

    Returns
    -------
    dict
        The report.
    """
    report, _ = cross_validate_study(
        study,
        _config_from_dict(config),
        CrossValidationPlan(folds=folds, weight_decays=tuple(weight_decays)),
        name=name,
        only_cases=only_cases,
        workers=WorkerSettings(scheduler, threads=threads),
        job=job,
    )
    return report


def _config_from_dict(values: Mapping[str, Any]) -> TrainingConfig:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return TrainingConfig(**fields)
