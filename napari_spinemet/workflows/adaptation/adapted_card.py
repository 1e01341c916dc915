"""What the card of an adapted model says, and what the one who adapts is told."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from typing import Any

from ...counts import count_of
from ...network import ModelCard, scan_fingerprint
from ...network.card import scans_trained_on
from .judging import Score
from .own_scan import OwnScan
from .plan import AdaptationPlan
from .result import Adaptation, StandsOut


def make_card(
    name: str,
    command: str,
    plan: AdaptationPlan,
    origin: object,
    scans: Sequence[OwnScan],
    start: ModelCard,
    adaptation: Adaptation,
) -> ModelCard:
    """The card of an adapted model.

    Parameters
    ----------
    name : str
    command : str
        How to make it again.
    plan : AdaptationPlan
    origin : object
        Where the scans come from, as a card says it.
    scans : sequence of OwnScan
    start : ModelCard
        Of the model that it started from.
    adaptation : Adaptation
    """
    config = adaptation.training.config
    replay = {"replay": {**vars(plan.replay), "seed": plan.seed}}
    # No name of a case: a card travels, and folders of scans are named by whoever made them.
    marks = {scan.name: scan_fingerprint(scan.series) for scan in scans}
    own = {*marks.values()}
    own |= {_phantom_mark(plan.seed, k) for k in range(plan.replay.total)}
    return ModelCard(
        name=name,
        operating_point=adaptation.point,
        second_look=adaptation.training.model.second_look,
        familiarity=adaptation.training.model.familiarity,
        training={
            "date": datetime.date.today().isoformat(),
            "command": command,
            "config": {} if config is None else config.to_dict(),
            "cases": len(scans) + plan.replay.total,
            "cases_by_study": [len(scans), plan.replay.total],
            "data": [origin, {"phantom": replay}],
            "seconds": round(adaptation.training.seconds),
            "started_from": start.training,
            "seen": {"training": sorted(scans_trained_on(start.training) | own), "validation": []},
            "adapted_to": len(scans),
            "rejected": _reasons(scans),
            "notes": notes_on(adaptation),
        },
        metrics={
            "validation": _validation(adaptation.scores[-1]),
            "adaptation": [each.to_dict() for each in adaptation.scores],
            "stands_out": [
                {"scan": marks[each.scan], "centre_mm": list(each.finding.centre_mm)}
                for each in adaptation.stands_out
            ],
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
    found_count = score.implants.hits + score.lesions.hits
    total = score.implants.of + score.lesions.of
    return {
        "measured_on": "own scans, copies of them with implants, and phantoms, by findings",
        "tp_rate": found_count / total if total else None,
        "fp_per_scan": score.own_false / max(score.own_scans, 1),
        "implants_found": [score.implants.hits, score.implants.of],
        "phantom_lesions_found": [score.lesions.hits, score.lesions.of],
        "false_findings_per_phantom": score.phantoms_false,
    }


def notes_on(adaptation: Adaptation) -> list[str]:
    """What a reader of the card should know, a sentence each, without the name of a case.

    Parameters
    ----------
    adaptation : Adaptation
    """
    point_note = (
        "Its operating point was chosen on the scans that it is judged by, so that other scans may "
        "fare a little worse."
    )
    notes = [point_note]
    if adaptation.stands_out:
        count = count_of(adaptation.stands_out, "place")
        notes.append(f"{count} in its scans stood out, and nothing was learned there.")
    if adaptation.notes:
        notes.append("Some findings that a person judged could not be outlined and learned.")
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


def sentences_of(adaptation: Adaptation) -> list[str]:
    """The same for the one who adapts, with what stands out by its case.

    Parameters
    ----------
    adaptation : Adaptation
    """
    named_sentences = [
        stands_out_sentence(each, is_held_out=adaptation.is_held_out)
        for each in adaptation.stands_out
    ]
    general = [note for note in notes_on(adaptation) if "stood out" not in note]
    return [*named_sentences, *adaptation.notes, *general]


def stands_out_sentence(each: StandsOut, *, is_held_out: bool) -> str:
    """That something may be a lesion, and was not learned as normal.

    Parameters
    ----------
    each : StandsOut
    is_held_out : bool
        Whether a network judged that had learned from other scans; not so with one scan alone.
    """
    clause = "stands out from the other scans" if is_held_out else "was marked before"
    return (
        f"{each.scan}: what lies in {each.place} {clause}, and was not learned as normal; look "
        "whether it is a lesion."
    )
