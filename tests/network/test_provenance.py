"""One sentence on what a model has learned from: it says what the card tells, and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_spinemet.network import (
    ModelCard,
    SiameseNet,
    load_card,
    load_model,
    model_names,
    provenance_sentence,
    save_model,
)
from napari_spinemet.network.provenance import scans_learned_from

NEVER = "it was never measured on patients."
NOT_ON_CARD = "its card does not tell whether it was measured on patients."
TELLS_OF_NONE = "its card tells of no measurement on patients."
PHANTOMS = {"phantom": {"cases": 20, "normals": 4, "seed": 1}}
WIDER = {"phantom": {"cases": 10, "normals": 2, "seed": 2}}


def _sentence(**training: Any) -> str:
    return provenance_sentence(ModelCard(training=training))


def _marks(first: int, last: int) -> dict[str, list[str]]:
    return {"training": [f"scan-{k}" for k in range(first, last)]}


def _cases_in_all_rounds(training: Any) -> tuple[int, int]:
    """Phantoms and copies of real scans, as a reader of the card would count them.

    A cohort that two rounds had counts once.
    """
    cases = {}
    while training:
        for origin, share in zip(training["data"], training["cases_by_study"], strict=True):
            cases[json.dumps(origin)] = ("implants" in origin, share)
        training = training.get("started_from")
    copies = sum(share for is_copy, share in cases.values() if is_copy)
    return sum(share for _, share in cases.values()) - copies, copies


@pytest.mark.parametrize("name", model_names())
def test_the_shipped_models_say_how_many_synthetic_scans_in_all_rounds(name: str) -> None:
    """More than the last round had, and nobody has measured them on patients."""
    card = load_card(name)
    synthetic, copies = _cases_in_all_rounds(card.training)
    assert synthetic > card.training["cases"]
    assert scans_learned_from(card.training) == synthetic + copies
    others = f" and {copies} copies of 2 real scans with synthetic lesions" if copies else ""
    sentence = f"The model has learned from {synthetic} synthetic scans{others}; {NEVER}"
    assert provenance_sentence(card) == load_model(name).learned_from == sentence


def test_a_shipped_model_is_known_by_its_weights_wherever_they_lie() -> None:
    """Under another name it was not measured either; other weights are another model."""
    card = load_card()
    assert provenance_sentence(replace(card, name="mine")).endswith(NEVER)
    for digest in ("", "0" * 64):
        assert NEVER not in provenance_sentence(replace(card, sha256=digest))


def test_phantoms_alone_are_called_synthetic() -> None:
    """Also where they were validated on; what the user did with the model since is not known."""
    phantoms = {"cases": 24, "data": [PHANTOMS]}
    learned = "The model has learned from 24 synthetic scans"
    assert _sentence(**phantoms, validation_data=WIDER) == f"{learned}; {TELLS_OF_NONE}"
    assert _sentence(**phantoms, validation_data={}) == f"{learned}; {NOT_ON_CARD}"
    assert _sentence(**phantoms) == f"{learned}; {NOT_ON_CARD}"


def test_a_users_own_scans_are_called_so_after_those_of_the_model_it_started_from() -> None:
    """Whether they are of patients is on no card."""
    start = {"cases": 24, "data": [PHANTOMS], "seen": _marks(0, 24)}
    marks = [*_marks(0, 24)["training"], "mine-1", "mine-2"]
    training = {"cases": 2, "data": [{}], "started_from": start, "seen": {"training": marks}}
    assert _sentence(**training, validation_data={}) == (
        "The model has learned from 24 synthetic scans and 2 scans of a user's study; "
        f"{NOT_ON_CARD}"
    )
    assert scans_learned_from(training) == 26


def test_a_scan_that_was_seen_in_two_rounds_counts_once() -> None:
    """By its fingerprint, which later rounds repeat; by its cohort where there are none."""
    first = {"cases": 10, "data": [{}], "seen": _marks(0, 10)}
    again = {"cases": 12, "data": [{}], "seen": _marks(0, 13), "started_from": first}
    assert scans_learned_from(again) == 13
    old = {"cases": 24, "data": [PHANTOMS]}
    assert scans_learned_from({**old, "started_from": old}) == 24
    assert scans_learned_from({"cases": 12, "data": [WIDER], "started_from": old}) == 36


def test_scans_of_several_kinds_are_told_apart_where_the_card_does() -> None:
    """Else they are one number, with its kinds."""
    mixed = {"cases": 30, "data": [PHANTOMS, {}], "seen": _marks(0, 30)}
    assert _sentence(**mixed, cases_by_study=[24, 6]).startswith(
        "The model has learned from 24 synthetic scans and 6 scans of a user's study;"
    )
    joint = "The model has learned from 30 scans (synthetic ones and ones of a user's study);"
    assert _sentence(**mixed).startswith(joint)
    # Some of them were counted before, and it is not known which.
    part = {"cases": 1, "data": [{}], "seen": _marks(0, 1)}
    assert "29 scans (synthetic ones and" in _sentence(
        **mixed, cases_by_study=[24, 6], started_from=part
    )
    # A cohort that an earlier round had adds no scans.
    phantoms = {"cases": 24, "data": [PHANTOMS], "seen": _marks(0, 24)}
    assert "24 synthetic scans and 6 scans of a user's study;" in _sentence(
        **mixed, cases_by_study=[24, 6], started_from=phantoms
    )
    # All cases of a study may be held back.
    assert "24 synthetic scans;" in _sentence(
        cases=24, data=[PHANTOMS, {}], seen=_marks(0, 24), cases_by_study=[24, 0]
    )


def test_synthetic_lesions_in_real_scans_are_neither_synthetic_nor_real() -> None:
    """They are copies of a real scan."""
    implants = {"data": [{"implants": {"cases": 20}}], "validation_data": PHANTOMS}
    assert _sentence(cases=20, **implants) == (
        "The model has learned from 20 copies of real scans with synthetic lesions; "
        f"{TELLS_OF_NONE}"
    )
    assert "1 copy of a real scan with a synthetic lesion;" in _sentence(cases=1, **implants)
    two = [{"implants": {"cases": 10, "scan": name}} for name in "ab"]
    assert "20 copies of 2 real scans with synthetic lesions;" in _sentence(cases=20, data=two)


def test_real_scans_are_named_where_the_card_names_them() -> None:
    """They are among the cases; the same one in two rounds is one scan."""
    training = {"cases": 26, "data": [PHANTOMS, {}], "validation_data": WIDER}
    named = ["a healthy lumbar STIR (CC0)", "a healthy\n thoracic T2"]
    expected = (
        "The model has learned from 24 synthetic scans and 2 real ones (a healthy lumbar STIR "
        "(CC0) and a healthy thoracic T2); "
    )
    assert _sentence(**training, real_scans=named) == f"{expected}{TELLS_OF_NONE}"
    first = {"cases": 1, "data": [{}], "real_scans": named[:1], "seen": _marks(0, 1)}
    second = {**training, "real_scans": named, "seen": _marks(0, 26), "started_from": first}
    assert _sentence(**second) == f"{expected}{TELLS_OF_NONE}"
    assert "1 real scan (a healthy lumbar STIR (CC0));" in _sentence(**first)
    many = {"cases": 5, "data": [{}], "real_scans": list("abcde")}
    assert "5 real scans (a, b, c and others);" in _sentence(**many)


def test_a_round_that_the_card_tells_nothing_of_is_mentioned() -> None:
    """No number is given for all of it then."""
    training = {"cases": 3, "data": [{}], "seen": _marks(0, 3), "started_from": {}}
    assert _sentence(**training) == (
        "The model has learned from 3 scans of a user's study and others of which its card tells "
        f"nothing; {NOT_ON_CARD}"
    )
    assert scans_learned_from(training) is None


@pytest.mark.parametrize(
    "training",
    [
        {},
        None,
        [],
        "much",
        {"finished": False, "config": {}},
        {"cases": "many", "data": 5, "seen": [1], "started_from": "there", "real_scans": "one"},
        {"cases": -1, "seen": {"training": 7}},
    ],
)
def test_a_card_that_does_not_tell_is_not_guessed_at(training: Any, tmp_path: Path) -> None:
    """Whatever stands there, the sentence says that it is not known, and the model loads."""
    card = ModelCard(training=training)
    sentence = f"It is not known from what the model has learned; {NOT_ON_CARD}"
    assert provenance_sentence(card) == sentence
    assert scans_learned_from(training) is None
    small = SiameseNet((1,), "dense", (1,), widths=(2,), patch_shape=(7, 7))
    assert small.learned_from == ""
    save_model(small, tmp_path / "m", card)
    assert load_model(tmp_path / "m.safetensors").learned_from == sentence


def test_scans_of_another_source_are_of_unknown_origin() -> None:
    """A study whose note on itself the program does not know."""
    assert _sentence(cases=3, data=[{"museum": 1}]).startswith(
        "The model has learned from 3 scans of unknown origin;"
    )


def test_the_sentence_needs_no_torch() -> None:
    """Lists of models appear at once."""
    code = (
        "import sys; from napari_spinemet.network.provenance import provenance_sentence\n"
        "from napari_spinemet.network.card import load_card\n"
        "provenance_sentence(load_card()); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
