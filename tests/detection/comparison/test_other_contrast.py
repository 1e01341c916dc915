"""How bright a mark is in another series, on scans that were drawn for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spinemet.detection.comparison.other_contrast import contrasts_in
from napari_spinemet.detection.comparison.second_look import look_again
from napari_spinemet.imaging import SagittalSeries
from tests.detection.comparison.drawn_scan import DrawnScan, draw_scan


def other_series(scan: DrawnScan, dark: int, share: float) -> SagittalSeries:
    """A T1 in which one body is darker than all others by a share."""
    voxels = np.full(scan.series.shape, 50.0, dtype=np.float32)
    voxels[:, scan.body >= 0] = 200.0
    voxels[:, scan.body == dark] *= share
    return replace(scan.series, voxels=voxels, contrast="T1", series_uid="1.2.9")


def test_it_is_the_ratio_to_the_neighbours_in_the_other_series() -> None:
    """Bright in the one and dark in the other, as a metastasis is."""
    scan = draw_scan(lesions={4: 1.8})
    plain = look_again(scan.series, scan.likelihood, None)
    (evidence,) = plain.comparison.evidence
    contrasts = contrasts_in(other_series(scan, 4, 0.4), scan.series, plain)
    assert evidence.contrast == pytest.approx(1.8, rel=0.1)
    assert contrasts[evidence] == pytest.approx(0.4, rel=0.05)


@pytest.mark.parametrize("body", [1, 4])
def test_a_coil_that_falls_off_makes_nothing_bright_that_is_dark(body: int) -> None:
    """Each body a third darker than the one above: at the end of a row as in its middle."""
    scan = draw_scan(lesions={body: 1.8})
    plain = look_again(scan.series, scan.likelihood, None)
    (evidence,) = plain.comparison.evidence
    other = other_series(scan, body, 0.7)
    rows = np.flatnonzero((scan.body >= 0).any(axis=1))
    bodies = scan.body.max() + 1
    share = (2 / 3) ** ((np.arange(other.shape[1]) - rows[0]) * bodies / len(rows))
    falling = replace(other, voxels=(other.voxels * share[:, None]).astype(np.float32))
    contrasts = contrasts_in(falling, scan.series, plain)
    assert contrasts[evidence] == pytest.approx(0.7, rel=0.1)


def test_values_are_read_where_they_lie_in_the_patient() -> None:
    """The other series begins 30 rows higher."""
    scan = draw_scan(lesions={4: 1.8})
    plain = look_again(scan.series, scan.likelihood, None)
    (evidence,) = plain.comparison.evidence
    other = other_series(scan, 4, 0.4)
    rows = np.arange(other.shape[1] + 30) - 30
    moved = np.full((other.shape[0], len(rows), other.shape[2]), 50.0, dtype=np.float32)
    moved[:, 30:] = other.voxels
    affine = other.affine.copy()
    affine[:3, 3] = affine[:3, 3] - 30 * affine[:3, 1]
    shifted = replace(other, voxels=moved, affine=affine)
    assert contrasts_in(shifted, scan.series, plain)[evidence] == pytest.approx(
        contrasts_in(other, scan.series, plain)[evidence], rel=1e-6
    )


def test_what_does_not_lie_in_the_other_series_has_no_contrast() -> None:
    """It ends above the mark."""
    scan = draw_scan(lesions={4: 1.8})
    plain = look_again(scan.series, scan.likelihood, None)
    other = other_series(scan, 4, 0.4)
    first = int(np.flatnonzero((scan.body == 4).any(axis=1))[0])
    cut = replace(other, voxels=other.voxels[:, : first - 2])
    assert contrasts_in(cut, scan.series, plain) == {}
    assert contrasts_in(other, scan.series, scan.likelihood) == {}
