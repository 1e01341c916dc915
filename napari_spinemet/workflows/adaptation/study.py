"""Adapt a model to the scans of a study, and keep it there with its card."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import Cancelled, SpinemetError
from ...jobs import UNATTENDED, JobContext
from ...network import ModelCard, load_card, load_model, save_model, scan_fingerprint
from ...network.card import weights_path
from ...study import Case, CaseState, Study
from ...study.run_files import (
    adaptation_request,
    adaptation_state_folder,
    remove_adaptation_state,
    save_adaptation_request,
)
from ..map_source import MapSource
from ..study_training import check_model_name
from .adapted_card import make_card, sentences_of
from .own_scan import OwnScan
from .plan import AdaptationPlan
from .result import Adaptation
from .reviewed_case import read_own_scan
from .run import adapt_network

JUDGED_STATES = ("reviewed", "signed")


@dataclass(frozen=True)
class StudyAdaptation:
    """What a model is adapted to, and what becomes of it.

    Attributes
    ----------
    study : Path
    model : str
        That it starts from: the name of a shipped one, or a file.
    name : str
        Of the adapted model; ``STUDY/models/NAME.safetensors`` unless ``model_path`` is given.
    only_cases : tuple of str or None
        Names of the cases to learn from; by default those of :func:`adaptable_cases`.
    model_path : Path or None
    plan : AdaptationPlan
    resume : bool
        Go on with the adaptation of that name that was cut short: with its model, cases, minutes
        and seed, whatever is said here.
    command : str
        How to make this model again, for the card.

    Raises
    ------
    SpinemetError
        If the name cannot name a model.
    """

    study: Path
    model: str = "default"
    name: str = "adapted"
    only_cases: tuple[str, ...] | None = None
    model_path: Path | None = None
    plan: AdaptationPlan = AdaptationPlan()  # noqa: RUF009 - it is frozen
    resume: bool = False
    command: str = ""

    def __post_init__(self) -> None:
        check_model_name(self.name)

    def target(self, study: Study) -> Path:
        """The file of the weights."""
        path = self.model_path or study.models / f"{self.name}.safetensors"
        return path if path.suffix == ".safetensors" else Path(f"{path}.safetensors")

    @property
    def request(self) -> dict[str, Any]:
        """What a resumed one must know, as plain values."""
        return {
            "model": self.model,
            "cases": None if self.only_cases is None else list(self.only_cases),
            "minutes": self.plan.minutes,
            "seed": self.plan.seed,
        }

    def as_requested(self, request: dict[str, Any]) -> StudyAdaptation:
        """The same, with what the one that was cut short was asked for.

        Parameters
        ----------
        request : dict
        """
        cases = request["cases"]
        return replace(
            self,
            model=request["model"],
            only_cases=None if cases is None else tuple(cases),
            plan=replace(self.plan, minutes=request["minutes"], seed=request["seed"]),
        )


@dataclass(frozen=True, eq=False)
class AdaptedModel:
    """What an adaptation to a study gives.

    Attributes
    ----------
    path : Path
        Of the weights.
    card : ModelCard
    adaptation : Adaptation
    sentences : tuple of str
        What a person should know of it, by the names of the cases; the card, which travels with the
        model, has them without.
    """

    path: Path
    card: ModelCard
    adaptation: Adaptation
    sentences: tuple[str, ...] = ()


def adaptable_cases(study: Study) -> list[Case]:
    """Cases whose findings have all been judged, and those that nobody has detected on.

    The latter are in the study because a person holds them to be free of lesions; findings that
    nobody has judged are no such word.

    Parameters
    ----------
    study : Study
    """
    return [case for case, state in study.states() if is_adaptable(state)]


def is_adaptable(state: CaseState) -> bool:
    """Whether a case is learned from without being named."""
    return state.findings in JUDGED_STATES or not state.findings


def adapt_study(task: StudyAdaptation, *, job: JobContext = UNATTENDED) -> AdaptedModel:
    """Adapt a model to the scans of a study, and keep it with its card.

    The former model of that name is replaced only by a finished one. An adaptation that is cut
    short leaves its state in a folder ``unfinished`` beside it.

    Parameters
    ----------
    task : StudyAdaptation
    job : JobContext
        Polled at every case, batch and slice.

    Raises
    ------
    SpinemetError
        If there is no scan to learn from, or as :func:`.adapt_network`.
    """
    start_time = time.perf_counter()
    study = Study(task.study)
    target = task.target(study)
    states = adaptation_state_folder(target)
    if task.resume:
        task = task.as_requested(adaptation_request(target))
    if weights_path(task.model).resolve() == target.resolve():
        raise SpinemetError(
            f"The model '{task.name}' is the one that is started from, and stays as it is; give "
            "the adapted one another name."
        )
    model, card = load_model(task.model), load_card(task.model)
    source = MapSource.of_loaded(model, card, task.plan.device)
    scans, left_out_sentences = _read_scans(study, task, source, job)
    save_adaptation_request(target, task.request)
    adaptation = adapt_network(
        scans,
        model,
        card.operating_point,
        task.plan,
        states=states,
        resume=task.resume,
        spent_s=time.perf_counter() - start_time,
        job=job,
    )
    new_card = make_card(task.name, task.command, task.plan, study.origin, scans, card, adaptation)
    new_card = save_model(adaptation.training.model, target, new_card)
    remove_adaptation_state(target)
    return AdaptedModel(
        target, new_card, adaptation, (*left_out_sentences, *sentences_of(adaptation))
    )


def confirm_normal(study: Study, case: Case, target: Path) -> int:
    """Record that what stands out in a case is normal, as a rejected finding; gives how many.

    Parameters
    ----------
    study : Study
    case : Case
        Of that study.
    target : Path
        Weights of the adapted model on whose card it is named.

    Raises
    ------
    SpinemetError
        If that model names nothing in this case, or nothing can be saved.
    """
    series = case.series()
    mark, card = scan_fingerprint(series), None
    if target.is_file():
        card = load_card(str(target))
    named_places = [] if card is None else card.metrics.get("stands_out", [])
    places = [each["centre_mm"] for each in named_places if each["scan"] == mark]
    if not places:
        raise SpinemetError(
            f"No adapted model {target.stem} names anything in {case.name}; adapt without "
            "--confirm, and look at what stands out first."
        )
    for position in places:
        reject_place(study, case, position)
    return len(places)


def reject_place(study: Study, case: Case, centre_mm: Sequence[float]) -> None:
    """Record that what was marked at a place is normal.

    Parameters
    ----------
    study : Study
    case : Case
        Of that study.
    centre_mm : sequence of float
        Patient LPS.

    Raises
    ------
    SpinemetError
        If nothing can be saved.
    """
    is_judged = any(
        own.name == case.name and s.findings in JUDGED_STATES for own, s in study.states()
    )
    case.judge(case.series(), centre_mm, "rejected", all_judged=is_judged, reason="other")


def _read_scans(
    study: Study, task: StudyAdaptation, source: MapSource, job: JobContext
) -> tuple[list[OwnScan], list[str]]:
    """The scans, and why others were left out: one that cannot be learned from is no loss to all.

    Cases that were named are asked for, and must do.
    """
    cases = (
        adaptable_cases(study)
        if task.only_cases is None
        else [study.case(name) for name in task.only_cases]
    )
    scans, left_out_sentences = [], []
    for number, case in enumerate(cases, 1):
        job.raise_if_cancelled()
        try:
            scans.append(read_own_scan(study, case, source, job=job))
        except Cancelled:
            raise
        except SpinemetError as error:
            if task.only_cases is not None:
                raise
            left_out_sentences.append(f"{case.name} was left out: {error}")
        job.progress("adapt", number, len(cases), f"finding the bodies of {case.name}")
    if not scans:
        sentence = (
            f"No scan in {study.path} can be learned from: import some that are free of lesions, "
            "or judge all findings of those that are there."
        )
        raise SpinemetError(" ".join([sentence, *left_out_sentences]))
    return scans, left_out_sentences
