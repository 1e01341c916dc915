"""The likelihood is seen slice by slice while it is being computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtWidgets import QApplication

from napari_spinemet.jobs import Progressed

NAME = "likelihood, so far"


def _watch(workspace: Any, on_step: Callable[[int], None]) -> None:
    """Call a function in the window's thread whenever a slice is done, with how many are."""

    def on_event(task: str, event: object) -> None:
        if isinstance(event, Progressed) and event.message.endswith(" slices"):
            on_step(event.done)

    workspace.session.jobs.computing.event_reported.connect(on_event)


def test_slices_are_seen_as_they_come(
    detection_workspace: Any, viewer: Any, wait_idle: Callable
) -> None:
    """After so many slices so many are in the picture, with what the map holds in the end.

    The former likelihood is out of sight meanwhile, and nothing is left of it all.
    """
    workspace, session = detection_workspace, detection_workspace.session
    former, names = session.layers.likelihood, [layer.name for layer in viewer.layers]
    steps: list[tuple[int, int, float]] = []
    pictures: list[np.ndarray] = []

    def on_step(done: int) -> None:
        layer = viewer.layers[NAME]
        seen = sum(bool(plane.any()) for plane in layer.data)
        steps.append((done, seen, former.opacity))
        pictures.append(layer.data.copy())
        assert viewer.layers.selection.active is session.layers.image

    _watch(workspace, on_step)
    workspace.detect.detect()
    wait_idle(workspace)
    slices = len(session.series.voxels)
    assert [done for done, _, _ in steps] == list(range(1, slices + 1))
    # A slice may be there before the word that it is done, since both come one after the other.
    assert all(seen >= done for done, seen, _ in steps)
    assert steps[0][1] < slices
    assert {opacity for _, _, opacity in steps} == {0}
    np.testing.assert_array_equal(pictures[-1], session.result.plain.values)
    assert [layer.name for layer in viewer.layers] == names
    assert session.layers.likelihood.visible
    assert session.layers.likelihood.opacity > 0


def test_a_cancelled_detection_leaves_what_was_seen_before(
    detection_workspace: Any, viewer: Any, wait_idle: Callable
) -> None:
    """The former likelihood is seen again, and the one that was begun is gone."""
    workspace, session = detection_workspace, detection_workspace.session
    former, former_result = session.layers.likelihood, session.result
    was_seen: list[bool] = []

    def on_step(done: int) -> None:
        was_seen.append(NAME in viewer.layers)
        session.jobs.computing.cancel()

    _watch(workspace, on_step)
    workspace.detect.detect()
    wait_idle(workspace)
    assert was_seen[0]
    assert NAME not in viewer.layers
    assert session.layers.likelihood is former
    assert former.visible
    assert former.opacity > 0
    assert session.result is former_result


def _plane(session: Any) -> np.ndarray:
    """Of a map, all of it likely."""
    return np.ones(session.result.likelihood.values.shape[1:], dtype=np.float32)


def test_a_scan_that_is_opened_meanwhile_shows_nothing_of_it(
    detection_workspace: Any, viewer: Any, wait_idle: Callable
) -> None:
    """What was drawn of the former scan goes, and slices that come late are not drawn."""
    workspace, session = detection_workspace, detection_workspace.session
    on_slice = workspace.detect._growing_likelihood.begin(session.series)
    plane = _plane(session)
    on_slice(0, plane)
    QApplication.processEvents()
    assert NAME in viewer.layers
    workspace.load.case_table.selectRow(1)
    workspace.load.open_case()
    wait_idle(workspace)
    assert NAME not in viewer.layers
    on_slice(1, plane)
    QApplication.processEvents()
    assert NAME not in viewer.layers


def test_who_removes_it_does_not_get_it_back(detection_workspace: Any, viewer: Any) -> None:
    """Until the next detection; what was there before is seen again at the end."""
    session = detection_workspace.session
    growing = detection_workspace.detect._growing_likelihood
    on_slice, former = growing.begin(session.series), session.layers.likelihood
    opacity = former.opacity
    on_slice(0, _plane(session))
    QApplication.processEvents()
    viewer.layers.remove(NAME)
    on_slice(1, _plane(session))
    QApplication.processEvents()
    assert NAME not in viewer.layers
    growing.end()
    assert former.opacity == opacity


def test_overlays_that_are_off_stay_off(detection_workspace: Any, viewer: Any) -> None:
    """H before a detection: nothing comes into sight by itself; H again: all of it does."""
    workspace, session = detection_workspace, detection_workspace.session
    visible_before = [layer for layer in workspace.overlays.overlays if layer.visible]
    assert session.layers.lesions in visible_before
    workspace.overlays.switch()
    growing = workspace.detect._growing_likelihood
    on_slice = growing.begin(session.series)
    on_slice(0, _plane(session))
    QApplication.processEvents()
    assert not viewer.layers[NAME].visible
    workspace.overlays.switch()
    assert viewer.layers[NAME].visible
    workspace.overlays.switch()
    growing.end()
    assert workspace.overlays.is_off
    workspace.overlays.switch()
    assert [layer for layer in workspace.overlays.overlays if layer.visible] == visible_before


def test_contours_come_back_with_a_result_that_came_while_all_was_off(
    detection_workspace: Any, wait_idle: Callable
) -> None:
    """A new result is shown; the key hides that too, and then brings all back."""
    workspace, session = detection_workspace, detection_workspace.session
    workspace.overlays.switch()
    session.set_result(session.result, "default")
    assert session.layers.likelihood.visible
    workspace.overlays.switch()
    assert workspace.overlays.is_off
    workspace.overlays.switch()
    assert session.layers.lesions.visible
    assert session.layers.likelihood.visible
