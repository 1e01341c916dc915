"""Each question is asked of two trainings, and how far these lie apart stands beside it."""

from __future__ import annotations

from itertools import product

import pytest

from napari_spinemet.evaluation import FrocCurve
from napari_spinemet.evaluation.froc import froc_from_detections
from napari_spinemet.experiments.reproduction import questions
from napari_spinemet.experiments.reproduction.questions import answer_questions
from napari_spinemet.experiments.reproduction.rows import Question, Row
from napari_spinemet.experiments.reproduction.tables import SPREAD_WORDS, markdown
from napari_spinemet.experiments.reproduction.writing import question_facts, question_line
from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.jobs import UNATTENDED

CASES = 6
FOUND_OF = {
    "three": 5,
    "three plain": 4,
    "three no gate": 2,
    "one": 3,
    "one plain": 4,
    "one with gate": 5,
    "three-again": 4,
    "three-again plain": 4,
    "three-again with gate": 6,
    "one-again": 5,
    "one-again plain": 3,
    "one-again no gate": 2,
}
"""Rows, and in how many of six cases each finds the region; the gate is as each has chosen it."""
DIFFERENCES = {
    ("Do three resolutions beat one?", "first"): 2,
    ("Do three resolutions beat one?", "second"): -1,
    ("Does aggregation help three resolutions?", "first"): 1,
    ("Does aggregation help three resolutions?", "second"): 0,
    ("Does aggregation help one resolution?", "first"): -1,
    ("Does aggregation help one resolution?", "second"): 2,
    ("Does the gate help three resolutions?", "first"): 3,
    ("Does the gate help three resolutions?", "second"): 2,
    ("Does the gate help one resolution?", "first"): 2,
    ("Does the gate help one resolution?", "second"): 3,
    ("How far apart are two trainings of three resolutions?", "both"): 1,
    ("How far apart are two trainings of one resolution?", "both"): -2,
}
"""By how many cases the first row finds more than the other."""
FACTS = {
    "budget": {"name": "none", "left out": "all"},
    "at_the_folds_own_points": {},
}


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "N_RESAMPLES", 500)


def _curve(found: int) -> FrocCurve:
    """Without a false positive, so that the area is the share of the cases."""
    region, finds = [(50.0, 50.0)], [(50.0, 52.0, 0.9)]
    return froc_from_detections([[(region, finds if k < found else [])] for k in range(CASES)])


def _rows(keys: set[str]) -> list[Row]:
    return [
        Row(key, f"title of {key}", settings, OperatingPoint(), _curve(FOUND_OF[key]))
        for settings, key in product(("paper", "validated"), FOUND_OF)
        if key in keys
    ]


def _answers(keys: set[str]) -> list[Question]:
    return answer_questions(_rows(keys), UNATTENDED)


def test_both_trainings_are_asked_and_compared() -> None:
    """Differences and p by counting cases: of d cases all must be exchanged, or none."""
    answers = {(q.text, q.training, q.settings): q for q in _answers(set(FOUND_OF))}
    assert set(answers) == {
        (*asked, settings) for asked in DIFFERENCES for settings in ("paper", "validated")
    }
    for (text, training, _), answer in answers.items():
        cases = DIFFERENCES[text, training]
        assert answer.area.n_cases == CASES
        assert answer.area.difference == pytest.approx(cases / CASES)
        assert answer.area.p_sign_flip_two_sided == min(1.0, 2 / 2 ** abs(cases))
        assert answer.a.startswith("title of three") == ("one resolution" not in text)
        assert ("again" in answer.a) == (training == "second")
        assert ("again" in answer.b) == (training != "first")
        facts = question_facts(answer)
        assert (facts["question"], facts["training"]) == (text, training)
        assert question_line(answer)["training"] == training


def test_the_table_has_both_trainings_in_one_line() -> None:
    """Difference, interval and p of each, beside each other; the spread in a line of its own."""
    keys = set(FOUND_OF)
    answers = _answers(keys)
    lines = markdown(_rows(keys), answers, FACTS).splitlines()
    area_of = {(q.text, q.training, q.settings): q.area for q in answers}

    def cell(text: str, training: str) -> str:
        area = area_of[text, training, "paper"]
        low, high = area.interval
        ps = f"{area.p_two_sided:.4f}", f"{area.p_sign_flip_two_sided:.4f}"
        bootstrap, flips = ("< 0.0001" if p == "0.0000" else p for p in ps)
        difference = DIFFERENCES[text, training] / CASES
        return f"{difference:+.3f} ({low:+.3f} to {high:+.3f}), p {bootstrap}, {flips}"

    for text, training in DIFFERENCES:
        if training == "first":
            cells = cell(text, "first"), cell(text, "second")
        elif training == "both":
            area = area_of[text, training, "paper"]
            cells = f"{area.area_a:.3f}, {area.area_b:.3f}", cell(text, "both")
        else:
            continue
        assert lines.count(f"| {text} | paper | {CASES} | {cells[0]} | {cells[1]} |") == 1
    assert SPREAD_WORDS in lines


def test_one_training_alone_has_no_second_column() -> None:
    """What was not trained again is compared all the same."""
    keys = {key for key in FOUND_OF if "again" not in key}
    answers = _answers(keys)
    assert {(q.text, q.training) for q in answers} == {
        asked for asked in DIFFERENCES if asked[1] == "first"
    }
    text = markdown(_rows(keys), answers, FACTS)
    assert "second training" not in text
    assert SPREAD_WORDS not in text
    assert text.count("| Do three resolutions beat one? | first | paper |") == 1
