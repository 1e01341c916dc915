"""Two models, on the cases that neither has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, LikelihoodMap, OperatingPoint, SagittalSeries
from napari_spinemet.network import ModelCard, scan_fingerprint
from napari_spinemet.study import Case, Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.map_source import MapSource
from napari_spinemet.workflows.model_comparison import compare_models

POINT = OperatingPoint(0.5, 0.2, None)
SHAPE = (3, 60, 50)


def _likelihood(*places: tuple[int, int]) -> LikelihoodMap:
    """Bright squares of 1 cm² in the middle slice."""
    values = np.zeros(SHAPE, dtype=np.float32)
    for row, column in places:
        values[1, row : row + 10, column : column + 10] = 0.9
    return LikelihoodMap(values, np.eye(4), (0, 50), (1.0, 1.0, 1.0))


@pytest.fixture
def study(
    tmp_path: Path, make_series: Callable[..., SagittalSeries], monkeypatch: pytest.MonkeyPatch
) -> Study:
    """Four cases: 'good' finds every lesion, 'bad' half of them and one thing more in each."""
    contoured, study = [], Study(tmp_path)
    lesions = np.zeros(SHAPE, dtype=np.uint16)
    lesions[1, 5:15, 5:15] = 1
    for number in range(4):
        (tmp_path / f"case-{number + 1}" / "scan").mkdir(parents=True)
        case = Case(tmp_path / f"case-{number + 1}")
        series = make_series(shape=SHAPE, series_uid=f"1.{number}")
        contoured.append((case, series, Annotation(lesions, np.zeros_like(lesions))))
        study.save_likelihood_map(case, MapIdentity.of_model("good"), _likelihood((5, 5)))
        found = [(5, 5)] if number % 2 else []
        study.save_likelihood_map(case, MapIdentity.of_model("bad"), _likelihood(*found, (45, 35)))

    def contoured_cases(self: Study, only: Any = None) -> Iterator[Any]:
        return iter(contoured)

    monkeypatch.setattr(Study, "contoured_cases", contoured_cases)
    return study


def _mark(series_uid: str) -> str:
    affine = np.array([[3.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    return scan_fingerprint(SagittalSeries(np.ones((1, 4, 4)), affine, series_uid=series_uid))


def _card(name: str, *seen: int) -> ModelCard:
    marks = [_mark(f"1.{k}") for k in seen]
    return ModelCard(name=name, operating_point=POINT, training={"seen": {"training": marks}})


def _compare(study: Study, one: ModelCard, other: ModelCard) -> Any:
    network: Any = object()  # all maps are in the study
    one_source, other_source = (MapSource.of_loaded(network, card) for card in (one, other))
    return compare_models(study, (one_source, other_source))


def test_each_is_judged_at_its_own_point_on_unseen_cases(study: Study) -> None:
    """Neither model is judged on a case that one of them learned from."""
    made = _compare(study, _card("good", 0), _card("bad"))
    assert made.cases == ("case-2", "case-3", "case-4")
    assert made.left_out == ("case-1",)
    good, bad = (system.curve.at(POINT.threshold) for system in made.curves)
    assert good == pytest.approx((1.0, 0.0, 0.0))
    assert bad == pytest.approx((2 / 3, 1 / 3, 1.0))
    assert made.difference.n_cases == 3
    assert made.difference.difference > 0


def test_what_cannot_be_compared_is_said(study: Study) -> None:
    """All cases seen by one or the other; a single case gives figures without chance."""
    with pytest.raises(SpinemetError, match="contour another case"):
        _compare(study, _card("good", 0, 1), _card("bad", 2, 3))
    made = _compare(study, _card("good", 0, 1), _card("bad", 2))
    assert made.cases == ("case-4",)
    assert made.difference is None


def test_a_mark_does_not_tell_which_scan_it_is() -> None:
    """A card may leave the hospital: no identifier of a series is in it."""
    assert _mark("1.2.840.5") != _mark("1.2.840.6")
    assert "840" not in _mark("1.2.840.5")
