"""Train on a study: cases read, split, trained, judged, and saved with a card."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import Cancelled, SpinemetError
from ...imaging import FrocCase
from ...jobs import UNATTENDED, Event, JobContext, Progressed
from ...network import (
    ModelCard,
    SiameseNet,
    load_card,
    load_model,
    save_model,
    scan_fingerprint,
    scans_trained_on,
)
from ...study import Study
from ...study.map_identity import is_reserved
from ...study.run_files import remove_training_state, training_state_files
from ...training import TrainingConfig, TrainingResult
from ...training.loop import train_network
from ...training.result import RunOptions
from ..operating_points.by_regions import OperatingPointChoice, choose_operating_point
from ..study_cases import read_contoured_cases
from .case_split import (
    changed_contours_notes,
    has_lesions,
    refuse_overlap,
    split_cases,
    training_notes,
)
from .training_card import training_facts, validation_metrics
from .validation_monitor import NamedCase, ValidationMonitor


def check_model_name(name: str) -> None:
    """Refuse what cannot name a model.

    Raises
    ------
    SpinemetError
        If it is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise SpinemetError(
            f"'{name}' cannot name a model; use letters, digits, points, dashes and underscores."
        )
    if is_reserved(name):
        raise SpinemetError(
            f"'{name}' is what the maps of a cross-validation are called; choose another name."
        )


@dataclass(frozen=True)
class StudyTraining:
    """What a model is trained from, and what becomes of it.

    Attributes
    ----------
    study : Path
        Whose contoured cases are learned from.
    name : str
        Of the model; ``STUDY/models/NAME.safetensors`` unless ``model_path`` is given.
    only_cases : tuple of str or None
        Names of the cases to train and validate on; None for all contoured ones.
    further_studies : tuple of Path
        Whose cases are trained on too.
    validation_study : Path or None
        Another study to validate on; without it a quarter of the cases with lesions.
    start : str or None
        A model, by name or file, whose weights training goes on from.
    weight_decays : tuple of float
        One network is trained with each, and the one with the lowest validation error kept (the
        paper's lambda is half of it). None for that of the settings alone.
    model_path : Path or None
    max_fp_per_scan : float
        What the operating point may cost on the validation cases.
    minutes : float or None
        How long all of it may take, reading and the choice of the operating point included,
        instead of the settings' number of epochs.
    resume : bool
        Go on with the run of that name that was cut short, if there is one.
    command : str
        How to make this model again, for the card.

    Raises
    ------
    SpinemetError
        If the name cannot name a model.
    """

    study: Path
    name: str = "trained"
    only_cases: tuple[str, ...] | None = None
    further_studies: tuple[Path, ...] = ()
    validation_study: Path | None = None
    start: str | None = None
    weight_decays: tuple[float, ...] = ()
    model_path: Path | None = None
    max_fp_per_scan: float = 1.0
    minutes: float | None = None
    resume: bool = False
    command: str = ""

    def __post_init__(self) -> None:
        check_model_name(self.name)

    def target(self, study: Study) -> Path:
        """The file of the weights."""
        path = self.model_path or study.models / f"{self.name}.safetensors"
        return path if path.suffix == ".safetensors" else Path(f"{path}.safetensors")


@dataclass(frozen=True, eq=False)
class _Cohort:
    """What is learned from, and what is kept back."""

    studies: tuple[Study, ...]
    own_cases: tuple[NamedCase, ...]
    """Those of the first study, as they were read."""
    contours_revision: int
    training: list[NamedCase]
    validation: list[NamedCase]
    start: SiameseNet | None
    start_training: Mapping[str, Any] | None
    cases_by_study: tuple[int, ...] = ()
    """How many cases of each study are learned from."""
    known_scans: frozenset[str] = field(default_factory=frozenset)
    """Fingerprints of the scans that the model to start from has learned from."""


def train_study(
    task: StudyTraining, config: TrainingConfig, *, job: JobContext = UNATTENDED
) -> tuple[Path, ModelCard]:
    """Train a model from the contoured cases of a study and keep it with its card.

    Parameters
    ----------
    task : StudyTraining
    config : TrainingConfig
    job : JobContext
        Polled at every case and batch.

    Returns
    -------
    path, card
        The former model of that name is replaced only by a finished one. A run that is cut
        short leaves its latest weights in a folder ``unfinished`` beside it, to start from, and
        its state, to go on from.

    Raises
    ------
    SpinemetError
        If there is nothing to learn from, a scan is both learned from and validated on, or as
        :func:`.train`.
    """
    start_time = time.perf_counter()
    cohort = _read_cohort(task, config, job)
    decays = task.weight_decays or (config.weight_decay,)
    if len(decays) > 1 and not has_lesions(cohort.validation):
        raise SpinemetError(
            "There is no case left to choose lambda on; contour a second case with lesions, or "
            "give one lambda."
        )
    target = task.target(cohort.studies[0])
    monitor = ValidationMonitor(cohort.validation, config, job)
    seconds = None
    if task.minutes is not None:
        reserve = monitor.reserve_seconds()
        reading_seconds = time.perf_counter() - start_time
        seconds = (60 * task.minutes - reserve - reading_seconds) / len(decays)
    grid = _train_grid(task, config, decays, cohort, target, monitor, seconds, job)
    config, result = min(grid, key=lambda trial: trial[1].score)
    if cohort.start is not None:
        # Fitted to the former weights, and nearer to the new ones than none.
        result.model.second_look = cohort.start.second_look
        result.model.familiarity = cohort.start.familiarity
    maps = monitor.maps(result.model)
    choice = None
    if has_lesions(cohort.validation):
        choice = _choose_point(maps, task.max_fp_per_scan, job)
    card = _make_card(task, config, result, cohort, choice, grid)
    card = save_model(result.model, target, card)
    remove_training_state(target)
    return target, card


