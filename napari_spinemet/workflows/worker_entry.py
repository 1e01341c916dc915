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
from .adaptation import AdaptationPlan, StudyAdaptation, adapt_study
from .adaptation.adapted_card import stands_out_sentence
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


def adapt_study_job(
    study: str,
    *,
    name: str,
    model: str,
    only_cases: Sequence[str] | None = None,
    minutes: float | None = None,
    device: str = "auto",
    resume: bool = False,
    command: str = "",
    job: JobContext = UNATTENDED,
) -> dict[str, Any]:
    """Adapt a model to the scans of a study, see :func:`.adapt_study`.

    Parameters
    ----------
    study : str
        Its folder.
    name, model, only_cases, resume, command
        See :class:`.StudyAdaptation`.
    minutes, device
        See :class:`.AdaptationPlan`.
    job : JobContext

    Returns
    -------
    dict
        ``path`` of the model, its ``card`` as JSON, ``sentences`` that a person should know, and in
        ``stands_out`` for each finding that was not learned as normal its ``case``, its ``place``
        in words, its ``centre_mm`` and a ``sentence``.
    """
    adaptation_task = StudyAdaptation(
        Path(study),
        model,
        name,
        only_cases=None if only_cases is None else tuple(only_cases),
        plan=AdaptationPlan(minutes=minutes, device=device),
        resume=resume,
        command=command,
    )
    adapted_model = adapt_study(adaptation_task, job=job)
    is_held_out = adapted_model.adaptation.is_held_out
    return {
        "path": str(adapted_model.path),
        "card": adapted_model.card.to_json(),
        "sentences": list(adapted_model.sentences),
        "stands_out": [
            {
                "case": each.scan,
                "place": each.place,
                "centre_mm": list(each.finding.centre_mm),
                "sentence": stands_out_sentence(each, is_held_out=is_held_out),
            }
            for each in adapted_model.adaptation.stands_out
        ],
    }


def _config_from_dict(values: Mapping[str, Any]) -> TrainingConfig:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return TrainingConfig(**fields)
