"""Which locations are drawn, and how many of each kind, against plain counting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.training import TrainingConfig
from napari_spinemet.training.sampling import (
    LESION,
    NORMAL,
    VERTEBRA,
    SamplingRule,
    draw_locations,
    draw_samples,
    slice_classes,
)

SPACING = (3.0, 1.0, 1.0)
SHAPE = (5, 60, 80)
CENTRAL = range(20, 60)


def _annotation(body: slice = slice(10, 40)) -> Annotation:
    """Lesions of 120 pixels in slice 1 and 60 in slice 3, a vertebra in every slice."""
    lesions, vertebrae = np.zeros(SHAPE), np.zeros(SHAPE)
    lesions[1, 12:22, 30:42] = 1
    lesions[3, 12:22, 30:36] = 2
    vertebrae[:, body, 28:45] = 1
    return Annotation(lesions, vertebrae)


def _draw(annotation: Annotation, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    samples = draw_locations(annotation, SPACING, np.random.default_rng(seed))
    return samples.locations, samples.labels


def test_counts_of_each_slice_are_the_papers() -> None:
    """Every lesion pixel, as many normal ones, 70 % of them in vertebrae."""
    locations, labels = _draw(_annotation())
    for index, lesion in ((1, 120), (3, 60)):
        of_slice = labels[locations[:, 1] == index]
        counts = [int((of_slice == kind).sum()) for kind in (LESION, VERTEBRA, NORMAL)]
        assert counts == [lesion, 0.7 * lesion, 0.3 * lesion]
    assert set(locations[:, 1]) == {1, 3}


def test_every_lesion_pixel_is_drawn_once() -> None:
    """The set of lesion locations is the lesion mask."""
    annotation = _annotation()
    locations, labels = _draw(annotation)
    mask = np.zeros(SHAPE, dtype=int)
    np.add.at(mask, tuple(locations[labels == LESION, 1:].T), 1)
    np.testing.assert_array_equal(mask, annotation.lesions > 0)


def test_normal_pixels_lie_where_they_should_and_never_repeat() -> None:
    """In vertebrae and outside lesions; or outside both and in the central half."""
    annotation = _annotation()
    locations, labels = _draw(annotation)
    assert len({tuple(x) for x in locations.tolist()}) == len(locations)
    for (_, k, row, column), label in zip(locations, labels):
        lesion = annotation.lesions[k, row, column] > 0
        body = annotation.vertebrae[k, row, column] > 0
        expected = LESION if lesion else VERTEBRA if body else NORMAL
        assert label == expected
        assert label != NORMAL or column in CENTRAL


def test_what_the_vertebrae_lack_comes_from_the_background() -> None:
    """With 50 vertebral pixels left beside a lesion of 120, the other 70 are background."""
    annotation = _annotation(slice(12, 22))  # 10 x 17, of which the lesion takes 120
    locations, labels = _draw(annotation)
    of_slice = labels[locations[:, 1] == 1]
    assert [int((of_slice == kind).sum()) for kind in (LESION, VERTEBRA, NORMAL)] == [120, 50, 70]


def test_a_slice_that_is_all_lesion_draws_what_there_is() -> None:
    """With too little of everything, all of it is drawn and nothing twice."""
    lesions, vertebrae = np.ones((1, 20, 20)), np.zeros((1, 20, 20))
    lesions[0, :2] = 0
    vertebrae[0, 0, :3] = 1
    samples = draw_locations(Annotation(lesions, vertebrae), SPACING, np.random.default_rng(0))
    counts = np.bincount(samples.labels, minlength=3)
    central = 2 * 10  # two rows, columns 5 to 14; none of the three vertebral pixels is there
    assert counts.tolist() == [central, 360, 3]


def test_drawing_is_seeded() -> None:
    """The same seed gives the same locations, another seed others."""
    one, same, other = (_draw(_annotation(), seed)[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_classes_are_counted_on_the_working_grid() -> None:
    """With pixels of 0.5 mm a lesion of 40 x 40 pixels has 20 x 20 locations."""
    lesions = np.zeros((1, 120, 120))
    lesions[0, 40:80, 40:80] = 1
    (classes,) = slice_classes(Annotation(lesions, 0 * lesions), (3.0, 0.5, 0.5))
    assert classes.counts == (400, 400, 0)
    rows, columns = np.divmod(classes.pixels[LESION], 60)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 39, 20, 39)


def test_samples_of_many_cases_carry_the_number_of_their_case(
    small_case: tuple[SagittalSeries, Annotation],
) -> None:
    """A case without a lesion gives none and keeps its number."""
    series, annotation = small_case
    healthy = Annotation(np.zeros_like(annotation.lesions), annotation.vertebrae)
    samples = draw_samples([small_case, (series, healthy), small_case], np.random.default_rng(0))
    numbers, counts = np.unique(samples.locations[:, 0], return_counts=True)
    assert numbers.tolist() == [0, 2]
    assert counts.tolist() == [128, 128]
    assert len(samples) == 256


def test_without_a_lesion_there_is_nothing_to_learn(
    small_case: tuple[SagittalSeries, Annotation],
) -> None:
    """No case at all, or none with a lesion, is one sentence."""
    series, annotation = small_case
    healthy = Annotation(np.zeros_like(annotation.lesions), annotation.vertebrae)
    for cases in ([], [(series, healthy)]):
        with pytest.raises(SpinemetError, match="nothing to learn"):
            draw_samples(cases, np.random.default_rng(0))


def test_normal_locations_from_all_slices_are_spread_evenly() -> None:
    """180 lesion pixels in 5 slices: 36 normal ones in each, half of them in vertebrae."""
    rule = SamplingRule(normal_slices="all", vertebra_share=0.5)
    samples = draw_locations(_annotation(), SPACING, np.random.default_rng(0), rule)
    for index, lesion in enumerate((0, 120, 0, 60, 0)):
        of_slice = samples.labels[samples.locations[:, 1] == index]
        counts = [int((of_slice == kind).sum()) for kind in (LESION, VERTEBRA, NORMAL)]
        assert counts == [lesion, 18, 18]


def test_a_case_without_a_lesion_gives_nothing_by_any_rule() -> None:
    """Otherwise a study of normal cases would tip the balance of the classes."""
    annotation = _annotation()
    healthy = Annotation(np.zeros(SHAPE), annotation.vertebrae)
    for rule in (SamplingRule(), SamplingRule(normal_slices="all")):
        assert len(draw_locations(healthy, SPACING, np.random.default_rng(0), rule)) == 0
        assert not any(sum(classes.counts) for classes in slice_classes(healthy, SPACING, rule))


@pytest.mark.parametrize("rule", [{"normal_slices": "some"}, {"vertebra_share": 1.1}])
def test_a_rule_that_is_none_is_refused(rule: dict) -> None:
    """Also as part of the settings of a run."""
    with pytest.raises(SpinemetError, match=r"share|slices"):
        SamplingRule(**rule)
    with pytest.raises(SpinemetError, match=r"share|slices"):
        TrainingConfig(**rule)


def test_nothing_is_drawn_where_nobody_knows() -> None:
    """Neither as lesion, nor as bone, nor as background; all else is drawn as before."""
    annotation = _annotation()
    uncertain = np.zeros(SHAPE, dtype=bool)
    uncertain[1, 15:50, 25:35] = True
    rule = SamplingRule("all", 0.5, "all")
    doubtful = slice_classes(replace(annotation, uncertain=uncertain), SPACING, rule)
    for classes, former in zip(doubtful, slice_classes(annotation, SPACING, rule), strict=True):
        hidden = np.flatnonzero(uncertain[classes.slice])
        for own, known in zip(classes.pixels, former.pixels, strict=True):
            np.testing.assert_array_equal(own, np.setdiff1d(known, hidden))


def test_what_is_uncertain_lies_on_the_grid() -> None:
    """Else nobody knows what it hides."""
    with pytest.raises(SpinemetError, match="grid of the series"):
        replace(_annotation(), uncertain=np.zeros((1, 2, 3), dtype=bool))
