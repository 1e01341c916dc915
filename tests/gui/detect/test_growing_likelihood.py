"""The likelihood is seen slice by slice while it is being computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_spinemet.jobs import Progressed

NAME = "likelihood, so far"


def _watch(workspace: Any, on_step: Callable[[int], None]) -> None:
    """Call a function in the window's thread whenever a slice is done, with how many are."""

    def on_event(task: str, event: object) -> None:
        if isinstance(event, Progressed) and event.message.startswith("slice "):
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
    steps: list[tuple[int, int, bool]] = []
    pictures: list[np.ndarray] = []

    def on_step(done: int) -> None:
        layer = viewer.layers[NAME]
        seen = sum(bool(plane.any()) for plane in layer.data)
        steps.append((done, seen, former.visible))
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
    assert not any(is_visible for _, _, is_visible in steps)
    np.testing.assert_array_equal(pictures[-1], session.result.plain.values)
    assert [layer.name for layer in viewer.layers] == names
    assert session.layers.likelihood.visible


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
    assert session.result is former_result


def test_a_scan_that_is_opened_meanwhile_shows_nothing_of_it(
    workspace: Any, viewer: Any, wait_idle: Callable, study_copy: Any, quick_model: Any
) -> None:
    """Slices of the former scan that come late are not drawn into the next one."""
    workspace.load.open_study(study_copy)
    workspace.load.open_case()
    wait_idle(workspace)
    workspace.detect._select(str(quick_model))
    on_slice = workspace.detect._growing_likelihood.begin(workspace.session.series)
    plane = np.ones(workspace.session.series.shape[1:], dtype=np.float32)
    workspace.load.case_table.selectRow(1)
    workspace.load.open_case()
    wait_idle(workspace)
    on_slice(0, plane)
    assert NAME not in viewer.layers
