"""Which scan to contour next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import entropy

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import LikelihoodMap
from napari_spinemet.jobs import JobContext
from napari_spinemet.network import ModelCard
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows import map_source
from napari_spinemet.workflows.map_source import MapSource
from napari_spinemet.workflows.uncertainty import mean_entropy, rank_cases

MODEL = MapIdentity.of_model("synthetic")


def _source() -> MapSource:
    """A model that is never run."""
    network: Any = None
    return MapSource(MODEL, ModelCard("synthetic"), network, can_make_maps=True)


def a_map(values: np.ndarray, columns: tuple[int, int] | None = None) -> LikelihoodMap:
    columns = columns or (0, values.shape[2])
    return LikelihoodMap(
        values.astype(np.float32), np.eye(4), columns, (1.0, 1.0, 1.0), model=str(MODEL)
    )


def test_doubt_is_the_mean_entropy_of_what_was_evaluated() -> None:
    """SciPy's entropy in bits, over the evaluated columns; sure answers count nothing."""
    values = np.zeros((2, 6, 8))
    values[:, :, 2:6] = np.random.default_rng(0).random((2, 6, 4))
    inside = values[:, :, 2:6].astype(np.float32).astype(float)
    expected = entropy(np.stack([inside, 1 - inside]), base=2).mean()
    assert mean_entropy(a_map(values, (2, 6))) == pytest.approx(expected, abs=1e-9)
    assert mean_entropy(a_map(np.full((1, 2, 2), 0.5))) == pytest.approx(1)
    assert mean_entropy(a_map(np.array([[[0.0, 1.0]]]))) == pytest.approx(0, abs=1e-9)


def test_the_most_doubtful_scan_comes_first_and_a_bad_one_hides_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases with contours are not ranked, and one that cannot be read says why, at the end."""
    study = Study(tmp_path)
    for name in ("case-001", "case-002", "case-003", "case-004"):
        (tmp_path / name / "scan").mkdir(parents=True)
    (tmp_path / "case-004" / "contours").mkdir()
    (tmp_path / "case-004" / "contours" / "contours.dcm").write_text("drawn")
    for name, likelihood in (("case-001", 0.02), ("case-003", 0.3)):
        made = a_map(np.full((2, 4, 4), likelihood))
        study.save_likelihood_map(study.case(name), MODEL, made)

    def no_map(*_: Any, **__: Any) -> None:
        raise AssertionError("a map was made anew")

    monkeypatch.setattr(map_source, "map_series", no_map)
    events: list[Any] = []
    ranked = rank_cases(study, _source(), job=JobContext(events.append))
    assert [u.case for u in ranked] == ["case-003", "case-001", "case-002"]
    assert ranked[0].bits == pytest.approx(0.8813, abs=1e-3)
    assert ranked[2].bits is None
    assert ranked[2].reason
    assert [event.done for event in events] == [1, 2, 3]


def test_a_cancelled_ranking_is_not_taken_for_bad_scans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelling is an error of the kind a user can mend, and yet ends the whole."""
    from napari_spinemet.errors import Cancelled

    (tmp_path / "case-001" / "scan").mkdir(parents=True)

    def cancelled(*_: Any, **__: Any) -> None:
        raise Cancelled("stopped")

    monkeypatch.setattr(MapSource, "map_of", cancelled)
    assert issubclass(Cancelled, SpinemetError)
    with pytest.raises(Cancelled):
        rank_cases(Study(tmp_path), _source())
