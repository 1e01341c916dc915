"""What a second look does to likelihoods, and when it does nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import expit, logit

from napari_spinemet.detection.comparison.second_look import (
    MOST_UP,
    TOO_FEW,
    TOO_MANY,
    UNUSUAL,
    SecondLook,
    compare_candidates,
    look_again,
    measure_scan,
)
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation import froc
from napari_spinemet.imaging import Annotation, FrocCase, LikelihoodMap, OperatingPoint
from napari_spinemet.imaging.aggregation import NeighbourAverage
from napari_spinemet.imaging.comparison import NO_MODEL
from napari_spinemet.imaging.likelihood import apply_aggregation
from tests.detection.comparison.drawn_scan import draw_scan, look_of

POINT = OperatingPoint(0.5, 1.0, 0.6, gate=False, second_look=True)


BY_BRIGHTNESS = look_of(brighter_than_its_neighbours=12.0)


def test_the_peak_becomes_the_probability_of_a_lesion() -> None:
    """Marks that are as bright as their neighbours go, others stay; the rest is as it was."""
    scan = draw_scan(lesions={2: 1.0, 6: 1.6})
    plain = look_again(scan.series, scan.likelihood, BY_BRIGHTNESS)
    np.testing.assert_array_equal(plain.values, scan.likelihood.values)
    moved = plain.after_second_look()
    is_marked = [np.broadcast_to(scan.body == k, moved.values.shape) for k in (2, 6)]
    assert moved.values[is_marked[0]].max() == pytest.approx(expit(-3.0), abs=0.02)
    assert moved.values[is_marked[1]].max() == pytest.approx(expit(12 * np.log(1.6) - 3), abs=0.02)
    assert moved.comparison is None
    elsewhere = ~(is_marked[0] | is_marked[1])
    np.testing.assert_array_equal(moved.values[elsewhere], plain.values[elsewhere])
    for k, evidence in enumerate(plain.comparison.evidence, 1):  # type: ignore[union-attr]
        own = plain.comparison.labels == k  # type: ignore[union-attr]
        np.testing.assert_allclose(
            logit(moved.values[own]), logit(plain.values[own]) + evidence.shift, atol=1e-3
        )


@pytest.mark.parametrize("slices", [[0], [3], [5], [2, 3], [0, 1]])
@pytest.mark.parametrize("certain", [0.8, 0.999, 1.0])
def test_a_mark_in_few_slices_goes_too(slices: list[int], certain: float) -> None:
    """However sure the network is, and at the ends of the stack: it is the average that falls."""
    scan = draw_scan(lesions={4: 1.0}, likelihood=certain)
    elsewhere = [k for k in range(len(scan.likelihood.values)) if k not in slices]
    scan.likelihood.values[elsewhere] = 0.02
    plain = look_again(scan.series, scan.likelihood, BY_BRIGHTNESS)
    before, after = (
        apply_aggregation(m, NeighbourAverage(0.6)).values.max()
        for m in (plain, plain.after_second_look())
    )
    assert before > 0.45
    assert after == pytest.approx(expit(-3.0), abs=0.03)


def test_a_faint_mark_is_raised_by_so_much_and_no_more() -> None:
    """Or its outline would grow over all that is marked a little."""
    scan = draw_scan(lesions={6: 1.6}, likelihood=0.4)
    plain = look_again(scan.series, scan.likelihood, BY_BRIGHTNESS)
    expected = expit(logit(0.4) + MOST_UP)
    assert plain.after_second_look().values.max() == pytest.approx(expected, abs=0.01)


def test_what_goes_down_leaves_no_ring() -> None:
    """A body that is marked less towards its edge is silent at low thresholds too."""
    scan = draw_scan(lesions={4: 1.0})
    blurred = ndimage.gaussian_filter(scan.likelihood.values, (0, 3, 3))
    soft = replace(scan.likelihood, values=blurred)
    plain = look_again(scan.series, soft, BY_BRIGHTNESS)
    low = replace(POINT, threshold=0.1)
    assert evaluate(plain, replace(low, second_look=False)).findings
    assert evaluate(plain, low).findings == []


def test_what_lies_beside_no_body_is_not_raised() -> None:
    """A faint mark far behind the spine stays faint, however bright it is."""
    scan = draw_scan(lesions={4: 1.0})
    scan.likelihood.values[:, 100:125, 135:155] = 0.4
    is_mark = scan.likelihood.values == np.float32(0.4)
    bright = scan.with_voxels(lambda v: np.where(is_mark, 250, v))
    plain = look_again(bright.series, bright.likelihood, BY_BRIGHTNESS)
    moved = plain.after_second_look()
    assert moved.values[:, 100:125, 135:155].max() <= 0.4 + 1e-6


def test_with_and_without_it_at_one_operating_point() -> None:
    """One finding of two is left; switched off both are there; the network does not run again."""
    scan = draw_scan(lesions={2: 1.0, 6: 1.6})
    plain = look_again(scan.series, scan.likelihood, BY_BRIGHTNESS)
    with_look = evaluate(plain, POINT)
    without = with_look.at(replace(POINT, second_look=False))
    assert (len(with_look.findings), len(without.findings)) == (1, 2)
    assert len(without.at(POINT).findings) == 1
    (finding,) = with_look.findings
    report = with_look.to_dict()["findings"][0]
    assert finding.evidence is not None
    assert report["contrast_to_neighbours"] == finding.evidence.contrast == pytest.approx(1.6, 0.05)
    assert with_look.to_dict()["operating_point"]["second_look"] is True
    assert without.to_dict()["operating_point"]["second_look"] is False
    # Without it the contrasts are told all the same, and nothing has moved by them.
    told = [f["contrast_to_neighbours"] for f in without.to_dict()["findings"]]
    assert sorted(told) == pytest.approx([1.0, 1.6], abs=0.05)
    assert all(f["evidence"]["shift"] == 0 for f in without.to_dict()["findings"])
    untouched = evaluate(scan.likelihood, POINT)
    assert untouched.to_dict()["findings"][0]["contrast_to_neighbours"] is None
    assert len(untouched.findings) == 2


def test_a_curve_is_that_of_the_moved_likelihoods() -> None:
    """FROC with a second look against FROC of maps whose values were moved by hand."""
    scan = draw_scan(lesions={2: 1.0, 6: 1.6})
    plain = look_again(scan.series, scan.likelihood, BY_BRIGHTNESS)
    lesions = np.broadcast_to(scan.body == 6, plain.values.shape).astype(np.uint16)
    annotation = Annotation(lesions, 0 * lesions)

    def curve(likelihood: LikelihoodMap, **options: bool) -> tuple[list[float], list[float]]:
        case = FrocCase("one", ((likelihood, annotation),))
        result = froc([case], min_area_cm2=1.0, weight=0.6, **options)  # type: ignore[arg-type]
        return result.tp_rate.tolist(), result.fp_sum.tolist()

    by_hand = plain.after_second_look()
    assert curve(plain, second_look=True) == curve(by_hand)
    assert curve(plain) == curve(scan.likelihood)
    assert curve(plain) != curve(by_hand)


@pytest.mark.parametrize(
    ("bodies", "lesions", "bias", "reason"),
    [
        (2, {0: 1.6}, -9.0, TOO_FEW),
        (9, dict.fromkeys((0, 2, 3, 5, 7), 1.6), -9.0, TOO_MANY),
        (9, {4: 1.6}, 9.0, UNUSUAL),
    ],
)
def test_what_cannot_be_compared_is_not_silenced(
    bodies: int, lesions: dict[int, float], bias: float, reason: str
) -> None:
    """No likelihood moves, the findings are those of the plain map, and the result says why."""
    scan = draw_scan(bodies=bodies, lesions=lesions)
    look = look_of(bias, deviations_from_healthy_marrow=9.0) if len(lesions) > 1 else look_of(bias)
    plain = look_again(scan.series, scan.likelihood, look)
    # Where it can be compared this look takes every mark away.
    comparable = draw_scan(bodies=9, lesions={4: 1.6})
    gone = look_again(comparable.series, comparable.likelihood, look_of())
    assert evaluate(gone, POINT).findings == []
    assert plain.comparison is not None
    assert plain.comparison.reason == reason
    np.testing.assert_array_equal(plain.after_second_look().values, plain.values)
    result = evaluate(plain, POINT)
    assert len(result.findings) == len(evaluate(scan.likelihood, POINT).findings) > 0
    assert all(f.to_dict()["contrast_to_neighbours"] is None for f in result.findings)
    codes = [warning.code for warning in result.warnings]
    if bodies > 2:  # of so short a spine it is said already that none was recognised
        assert "neighbours-not-comparable" in codes
        assert result.is_doubtful
        (warning,) = [w for w in result.warnings if w.code == "neighbours-not-comparable"]
        assert reason in warning
    off = evaluate(plain, replace(POINT, second_look=False))
    # That most bodies are marked is told in any case; the rest is the second look's own.
    has_warning = "neighbours-not-comparable" in [w.code for w in off.warnings]
    assert has_warning == (reason == TOO_MANY)


def test_a_model_without_a_second_look_tells_what_it_marks_is_like() -> None:
    """Contrast and guessed level as with one; nothing moves, and asked for it, it says why."""
    scan = draw_scan(lesions={2: 1.0, 6: 1.6})
    plain = look_again(scan.series, scan.likelihood, None)
    assert plain.comparison is not None
    assert plain.comparison.reason == NO_MODEL
    np.testing.assert_array_equal(plain.after_second_look().values, plain.values)
    result = evaluate(plain, replace(POINT, second_look=False))
    with_model = look_again(scan.series, scan.likelihood, BY_BRIGHTNESS)
    assert with_model.comparison is not None
    assert [e.contrast for e in plain.comparison.evidence] == [
        e.contrast for e in with_model.comparison.evidence
    ]
    told = [f["contrast_to_neighbours"] for f in result.to_dict()["findings"]]
    assert sorted(told) == pytest.approx([1.0, 1.6], abs=0.05)
    assert "neighbours-not-comparable" not in [w.code for w in result.warnings]
    asked_for = evaluate(plain, POINT)
    (warning,) = [w for w in asked_for.warnings if w.code == "neighbours-not-comparable"]
    assert NO_MODEL in warning


@pytest.mark.parametrize(
    ("marked", "code"),
    [
        (5, "neighbours-not-comparable"),
        (4, "several-bodies-marked"),
        (3, "several-bodies-marked"),
        (2, None),
    ],
)
def test_it_is_told_how_many_of_the_bodies_are_marked(marked: int, code: str | None) -> None:
    """At the operating point, of nine bodies; at a higher threshold nothing is marked."""
    scan = draw_scan(bodies=9, lesions=dict.fromkeys(range(0, 2 * marked, 2), 1.6))
    plain = look_again(scan.series, scan.likelihood, None)
    result = evaluate(plain, replace(POINT, second_look=False))
    codes = {"neighbours-not-comparable", "several-bodies-marked"}
    assert codes & {w.code for w in result.warnings} == ({code} if code else set())
    if code == "several-bodies-marked":
        assert any(str(w).startswith(f"{marked} vertebral bodies") for w in result.warnings)
    none = result.at(replace(POINT, second_look=False, threshold=0.99))
    assert not codes & {w.code for w in none.warnings}


def test_many_findings_are_told() -> None:
    """More than eight, whatever they are."""
    scan = draw_scan(bodies=10, lesions=dict.fromkeys(range(10), 1.5))
    codes = [w.code for w in evaluate(scan.likelihood, POINT).warnings]
    assert "many-findings" in codes
    few = draw_scan(bodies=10, lesions={2: 1.5})
    assert "many-findings" not in [w.code for w in evaluate(few.likelihood, POINT).warnings]


def test_an_aggregated_map_is_not_compared() -> None:
    """Shifts are of plain likelihoods: the plain map has to be used."""
    scan = draw_scan(lesions={2: 1.0})
    plain = look_again(scan.series, scan.likelihood, BY_BRIGHTNESS)
    aggregated = apply_aggregation(plain, NeighbourAverage(0.6))
    with pytest.raises(SpinemetError, match="compare in the plain one"):
        aggregated.after_second_look()
    with pytest.raises(SpinemetError, match="shape of the likelihood map"):
        replace(plain, comparison=replace(plain.comparison, labels=np.zeros((1, 2, 3), np.uint16)))


def test_it_stands_in_a_card_and_is_checked() -> None:
    """Written and read it decides alike; of other features, or damaged, it is refused."""
    scan = measure_scan(*_pair())
    copy = SecondLook.of_card(BY_BRIGHTNESS.to_dict())
    one, same = (compare_candidates(scan, look) for look in (BY_BRIGHTNESS, copy))
    assert one.evidence == same.evidence
    values = BY_BRIGHTNESS.to_dict()
    for broken in (
        {**values, "features": ["size"]},
        {k: v for k, v in values.items() if k != "marrow"},
        {**values, "candidates": {"mean": 1}},
    ):
        with pytest.raises(SpinemetError, match="second look in the card"):
            SecondLook.of_card(broken)


def _pair():  # type: ignore[no-untyped-def]
    scan = draw_scan(lesions={2: 1.0, 6: 1.6})
    return scan.series, scan.likelihood
