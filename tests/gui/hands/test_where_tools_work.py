"""Tools work only where the person looks, and on the scan that is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..mouse import click, stroke


@pytest.fixture
def drawing(workspace: Any, study_copy: Path, wait_idle: Callable) -> Any:
    """A case open, and nothing drawn."""
    workspace.load.open_study(study_copy)
    workspace.load.open_case()
    wait_idle(workspace)
    workspace.show_tab("Annotate")
    layers = workspace.session.layers
    for layer in (layers.lesions, layers.vertebrae):
        layer.data = np.zeros_like(layer.data)
    layers.go_to(2)
    workspace.annotate.lesion_button.setChecked(True)
    return workspace


@pytest.fixture
def warnings(drawing: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the person is told."""
    told: list[str] = []
    monkeypatch.setattr(drawing.session, "warn", told.append)
    return told


@pytest.mark.parametrize("view", ["3D", "rolled"])
def test_nothing_is_drawn_where_nobody_looks(
    view: str, drawing: Any, warnings: list[str], qtbot: Any
) -> None:
    """In three dimensions, and on slices of another plane; afterwards all works again."""
    session, annotate = drawing.session, drawing.annotate
    lesions, dims = session.layers.lesions, session.viewer.dims
    lesions.data[2, 60:80, 60:80] = 1
    former = lesions.data.copy()
    annotate.use("paint")
    if view == "3D":
        dims.ndisplay = 3
    else:
        dims.order = (1, 0, 2)
    assert lesions.mode == "pan_zoom"
    annotate.copy_slice(1)
    annotate.use("grow")
    annotate.click_at(2, 100, 60)
    annotate.use("mark")
    annotate.click_at(2, 100, 60)
    assert np.array_equal(lesions.data, former)
    assert not session.layers.vertebrae.data.any()
    assert session.layers.marks is None
    assert all("sagittal slices" in text for text in warnings)
    assert len(warnings) == 3
    dims.ndisplay, dims.order = 2, (0, 1, 2)
    annotate.lesion_button.setChecked(True)
    annotate.use("paint")
    assert lesions.mode == "paint"
    stroke(qtbot, session, [(120, 60), (124, 60)])
    assert not np.array_equal(lesions.data, former)


def test_a_slice_beside_the_scan_is_no_place_to_draw(
    drawing: Any, warnings: list[str], qtbot: Any
) -> None:
    """Another picture in the viewer may have more of them."""
    session, annotate = drawing.session, drawing.annotate
    spacing = session.series.spacing_mm
    count = session.series.shape[0] + 20
    session.viewer.add_image(np.zeros((count, 40, 40), np.float32), scale=spacing, name="other")
    annotate.use("paint")
    session.viewer.dims.set_point(0, (count - 2) * spacing[0])
    assert session.layers.lesions.mode == "pan_zoom"
    click(qtbot, session, 20, 20)
    annotate.use("grow")
    click(qtbot, session, 20, 20)
    annotate.click_at(count - 2, 20, 20)
    assert not session.layers.lesions.data.any()
    assert warnings
    assert all("beside the" in text for text in warnings)
    session.layers.go_to(2)
    annotate.use("paint")
    stroke(qtbot, session, [(60, 60), (64, 60)])
    assert session.layers.lesions.data[2].any()


def test_a_new_lesion_has_a_number_that_is_free(drawing: Any, warnings: list[str]) -> None:
    """Also where the largest there is was used, and none where all are."""
    layer = drawing.session.layers.lesions
    layer.data[0, 0, :3] = (1, 2, 65535)
    drawing.annotate.new_label()
    assert layer.selected_label == 3
    assert warnings == []
    labels = np.resize(np.arange(65536, dtype=np.uint16), layer.data.shape)
    if labels.size >= 65536:
        layer.data = labels
        drawing.annotate.new_label()
        assert "no numbers left" in warnings[0]
