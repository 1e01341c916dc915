"""The corridor along the spine: where it lies, what it holds, and that its values are the map's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_spinemet import load_model
from napari_spinemet.detection import detect, engines, likelihood_map
from napari_spinemet.detection.coarse_look import CoarseLook
from napari_spinemet.detection.corridor import (
    CORRIDOR_RULE,
    SpineCourse,
    _best_path,
    corridor_along,
    cover_with_bands,
    looks_at,
    trace_course,
)
from napari_spinemet.imaging import OperatingPoint, SagittalSeries, aggregate
from napari_spinemet.imaging.brightness.marrow_level import MarrowLevel
from napari_spinemet.imaging.brightness.normalisation import LocalZScore
from napari_spinemet.imaging.grids import resample_labels
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case

from .lively_network import lively_network

ROWS, COLUMNS = 4 + 8 * np.arange(40), 4 + 8 * np.arange(40)


def vertebra_along(middle: np.ndarray, slices: int = 3) -> np.ndarray:
    """Likelihoods of a spine 32 mm deep whose middle column in each row is given."""
    distance = np.abs(COLUMNS[None, :] - middle[:, None])
    plane = np.clip((22 - distance) / 12, 0, 1) * 0.95
    plane[::4] *= 0.3  # discs
    return np.repeat(plane[None], slices, axis=0).astype(np.float32)


def test_the_course_is_that_of_a_bent_spine() -> None:
    """Kyphosis and lordosis of 40 mm are followed within a point of the look in every row."""
    middle = 160 + 40 * np.sin(ROWS / 320 * 2 * np.pi)
    course = trace_course(vertebra_along(middle), ROWS, COLUMNS)
    assert course is not None
    differences = np.abs(course.at(ROWS) - middle)
    assert differences.max() < 8
    assert differences.mean() < 2
    assert course.seen_share > 0.7


def test_bright_patches_beside_the_spine_do_not_lead_it_astray() -> None:
    """Neither an organ in front that is as certain, nor a body that shows no vertebra at all."""
    middle = np.full(len(ROWS), 170.0)
    vertebra = vertebra_along(middle)
    vertebra[:, 10:14, 6:10] = 1.0
    vertebra[:, 20:24] *= 0.0
    vertebra[0] = np.random.default_rng(0).random(vertebra[0].shape)  # a slice that misses it
    course = trace_course(vertebra, ROWS, COLUMNS)
    assert course is not None
    assert np.abs(course.at(ROWS) - middle).max() < 8
    assert not course.is_seen[21:23].any()
    assert course.distance_to_seen([ROWS[22]])[0] >= 8


def test_the_path_is_the_best_of_all_paths() -> None:
    """By trying every one of them."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        support, bend = rng.random((5, 4)), rng.uniform(0, 0.4)

        def worth(path: tuple[int, ...], support=support, bend=bend) -> float:
            steps = np.diff(path)
            if np.abs(steps).max() > 2:
                return -np.inf
            return float(support[np.arange(5), path].sum() - bend * (steps**2).sum())

        best = max(itertools.product(range(4), repeat=5), key=worth)
        found = _best_path(support, bend)
        assert worth(tuple(found)) == pytest.approx(worth(best))


def test_bands_are_the_cheapest_of_all_cuts() -> None:
    """Against every way to cut 5 steps of rows; no row loses a column."""
    rng = np.random.default_rng(2)
    step, margins = 4, (6, 9)
    for _ in range(20):
        first = rng.integers(0, 20, 18)
        last = first + rng.integers(1, 20, 18)
        inner = range(step, 18, step)
        costs = []
        for k in range(len(inner) + 1):
            for cuts in itertools.combinations(inner, k):
                edges = [0, *cuts, 18]
                costs.append(
                    sum(
                        (b - a + margins[0]) * (last[a:b].max() - first[a:b].min() + margins[1])
                        for a, b in itertools.pairwise(edges)
                    )
                )
        wide_first, wide_last = cover_with_bands(first, last, margins, step)
        assert (wide_first <= first).all()
        assert (wide_last >= last).all()
        changes = np.flatnonzero(np.diff(wide_first) | np.diff(wide_last)) + 1
        edges = [0, *changes, 18]
        cost = sum(
            (b - a + margins[0]) * (wide_last[a] - wide_first[a] + margins[1])
            for a, b in itertools.pairwise(edges)
        )
        assert cost <= min(costs)  # bands of the same columns are one