def _read_cohort(task: StudyTraining, config: TrainingConfig, job: JobContext) -> _Cohort:
    studies = tuple(Study(path) for path in (task.study, *task.further_studies))
    revision = studies[0].contours_revision
    case_lists = [_read_cases(studies[0], job, task.only_cases)]
    case_lists += [_read_cases(study, job) for study in studies[1:]]
    cases = [case for case_list in case_lists for case in case_list]
    start = start_training = None
    if task.start is not None:
        # Read before the run writes its own unfinished weights, from which it may have started.
        start, start_training = load_model(task.start), load_card(task.start).training
    known_scans = scans_trained_on(start_training)
    if task.validation_study is not None:
        training, validation = cases, _read_cases(Study(task.validation_study), job)
        refuse_overlap(training, validation)
    else:
        training, validation = split_cases(cases, config.seed, known_scans)
    trained_ids = set(map(id, training))
    return _Cohort(
        studies,
        tuple(case_lists[0]),
        revision,
        training,
        validation,
        start,
        start_training,
        tuple(sum(id(case) in trained_ids for case in case_list) for case_list in case_lists),
        known_scans,
    )


def _read_cases(
    study: Study, job: JobContext, only_cases: Sequence[str] | None = None
) -> list[NamedCase]:
    return [
        (case.name, series, annotation)
        for case, series, annotation in read_contoured_cases(study, only_cases, job=job)
    ]


def _train_grid(
    task: StudyTraining,
    config: TrainingConfig,
    decays: Sequence[float],
    cohort: _Cohort,
    target: Path,
    monitor: ValidationMonitor,
    seconds: float | None,
    job: JobContext,
) -> list[tuple[TrainingConfig, TrainingResult]]:
    """One network for each weight decay, with the settings that it was trained by."""
    results = []
    for number, decay in enumerate(decays):
        settings = replace(config, weight_decay=decay)
        mark = f"{decay:g}" if len(decays) > 1 else ""
        checkpoint, state = training_state_files(target, mark)
        result = train_network(
            [(series, annotation) for _, series, annotation in cohort.training],
            settings,
            validation=[(series, annotation) for _, series, annotation in cohort.validation],
            options=RunOptions(
                cohort.start, seconds, checkpoint, state, task.resume, monitor.after_epoch
            ),
            job=_job_of_trial(job, number, decays),
        )
        results.append((result.config or settings, result))
    return results


def _job_of_trial(job: JobContext, number: int, decays: Sequence[float]) -> JobContext:
    """Count the steps of all networks of a grid together."""
    if len(decays) == 1:
        return job
    prefix = f"lambda {decays[number] / 2:g}, {number + 1} of {len(decays)}: "

    def report(event: Event) -> None:
        if isinstance(event, Progressed):
            event = replace(
                event,
                done=number * event.total + event.done,
                total=len(decays) * event.total,
                message=prefix + event.message,
            )
        job.report(event)

    return JobContext(report, job.cancel)


def _choose_point(
    maps: list[FrocCase], max_fp_per_scan: float, job: JobContext
) -> OperatingPointChoice | None:
    """None where no setting is good enough: an hour of training is not thrown away for that."""
    try:
        return choose_operating_point(maps, max_fp_per_scan=max_fp_per_scan, job=job)
    except Cancelled:
        raise
    except SpinemetError:
        return None


def _make_card(
    task: StudyTraining,
    config: TrainingConfig,
    result: TrainingResult,
    cohort: _Cohort,
    choice: OperatingPointChoice | None,
    grid: Sequence[tuple[TrainingConfig, TrainingResult]],
) -> ModelCard:
    """The card of the model that was trained."""
    study = cohort.studies[0]
    notes = training_notes(cohort.training, cohort.validation, cohort.known_scans)
    if study.contours_revision != cohort.contours_revision:
        notes += changed_contours_notes(study, cohort.own_cases)
    validation_origin = (
        study.origin if task.validation_study is None else Study(task.validation_study).origin
    )
    fingerprints = {scan_fingerprint(series) for _, series, _ in cohort.training}
    return ModelCard(
        name=task.name,
        # Where it cannot be chosen here, that of the shipped model is nearer than the paper's.
        operating_point=load_card().operating_point if choice is None else choice.point,
        second_look=result.model.second_look,
        familiarity=result.model.familiarity,
        training={
            **training_facts(result, config, cohort.training, task.command),
            "data": [s.origin for s in cohort.studies],
            "cases_by_study": list(cohort.cases_by_study),
            "started_from": cohort.start_training,
            "validation_data": validation_origin,
            "seen": {
                "training": sorted(cohort.known_scans | fingerprints),
                "validation": [scan_fingerprint(series) for _, series, _ in cohort.validation],
            },
            "notes": notes,
        },
        metrics={
            "validation": validation_metrics(choice, len(cohort.validation)),
            "history": result.history,
            "weight_decays": [
                {"weight_decay": settings.weight_decay, "validation_error": trial.error}
                for settings, trial in grid
            ],
        },
    )
