"""Which part of each slice was evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import EvaluatedRegion, LikelihoodMap
from napari_spinemet.imaging.grids import central_columns

SHAPE = (30, 40)


def stepped_region() -> EvaluatedRegion:
    """Three bands, one of them at the picture's border."""
    first = np.repeat([0, 5, 8], 10)
    last = np.repeat([20, 25, 40], 10)
    return EvaluatedRegion(first, last, 40, "spine")


def test_the_paper_s_half_and_the_whole_width() -> None:
    """The same columns in every row."""
    central, whole = EvaluatedRegion.central(SHAPE), EvaluatedRegion.whole(SHAPE)
    assert central.columns == central_columns(40) == (10, 30)
    assert whole.columns == (0, 40)
    assert (central.kind, whole.kind) == ("centre", "all")
    assert whole.mask.all()
    assert central.pixels == central.mask.sum() == 30 * 20


def test_its_bands_hold_each_of_its_pixels_once() -> None:
    """Rectangles and mask are the same region."""
    region = stepped_region()
    count = np.zeros(SHAPE, dtype=int)
    for rows, columns in region.bands():
        count[rows, columns] += 1
    np.testing.assert_array_equal(count, region.mask)
    assert len(region.bands()) == 3
    assert region.columns == (0, 40)
    assert region.pixels == count.sum()


def test_it_comes_back_from_what_is_stored() -> None:
    """Also why the central half stands in."""
    region = stepped_region()
    assert EvaluatedRegion.unpack(region.pack(), 40, "spine") == region
    central = EvaluatedRegion.of_columns((10, 30), SHAPE, "spine")
    reason = EvaluatedRegion.unpack(central.pack(), 40, "spine", "no spine was found")
    assert reason != central
    assert "no spine was found" in reason.description


def test_a_border_of_the_picture_is_no_border() -> None:
    """Nothing lies beyond it that was left out."""
    front, back = stepped_region().borders_at([5, 15, 25])
    assert front[0] < -40
    assert front[1:].tolist() == [5, 8]
    assert back[:2].tolist() == [19, 24]
    assert back[2] > 80


@pytest.mark.parametrize(
    ("first", "last", "width", "kind"),
    [
        ([3], [3], 10, "spine"),
        ([-1], [3], 10, "spine"),
        ([0], [11], 10, "spine"),
        ([0, 1], [5], 10, "spine"),
        ([0], [5], 10, "brain"),
    ],
)
def test_a_region_that_is_none_is_refused(
    first: list[int], last: list[int], width: int, kind: str
) -> None:
    """Empty, outside, of another length, of an unknown kind."""
    with pytest.raises(SpinemetError):
        EvaluatedRegion(np.array(first), np.array(last), width, kind)


def test_a_map_and_its_region_agree() -> None:
    """A map made of columns alone has them in every row; another region is refused."""
    values = np.zeros((2, *SHAPE), dtype=np.float32)
    plain = LikelihoodMap(values, np.eye(4), (10, 30), (3.0, 1.0, 1.0))
    assert plain.region == EvaluatedRegion.central(SHAPE)
    region = stepped_region()
    with_region = LikelihoodMap(values, np.eye(4), (0, 40), (3.0, 1.0, 1.0), region=region)
    assert with_region.region is region
    with pytest.raises(SpinemetError, match="region"):
        LikelihoodMap(values, np.eye(4), (1, 40), (3.0, 1.0, 1.0), region=region)
