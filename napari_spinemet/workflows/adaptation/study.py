"""Adapt a model to the scans of a study, and keep it there with its card."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SpinemetError
from ...jobs import UNATTENDED, JobContext
from ...network import ModelCard, load_card, load_model, save_model, scan_fingerprint
from ...network.card import scans_trained_on
from ...study import Case, CaseState, Study
from ...study.run_files import adaptation_state_folder, remove_adaptation_state
from ..map_source import MapSource
from ..study_training import check_model_name
from .judging import Score
from .own_scan import OwnScan
from .plan import AdaptationPlan
from .result import Adaptation, StandsOut
from .reviewed_case import read_own_scan
from .run import adapt_network


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
        Names of the cases to learn from; by default all that are held to be free of lesions or
        have been judged, see :func:`adaptable_cases`.
    confirmed : tuple of str
        Names of cases in which a person has looked at what stands out, and calls it normal.
    model_path : Path or None
    plan : AdaptationPlan
    resume : bool
        Go on with the adaptation of that name that was cut short.
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
    confirmed: tuple[str, ...] = ()
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


def adaptable_cases(study: Study) -> list[Case]:
    """Cases that are held to be free of lesions, or whose findings have all been judged.

    Parameters
    ----------
    study : Study
    """
    return [case for case, state in study.states() if is_adaptable(case, state)]


def is_adaptable(case: Case, state: CaseState) -> bool:
    """Whether nothing in a case is known to be a lesion and not contoured as one."""
    if state.findings in ("reviewed", "signed"):
        return True
    return not case.verdicts().places("accepted")


def adapt_study(
    task: StudyAdaptation, *, job: JobContext = UNATTENDED
) -> tuple[Path, ModelCard, Adaptation]:
    """Adapt a model to the scans of a study, and keep it with its card.

    Parameters
    ----------
    task : StudyAdaptation
    job : JobContext
        Polled at every case, batch and slice.

    Returns
    -------
    path, card, adaptation
        The former model of that name is replaced only by a finished one. An adaptation that is cut
        short leaves its state in a folder ``unfinished`` beside it.

    Raises
    ------
    SpinemetError
        If there is no scan to learn from, or as :func:`.adapt_network`.
    """
    study = Study(task.study)
    model, card = load_model(task.model), load_card(task.model)
    scans = _read_scans(study, task, MapSource.of_loaded(model, card), job)
    target = task.target(study)
    adaptation = adapt_network(
        scans,
        model,
        card.operating_point,
        task.plan,
        confirmed=task.confirmed,
        states=adaptation_state_folder(target),
        resume=task.resume,
        job=job,
    )
    new_card = save_model(
        adaptation.training.model, target, _make_card(task, study, scans, card, adaptation)
    )
    remove_adaptation_state(target)
    return target, new_card, adaptation


def _read_scans(
    study: Study, task: StudyAdaptation, source: MapSource, job: JobContext
) -> list[OwnScan]:
    cases = (
        adaptable_cases(study)
        if task.only_cases is None
        else [study.case(name) for name in task.only_cases]
    )
    if not cases:
        raise SpinemetError(
            f"No scan in {study.path} is held to be free of lesions or has been reviewed; import "
            "one, or review one first."
        )
    scans = []
    for number, case in enumerate(cases, 1):
        job.raise_if_cancelled()
        scans.append(read_own_scan(study, case, source, job=job))
        job.progress("adapt", number, len(cases), f"finding the bodies of {case.name}")
    return scans


def _make_card(
    task: StudyAdaptation,
    study: Study,
    scans: Sequence[OwnScan],
    start: ModelCard,
    adaptation: Adaptation,
) -> ModelCard:
    config = adaptation.training.config
    replay = {"replay": {**vars(task.plan.replay), "seed": task.plan.seed}}
    own = {scan_fingerprint(scan.series) for scan in scans}
    own |= {_phantom_mark(task.plan.seed, k) for k in range(task.plan.replay.total)}
    return ModelCard(
        name=task.name,
        operating_point=adaptation.point,
        familiarity=adaptation.training.model.familiarity,
        training={
            "date": datetime.date.today().isoformat(),
            "command": task.command,
            "config": {} if config is None else config.to_dict(),
            "cases": len(scans) + task.plan.replay.total,
            "cases_by_study": [len(scans), task.plan.replay.total],
            "data": [study.origin, {"phantom": replay}],
            "seconds": round(adaptation.training.seconds),
            "started_from": start.training,
            "seen": {"training": sorted(scans_trained_on(start.training) | own), "validation": []},
            "adapted_to": [scan.name for scan in scans],
            "rejected": _reasons(scans),
            "notes": notes_on(adaptation),
        },
        metrics={
            "validation": _validation(adaptation.scores[-1]),
            "adaptation": [each.to_dict() for each in adaptation.scores],
            "history": adaptation.training.history,
        },
    )


def _phantom_mark(seed: int, number: int) -> str:
    """What a card knows a phantom by that lies in no study: each counts as a scan, once."""
    return hashlib.sha256(f"replay {seed} {number}".encode()).hexdigest()[:16]


def _reasons(scans: Sequence[OwnScan]) -> dict[str, int]:
    """How many findings were rejected, by reason."""
    counts: dict[str, int] = {}
    for scan in scans:
        for reason in scan.rejected.values():
            counts[reason or "no reason"] = counts.get(reason or "no reason", 0) + 1
    return counts


def _validation(score: Score) -> dict[str, Any]:
    found = score.implants.hits + score.lesions.hits
    total = score.implants.of + score.lesions.of
    return {
        "measured_on": "own scans, copies of them with implants, and phantoms, by findings",
        "tp_rate": found / total if total else None,
        "fp_per_scan": score.own_false / max(score.own_scans, 1),
        "implants_found": [score.implants.hits, score.implants.of],
        "phantom_lesions_found": [score.lesions.hits, score.lesions.of],
        "false_findings_per_phantom": score.phantoms_false,
    }


def notes_on(adaptation: Adaptation) -> list[str]:
    """What a reader of the card should know, a sentence each.

    Parameters
    ----------
    adaptation : Adaptation
    """
    notes = [stands_out_sentence(each) for each in adaptation.stands_out]
    if not adaptation.is_held_out:
        notes.append(
            "There was one scan alone, so that it was judged by the network that had learned from "
            "it; what is measured on it is better than what can be expected."
        )
    if not adaptation.scores[-1].implants.of:
        notes.append(
            "No lesion could be put into these scans, so that what is found there was not measured."
        )
    return notes


def stands_out_sentence(each: StandsOut) -> str:
    """That something may be a lesion, and was not learned as normal."""
    return (
        f"{each.sentence} stands out from the other scans and was not learned as normal; look "
        "whether it is a lesion."
    )
