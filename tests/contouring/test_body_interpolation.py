"""Bodies between two clicks, on phantoms and on drawn spines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from drawn_spine import CONTRASTS, click_bodies, draw_spine, nudge_clicks, order_labels

from napari_spinemet.contouring.body_interpolation import interpolate_bodies
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.phantom.case import PhantomCase

MakeSeries = Callable[..., SagittalSeries]


@pytest.mark.slow
def test_bodies_between_the_first_and_the_last_are_found(phantom_cases: list[PhantomCase]) -> None:
    """Their number is right in nearly all cases, and their centres lie within the bodies."""
    right_count, errors = 0, []
    for number, case in enumerate(phantom_cases):
        truth = case.annotation.vertebrae
        clicks = click_bodies(case, np.random.default_rng(100 + number))
        whole = [
            k
            for k, label in enumerate(order_labels(truth))
            if not ((truth[:, 0] == label).any() or (truth[:, -1] == label).any())
        ]
        expected = clicks[whole[0] : whole[-1] + 1]
        centres = interpolate_bodies(case.series, expected[-1], expected[0])  # in either order
        if len(centres) == len(expected):
            right_count += 1
            spacing = np.array(case.series.spacing_mm)
            offsets = (np.array(centres) - np.array(expected)) * spacing
            errors += np.linalg.norm(offsets[:, 1:], axis=1).tolist()
    print(
        f"{right_count} of {len(phantom_cases)} right, "
        f"centres {np.mean(errors):.1f} mm from the clicks"
    )
    assert right_count >= 8
    assert np.mean(errors) < 6


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_bodies_between_two_clicks_are_counted(make_series: MakeSeries, contrast: str) -> None:
    """Seven tilted boxes from the first and the last, given in either order."""
    spacing = (4.0, 1.0, 0.8)
    image, _, centres = draw_spine(spacing, contrast, bodies=7, tilt_degrees=15)
    series = make_series(image, spacing_mm=spacing)
    first, *_, last = nudge_clicks(centres, spacing)
    bodies = interpolate_bodies(series, first, last)
    assert len(bodies) == 7
    errors = np.linalg.norm((np.array(bodies) - centres)[:, 1:] * spacing[1:], axis=1)
    assert errors.max() < 4
    assert interpolate_bodies(series, last, first) == bodies


def test_twice_is_the_same_and_nothing_is_changed(make_series: MakeSeries) -> None:
    """Bit for bit."""
    image, _, centres = draw_spine(bodies=4)
    series = make_series(image, spacing_mm=(4.0, 1.0, 1.0))
    former_centres = list(centres)
    bodies = interpolate_bodies(series, centres[0], centres[-1])
    assert interpolate_bodies(series, centres[0], centres[-1]) == bodies
    assert centres == former_centres


def test_what_a_user_can_mend_is_one_sentence(make_series: MakeSeries) -> None:
    """A click beside the picture, two in one body."""
    series = make_series(shape=(5, 100, 80))
    for outside in ((5.0, 50.0, 40.0), (2.0, -1.0, 40.0), (2.0, 50.0, 80.0), (2.0, np.nan, 1.0)):
        with pytest.raises(SpinemetError, match=r"slice, row, column .* beside the picture"):
            interpolate_bodies(series, (2.0, 20.0, 40.0), outside)
    with pytest.raises(SpinemetError, match=r"only 7 mm apart; click each vertebral body once"):
        interpolate_bodies(series, (3.0, 66.0, 44.0), (2.0, 60.0, 40.0))
