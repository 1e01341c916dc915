"""What the model has learned from stands where it is chosen, and above what it has found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.network import (
    ModelCard,
    SiameseNet,
    load_card,
    provenance_sentence,
    save_model,
)
from napari_spinemet.network.provenance import NOTHING_KNOWN
from napari_spinemet.study import Study

from .conftest import take_picture


def _is_whole(widget: object) -> bool:
    """Whether all of a widget is where it can be seen, and all of its text in it."""
    region = widget.visibleRegion().boundingRect()
    has_room = widget.height() >= widget.heightForWidth(widget.width())
    return not region.isEmpty() and region.size() == widget.size() and has_room


@pytest.fixture
def own_model(tmp_path: Path) -> Path:
    """A model that a user has trained further, whose card names a real scan with a bracket."""
    model = SiameseNet((1,), "dense", (1, 1, 1), widths=(4, 4, 8), hidden=8)
    training = {
        "cases": 13,
        "date": "2026-11-29",
        "data": [{}],
        "real_scans": ["a healthy <b>lumbar</b> STIR (CC0)"],
        "validation_data": {},
        "started_from": load_card().training,
    }
    save_model(model, tmp_path / "own.safetensors", ModelCard(name="own", training=training))
    return tmp_path / "own.safetensors"


def test_the_chosen_model_says_what_it_has_learned_from(
    workspace: object,
    viewer: object,
    qtbot: object,
    own_model: Path,
    tmp_path: Path,
    picture_folder: Path,
) -> None:
    """Beside the choice, in a small window too; another model says something else."""
    viewer.window._qt_window.resize(1366, 768)
    detect = workspace.detect
    workspace.show_tab("Detect")
    card = load_card()
    assert detect.learned_from.text() == provenance_sentence(card)
    assert "; it was never measured on patients." in detect.learned_from.text()
    assert str(card.training["cases"]) not in detect.card.text()  # those of the last round
    detect._select(str(own_model))
    assert "12 scans of a user's study and 1 real one (a healthy <b>lumbar</b> STIR (CC0));" in (
        detect.learned_from.text()
    )
    qtbot.waitUntil(lambda: _is_whole(detect.learned_from), timeout=10_000)
    take_picture(viewer, picture_folder / "provenance-detect.png")
    fake = tmp_path / "fake.safetensors"
    fake.write_text("no model")
    detect._select(str(fake))
    assert detect.learned_from.text() == NOTHING_KNOWN


def test_findings_stand_below_what_their_model_has_learned_from(
    workspace: object,
    viewer: object,
    qtbot: object,
    wait_idle: Callable,
    study_copy: Path,
    own_model: Path,
    picture_folder: Path,
) -> None:
    """That of the result, whatever is chosen under Detect since; nothing without a result."""
    viewer.window._qt_window.resize(1366, 768)
    panel = workspace.review.findings_panel
    workspace.load.open_study(study_copy)
    workspace.load.open_case()
    wait_idle(workspace)
    assert not panel.learned_from.isVisibleTo(panel)
    workspace.detect._select(str(own_model))
    workspace.detect.detect()
    wait_idle(workspace)
    workspace.detect._select("default")
    workspace.show_tab("Review")
    wait_idle(workspace)
    assert panel.learned_from.text() == provenance_sentence(load_card(str(own_model)))
    for widget in (panel.learned_from, panel.table, *panel.verdict_buttons):
        qtbot.waitUntil(lambda widget=widget: _is_whole(widget), timeout=10_000)
    take_picture(viewer, picture_folder / "provenance-review.png")
    top = panel.learned_from.mapTo(panel, panel.learned_from.rect().bottomLeft())
    assert top.y() < panel.table.mapTo(panel, panel.table.rect().topLeft()).y()


def test_a_stored_map_that_does_not_say_it_is_shown_with_the_words_of_the_card(
    detection_workspace: object, wait_idle: Callable, study_copy: Path, quick_model: Path
) -> None:
    """Of the model that it is by; of one that is gone nothing is known."""
    workspace = detection_workspace
    panel, study = workspace.review.findings_panel, workspace.session.study
    sentence = provenance_sentence(load_card(str(quick_model)))
    assert panel.learned_from.text() == sentence
    (path,) = (study_copy / "likelihood").rglob("*.npz")
    with np.load(path) as arrays:
        np.savez_compressed(path, **{n: arrays[n] for n in arrays if n != "learned_from"})
    assert isinstance(study, Study)
    workspace.load.case_table.selectRow(0)
    workspace.load.open_case()
    wait_idle(workspace)
    assert workspace.session.result.plain.learned_from == NOTHING_KNOWN
    assert panel.learned_from.text() == NOTHING_KNOWN
    for suffix in (".safetensors", ".json"):
        study.models.mkdir(exist_ok=True)
        content = quick_model.with_suffix(suffix).read_bytes()
        (study.models / f"quick{suffix}").write_bytes(content)
    workspace.load.open_case()
    wait_idle(workspace)
    assert panel.learned_from.text() == sentence


def test_a_result_by_a_network_without_a_card_is_of_unknown_origin(
    detection_workspace: object,
) -> None:
    """As one that was made in Python and handed to the window."""
    session = detection_workspace.session
    plain = replace(session.result.plain, learned_from="")
    session.set_result(replace(session.result, plain=plain), "default")
    assert detection_workspace.review.findings_panel.learned_from.text() == NOTHING_KNOWN


def test_the_models_of_the_study_count_the_scans_of_all_rounds(workspace: object) -> None:
    """The number is the sum of those in the sentence."""
    models = workspace.train.models
    for (_, card), cells in zip(models.models, models.table.texts(), strict=True):
        sentence = re.sub(
            "copies of [0-9]+ real scans", "copies of real scans", provenance_sentence(card)
        )
        assert int(cells[2]) == sum(map(int, re.findall("[0-9]+", sentence)))
