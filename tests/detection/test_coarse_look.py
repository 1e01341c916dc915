"""A look at a scan finds the spine and the level of its marrow, whatever was guessed before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_spinemet.detection import coarse_look
from napari_spinemet.detection.coarse_look import take_coarse_look
from napari_spinemet.detection.corridor import CORRIDOR_RULE
from napari_spinemet.detection.map_settings import DEFAULT_MAP_SETTINGS
from napari_spinemet.detection.slice_images import SliceImages
from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.imaging.brightness.normalisation import LocalZScore
from napari_spinemet.jobs import UNATTENDED

from .lively_network import lively_network

MakeSeries = Callable[..., SagittalSeries]
ROWS, COLUMNS, MIDDLE = 256, 160, 90
CPU = torch.device("cpu")


@pytest.fixture
def scan(make_series: MakeSeries) -> SagittalSeries:
    """A column of marrow of brightness 100 at the head and 200 at the feet, beside brighter fat."""
    rng = np.random.default_rng(4)
    voxels = rng.normal(40, 5, (5, ROWS, COLUMNS))
    level = np.linspace(100, 200, ROWS)
    voxels[:, :, MIDDLE - 18 : MIDDLE + 19] = level[:, None] + rng.normal(0, 5, (5, ROWS, 37))
    voxels[:, :, 140:] = rng.normal(300, 30, (5, ROWS, COLUMNS - 140))
    return make_series(voxels)


@pytest.fixture
def seen_levels(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray | None]:
    """A network that knows the column, and fat as bone too; what it was shown is kept."""
    seen: list[np.ndarray | None] = []
    look_at = SliceImages.look_at

    def watch(images: SliceImages, index: int) -> object:
        seen.append(None if images.marrow is None else images.marrow.values)
        return look_at(images, index)

    def scores(_: object, rows: np.ndarray, columns: np.ndarray, job: object) -> np.ndarray:
        plane = np.zeros((3, len(rows), len(columns)), dtype=np.float32)
        bone = (np.abs(columns - MIDDLE) < 18) | (columns >= 144)
        plane[2][:, bone] = 0.9
        # A lesion, which says nothing of healthy marrow.
        plane[:, 4:7, bone] = np.array([0, 1, 0], dtype=np.float32)[:, None, None]
        return plane

    monkeypatch.setattr(SliceImages, "look_at", watch)
    monkeypatch.setattr(coarse_look, "slice_scorer", lambda *_: scores)
    return seen


def test_the_level_is_that_of_the_bone_along_the_spine(
    scan: SagittalSeries, seen_levels: list[np.ndarray | None]
) -> None:
    """Not of what looks like bone elsewhere; the last look is over what the first has found.

    And the first, over a guess, is of the middle slice alone.
    """
    model = lively_network("dense", outputs=3, resolutions=(2.0,))
    model.normalisation = LocalZScore(reference="marrow")
    look = take_coarse_look(SliceImages.first(scan, model, CPU), DEFAULT_MAP_SETTINGS, UNATTENDED)
    assert look.course is not None
    assert look.marrow is not None
    rows = np.arange(30, ROWS - 30)
    np.testing.assert_allclose(look.course.at(rows), MIDDLE, atol=4)
    np.testing.assert_allclose(look.marrow.at(rows), 100 + 100 * rows / (ROWS - 1), rtol=0.05)
    first, last = seen_levels[0], seen_levels[-1]
    assert first is not None
    assert last is not None
    assert not np.allclose(first, last)
    over_the_guess = sum(np.array_equal(level, first) for level in seen_levels if level is not None)
    assert (over_the_guess, len(seen_levels)) == (1, 4)
    np.testing.assert_allclose(last, look.marrow.values, rtol=0.02)


def test_where_the_middle_slice_shows_too_little_more_are_looked_at(
    scan: SagittalSeries, seen_levels: list[np.ndarray | None]
) -> None:
    """Over the guess as over the level that it gives: all five slices, each once."""
    model = lively_network("dense", outputs=3, resolutions=(2.0,))
    model.normalisation = LocalZScore(reference="marrow")
    never_enough = replace(CORRIDOR_RULE, seen_share=1.1)
    images = SliceImages.first(scan, model, CPU)
    look = take_coarse_look(images, DEFAULT_MAP_SETTINGS, UNATTENDED, never_enough)
    assert look.marrow is not None
    assert len({None if level is None else level.tobytes() for level in seen_levels}) == 2
    assert len(seen_levels) == 10


def test_a_network_that_compares_with_nothing_has_no_level(
    scan: SagittalSeries, seen_levels: list[np.ndarray | None]
) -> None:
    """And looks once."""
    model = lively_network("dense", outputs=3, resolutions=(2.0,))
    look = take_coarse_look(SliceImages.first(scan, model, CPU), DEFAULT_MAP_SETTINGS, UNATTENDED)
    assert look.marrow is None
    assert seen_levels == [None] * 3
