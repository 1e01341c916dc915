from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import SagittalSeries

from .builder import Truth, corners, make_truth

Refused = Callable[..., object]


@pytest.fixture(scope="session")
def truth() -> Truth:
    """A series of 9 slices of 32 x 24, oblique by 12 and 7 degrees."""
    return make_truth()


@pytest.fixture
def refused() -> Refused:
    """Expect one sentence that matches a pattern, and no other kind of error."""

    @contextmanager
    def expect(pattern: str = ".") -> Iterator[None]:
        with pytest.raises(SpinemetError, match=pattern) as caught:
            yield
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert not re.search(r"[a-z)]\. [A-Z]", sentence), sentence

    return expect


@contextmanager
def nothing_said(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No library may speak to the user: neither a warning nor a line on stderr."""
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    assert capfd.readouterr().err == ""


def assert_exact(series: SagittalSeries, truth: Truth) -> None:
    """Every voxel equal, every corner within 0.01 mm, and the axes in LFP order."""
    assert series.shape == truth.voxels.shape
    np.testing.assert_array_equal(series.voxels, truth.voxels.astype(np.float32))
    error = corners(series.shape, series.affine) - corners(series.shape, truth.affine)
    assert np.linalg.norm(error, axis=1).max() < 0.01


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """An empty folder for a scan."""
    folder = tmp_path / "scan"
    folder.mkdir()
    return folder
