"""Which cases and slices the figures of the paper show."""

from __future__ import annotations

from collections.abc import Sequence

from napari_spinemet.experiments.figures.case_facts import (
    CaseFacts,
    LesionLocation,
    SliceFacts,
)
from napari_spinemet.experiments.figures.choice import (
    SliceRange,
    choose_false_positive,
    choose_lesions,
    choose_slice,
    choose_slices,
)


def case_of(name: str, *slices: SliceFacts, areas: Sequence[float] = ()) -> CaseFacts:
    lesions = tuple(LesionLocation(name, 0, 0, 0, area) for area in areas)
    return CaseFacts(name, slices, lesions, has_map=True)


def test_the_small_lesion_is_no_speck_and_not_the_large_one() -> None:
    """A speck is shown only where there is nothing else; a single lesion alone."""
    cases = [case_of("a", areas=(0.1, 4.0)), case_of("b", areas=(9.0, 0.5))]
    assert [p.area_cm2 for p in choose_lesions(cases)] == [9.0, 0.5]
    assert [p.area_cm2 for p in choose_lesions([case_of("a", areas=(0.1, 4.0))])] == [4.0, 0.1]
    assert [p.area_cm2 for p in choose_lesions([case_of("a", areas=(0.1,))])] == [0.1]


def test_the_slice_with_contours_shows_vertebrae_if_any_does() -> None:
    """A larger lesion without its vertebra comes second."""
    without_bodies, with_bodies = SliceFacts(9.0), SliceFacts(2.0, has_vertebrae=True)
    assert choose_slice(
        [case_of("a", without_bodies), case_of("b", SliceFacts(0.0, True), with_bodies)]
    ) == (SliceRange("b", (1,)))
    assert choose_slice([case_of("a", SliceFacts(1.0), without_bodies)]) == SliceRange("a", (1,))


def test_slices_show_what_aggregation_saves_then_most_lesion_found() -> None:
    """A false positive of the plain map alone comes before a larger lesion."""
    nothing = SliceFacts(0.0)
    lesion = SliceFacts(8.0, found_cm2=8.0)
    gain = SliceFacts(1.0, found_cm2=1.0, plain_false_positives=1)
    both = SliceFacts(1.0, found_cm2=1.0, false_positives=1, plain_false_positives=1)
    large = case_of("large", nothing, lesion, lesion, lesion, nothing)
    with_gain = case_of("saved", nothing, nothing, nothing, gain)
    with_both = case_of("both", nothing, nothing, nothing, both)
    assert choose_slices([large, with_gain, with_both]) == SliceRange("saved", (1, 2, 3))
    assert choose_slices([with_both, large]) == SliceRange("large", (1, 2, 3))
    assert choose_slices([case_of("two", nothing, lesion)]) == SliceRange("two", (0, 1))


def test_the_false_positive_farthest_from_the_contours_comes_first() -> None:
    """In the middle of its slices where there are enough; another than figure 6 if there is."""
    close_one = SliceFacts(0.0, false_positives=1, far_mm=3.0)
    far_one = SliceFacts(0.0, false_positives=2, far_mm=40.0)
    nothing = SliceFacts(0.0)
    one = case_of("one", nothing, nothing, close_one, nothing)
    other = case_of("other", far_one, nothing, nothing, nothing)
    assert choose_false_positive([one, other]) == (SliceRange("other", (0, 1, 2)), 40.0)
    slices = SliceRange("other", (0, 1, 2))
    assert choose_false_positive([one, other], slices) == (SliceRange("one", (1, 2, 3)), 3.0)
    assert choose_false_positive([other], slices) == (slices, 40.0)
    assert choose_false_positive([case_of("none", nothing)]) is None
