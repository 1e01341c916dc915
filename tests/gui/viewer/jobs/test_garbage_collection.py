"""Collections of garbage are short while the window is open, and whole once it is closed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from napari_spinemet.gui.viewer.jobs.garbage_collection import leave_out_of_collections


@pytest.fixture
def nothing_left_out() -> Iterator[None]:
    """As in the program, where nobody has left anything out before."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


@pytest.mark.usefixtures("nothing_left_out")
def test_until_the_window_closes(make_napari_viewer: Callable, qtbot: object) -> None:
    viewer = make_napari_viewer(show=True)
    leave_out_of_collections(viewer)
    left_out = gc.get_freeze_count()
    assert left_out > 100_000
    leave_out_of_collections(viewer)
    assert gc.get_freeze_count() <= left_out  # and not what came since
    viewer.close()
    qtbot.waitUntil(lambda: gc.get_freeze_count() == 0)


@pytest.mark.usefixtures("nothing_left_out")
def test_layers_can_always_be_freed(make_napari_viewer: Callable) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros((2, 8, 8)))
    leave_out_of_collections(viewer)
    assert gc.get_freeze_count() == 0
