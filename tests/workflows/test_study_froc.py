"""The curve of a study: drawn anew at other settings, from cached trees where they fit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation import FrocCurve, froc
from napari_spinemet.imaging import (
    Annotation,
    FrocCase,
    LikelihoodMap,
    OperatingPoint,
    SagittalSeries,
)
from napari_spinemet.study import Case, Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows import study_froc
from napari_spinemet.workflows.study_froc import redraw_curve

POINT = OperatingPoint(0.5, 0.2, 0.4)
MODEL = MapIdentity.of_model("synthetic")
RUN = MapIdentity.of_cross_validation("run")


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Study, list[FrocCase]]:
    """A study of three cases with stored maps; its scans are held in memory."""
    study, rng = Study(tmp_path), np.random.default_rng(3)
    cases = []
    for number in range(3):
        name = f"case-{number + 1:03d}"
        (tmp_path / name / "scan").mkdir(parents=True)
        (tmp_path / name / "contours").mkdir()
        (tmp_path / name / "contours" / "contours.dcm").write_text("drawn")
        values = ndimage.gaussian_filter(rng.random((3, 60, 50)), (0, 3, 3)).astype(np.float32)
        values = (values - values.min()) / np.ptp(values)
        made = LikelihoodMap(values, np.eye(4), (0, 50), (1.0, 1, 1), model=str(MODEL))
        lesions = np.zeros(values.shape, dtype=np.uint16)
        lesions[1, 20:30, 20:30] = 1
        cases.append(FrocCase(name, ((made, Annotation(lesions, np.zeros_like(lesions))),)))
        study.save_likelihood_map(Case(tmp_path / name), MODEL, made)

    def contoured(self: Study) -> Iterator[tuple[Case, SagittalSeries | None, Annotation]]:
        for case in self.cases():
            known = next(c for c in cases if c.case_id == case.name)
            yield case, None, known.sequences[0][1]

    monkeypatch.setattr(Study, "contoured_cases", contoured)
    return study, cases


def _same(one: FrocCurve, other: FrocCurve) -> None:
    for name in ("thresholds", "tp_rate", "fp_mean", "fp_sum"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_other_settings_give_the_curve_of_a_new_run(held: tuple[Study, list[FrocCase]]) -> None:
    """Area, weight, one after the other; only another weight makes other trees."""
    study, cases = held
    drawn = redraw_curve(study, MODEL, POINT)
    for point, stand in (
        (replace(POINT, min_area_cm2=0.05), True),
        (replace(POINT, min_area_cm2=1.0), True),
        (replace(POINT, weight=None), False),
        (replace(POINT, weight=0.8, min_area_cm2=0.5), False),
    ):
        assert drawn is not None
        former = drawn.forests
        drawn = redraw_curve(study, MODEL, point, forests=former)
        assert drawn is not None
        assert (drawn.forests is former) == stand
        _same(drawn.curve, froc(cases, min_area_cm2=point.min_area_cm2, weight=point.weight))


def test_trees_fall_with_the_contours_they_were_made_with(
    held: tuple[Study, list[FrocCase]],
) -> None:
    """A case that was saved since, or one that is new: the curve is of what is on disk."""
    study, _ = held
    drawn = redraw_curve(study, MODEL, POINT)
    assert drawn is not None
    path = study.path / "case-002" / "contours" / "contours.dcm"
    path.write_text("drawn better")
    again = redraw_curve(study, MODEL, POINT, forests=drawn.forests)
    assert again is not None
    assert again.forests is not drawn.forests
    os.utime(path, ns=(1, 1))
    third = redraw_curve(study, MODEL, POINT, forests=again.forests)
    assert third is not None
    assert third.forests is not again.forests


def test_a_lost_map_gives_no_curve_and_a_large_study_keeps_no_trees(
    held: tuple[Study, list[FrocCase]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a cohort would be another curve; trees of hundreds of cases would fill the memory."""
    study, cases = held
    monkeypatch.setattr(study_froc, "MAX_CACHED_CASES", 2)
    drawn = redraw_curve(study, MODEL, POINT)
    assert drawn is not None
    assert drawn.forests is None
    _same(drawn.curve, froc(cases, min_area_cm2=POINT.min_area_cm2, weight=POINT.weight))
    next((study.path / "likelihood").rglob("case-002.npz")).unlink()
    assert redraw_curve(study, MODEL, POINT) is None


def test_a_cross_validation_judges_the_cases_it_held(
    held: tuple[Study, list[FrocCase]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case that was contoured since is left out; without any map it says so."""
    study, cases = held
    for case in cases[:2]:
        study.save_likelihood_map(study.case(case.case_id), RUN, case.sequences[0][0])
    assert study.map_identities() == [RUN, MODEL]
    drawn = study_froc.cross_validation_curve(study, RUN, POINT)
    assert [c.case_id for c in drawn.curve.cases] == ["case-001", "case-002"]
    _same(drawn.curve, froc(cases[:2], min_area_cm2=POINT.min_area_cm2, weight=POINT.weight))
    # Standing trees serve for another area, as those of a model do.
    other = replace(POINT, min_area_cm2=0.5)
    again = redraw_curve(study, RUN, other, forests=drawn.forests)
    assert again is not None
    _same(again.curve, froc(cases[:2], min_area_cm2=0.5, weight=POINT.weight))
    with pytest.raises(SpinemetError, match="run it again"):
        study_froc.cross_validation_curve(study, MapIdentity.of_cross_validation("lost"), POINT)