def test_the_corridor_holds_what_the_rule_says() -> None:
    """35 mm in front of the course and 75 mm behind; more where nothing was seen; never empty."""
    course = SpineCourse(ROWS, np.linspace(100, 160, 40), np.arange(40) < 30)
    region = corridor_along(course, (324, 320))
    rows = np.arange(324)
    assert (region.first <= np.maximum(course.at(rows) - 35, 0)).all()
    assert (region.last > np.minimum(course.at(rows) + 75, 319)).all()
    assert region.last[-1] > course.at([323])[0] + 100
    aside = SpineCourse(ROWS, np.full(40, -300.0), np.ones(40, dtype=bool))
    assert corridor_along(aside, (324, 320)).pixels >= 324


@pytest.mark.parametrize("count", [1, 2, 3, 5, 13, 40])
def test_looks_take_no_slice_twice_and_none_that_is_not_there(count: int) -> None:
    """However few slices there are."""
    looks = looks_at(count)
    slices = np.concatenate(looks)
    assert len(set(slices)) == len(slices)
    assert slices.min() >= 0
    assert slices.max() < count
    assert len(looks[0]) == min(count, CORRIDOR_RULE.looks[0])


@pytest.fixture
def slanting_course(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a look at the small scan would find, had it a spine."""
    course = SpineCourse(np.array([4, 44]), np.array([-15.0, 40.0]), np.ones(2, dtype=bool))
    look = CoarseLook(course, MarrowLevel(np.linspace(60.0, 90.0, 6)))
    monkeypatch.setattr(engines, "take_coarse_look", lambda *_: look)
    rule = type(CORRIDOR_RULE)(front_mm=3.0, behind_mm=9.0, slack_mm=0.0, margins=(1, 1))
    monkeypatch.setattr(
        engines, "corridor_along", lambda course, shape: corridor_along(course, shape, rule)
    )


@pytest.mark.parametrize("reference", [None, "marrow"])
@pytest.mark.parametrize("engine", ["dense", "patch"])
def test_values_in_the_corridor_are_those_of_the_whole_map(
    series: SagittalSeries, slanting_course: None, engine: str, reference: str | None
) -> None:
    """To 1e-5, by both engines, and nothing outside; averaging slices changes none of that."""
    model = lively_network("dense", outputs=3)
    model.normalisation = LocalZScore(reference=reference)
    whole = likelihood_map(series, model, columns="all")
    along = likelihood_map(series, model, columns="spine", engine=engine)
    mask = along.region.mask
    assert len(along.region.bands()) > 2
    assert 0 < mask.mean() < 0.8
    for own, full in (
        (along.values, whole.values),
        (along.vertebra, whole.vertebra),
        (aggregate(along).values, aggregate(whole).values),
    ):
        assert own is not None
        assert full is not None
        np.testing.assert_allclose(own[:, mask], full[:, mask], atol=1e-5)
        assert not own[:, ~mask].any()


def test_a_coarse_map_keeps_to_the_corridor(series: SagittalSeries, slanting_course: None) -> None:
    """Every fourth pixel is the exact one, also where bands begin."""
    model = lively_network("dense", outputs=3)
    whole = likelihood_map(series, model, columns="all")
    along = likelihood_map(series, model, columns="spine", stride=4)
    for rows, columns in along.region.bands():
        picks = along.values[:, rows, columns][:, ::4, ::4]
        np.testing.assert_allclose(picks, whole.values[:, rows, columns][:, ::4, ::4], atol=1e-5)
    assert not along.values[:, ~along.region.mask].any()


def test_where_no_spine_is_found_everything_says_so(series: SagittalSeries) -> None:
    """The central half stands in, with a grave warning in the map, the result and its record."""
    point = OperatingPoint(threshold=0.5, min_area_cm2=1.0, weight=0.4, gate=True)
    result = detect(series, load_model("default"), point)
    assert [w.code for w in result.warnings].count("no-spine") == 1
    assert result.is_doubtful
    record = result.to_dict()
    assert "no spine was found" in record["evaluated"]["description"]
    assert result.plain.columns == (13, 37)


def test_a_network_that_knows_no_vertebrae_evaluates_the_centre(series: SagittalSeries) -> None:
    """Without a warning: nothing is wrong with the scan."""
    along = likelihood_map(series, lively_network("dense", outputs=2))
    assert along.columns == (13, 37)
    assert not along.warnings
    assert "does not tell vertebrae" in along.region.description


@pytest.mark.parametrize("seed", [(56, 2), (56, 6)])
def test_the_shipped_model_finds_the_spine_of_a_phantom(seed: tuple[int, int]) -> None:
    """Every body and every lesion lies within the corridor."""
    case = make_case(seed)
    along = likelihood_map(case.series, load_model("default"), stride=16)
    assert along.region.kind == "spine"
    assert not along.region.stands_in
    for labels in (case.annotation.vertebrae, case.annotation.lesions):
        on_grid = resample_labels(labels, case.series.spacing_mm[1:]) > 0
        assert not on_grid[:, ~along.region.mask].any()
