"""The two engines against each other and against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spinemet.detection import likelihood_map, slice_engines
from napari_spinemet.detection.comparison.second_look import look_again
from napari_spinemet.detection.engines import map_series
from napari_spinemet.detection.map_settings import MapSettings
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.imaging.brightness.normalisation import zscore
from napari_spinemet.imaging.grids import resample_image
from napari_spinemet.jobs import CancelToken, Progressed

from .comparison.drawn_scan import look_of
from .lively_network import lively_network


@pytest.mark.parametrize("outputs", [2, 3])
def test_dense_equals_window_by_window_over_a_whole_slice(
    series: SagittalSeries, outputs: int
) -> None:
    """The dense engine and the patch engine agree to 1e-5 on every pixel, borders included."""
    model = lively_network("dense", outputs=outputs)
    one = SagittalSeries(series.voxels[:1], series.affine)
    dense = likelihood_map(one, model, columns="all")
    window = likelihood_map(one, model, engine="patch", columns="all")
    assert dense.values.shape == (1, 46, 49)
    assert np.ptp(dense.values) > 0.2
    assert np.abs(dense.values - window.values).max() <= 1e-5
    if outputs == 3:
        assert dense.vertebra is not None
        assert window.vertebra is not None
        assert np.abs(dense.vertebra - window.vertebra).max() <= 1e-5


@pytest.mark.parametrize("resolutions", [(1,), (0.25, 1, 1.25), (0.5, 1, 1.5)])
def test_dense_equals_windows_at_other_resolutions(
    series: SagittalSeries, resolutions: tuple[float, ...]
) -> None:
    """Also where windows are looked up on a grid that is no multiple of the working grid."""
    model = lively_network("dense", resolutions=resolutions)
    one = SagittalSeries(series.voxels[:1, :30, :40], series.affine)
    dense = likelihood_map(one, model, columns="all", stride=5)
    window = likelihood_map(one, model, engine="patch", columns="all", stride=5)
    assert np.abs(dense.values - window.values).max() <= 1e-5


@pytest.mark.parametrize("pixels", [46 * 49 - 1, 700, 1])
def test_tiles_of_a_slice_fit_together(
    series: SagittalSeries, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few pixels are evaluated at once, down to a row, the map is the same to 1e-6."""
    model = lively_network("dense", resolutions=(1, 2), blocks=(1, 1, 1))
    one = SagittalSeries(series.voxels[:1], series.affine)
    whole = likelihood_map(one, model, columns="all")
    monkeypatch.setattr(slice_engines, "TILE_PIXELS", pixels)
    in_tiles = likelihood_map(one, model, columns="all")
    np.testing.assert_allclose(in_tiles.values, whole.values, atol=1e-6)


@pytest.mark.parametrize(("precision", "most"), [("float16", 0.01), ("bfloat16", 0.08)])
def test_reduced_precision_moves_likelihoods_a_little(
    series: SagittalSeries, precision: str, most: float
) -> None:
    """By its own number of digits: somewhat, and by no more."""
    model = lively_network("dense", resolutions=(1,))
    one = SagittalSeries(series.voxels[:1, :30, :40], series.affine)
    exact = likelihood_map(one, model, columns="all", device="cpu")
    coarse = likelihood_map(one, model, columns="all", device="cpu", precision=precision)
    assert 0 < np.abs(coarse.values - exact.values).max() <= most


def test_patch_engine_equals_a_plain_loop(series: SagittalSeries) -> None:
    """Cutting, normalising and scoring one location at a time gives the same to 1e-5."""
    model = lively_network("patch")
    one = SagittalSeries(series.voxels[1:], series.affine)
    stride = 9
    fast = likelihood_map(one, model, columns="all", stride=stride)
    images = {}
    for r in (0.5, 1.0, 2.0):
        image = resample_image(one.voxels, (0.9, 0.7), r)[0]
        images[r] = np.pad(image, ((39, 39), (27, 27)), mode="symmetric")
    n_checked = 0
    for i in range(0, 46, stride):
        for j in range(0, 49, stride):
            patches = []
            for r, centre in ((0.5, (2 * i, 2 * j)), (1.0, (i, j)), (2.0, (i // 2, j // 2))):
                row, column = centre
                patches.append(zscore(images[r][row : row + 79, column : column + 55]))
            with torch.inference_mode():
                scores = model(torch.from_numpy(np.stack(patches)[None]))
                lesion = float(torch.softmax(scores, 1)[0, 1])
            assert abs(lesion - fast.values[0, i, j]) <= 1e-5
            n_checked += 1
    assert n_checked == 36


def test_only_the_central_half_is_evaluated(series: SagittalSeries) -> None:
    """Outside [W/4, 3W/4) the likelihood is 0, and inside it is that of the whole width."""
    model = lively_network("dense")
    centre = likelihood_map(series, model)
    whole = likelihood_map(series, model, columns="all")
    assert centre.columns == (13, 37)  # 49 columns: 12.25 to 36.75
    assert not centre.values[:, :, :13].any()
    assert not centre.values[:, :, 37:].any()
    np.testing.assert_allclose(centre.values[:, :, 13:37], whole.values[:, :, 13:37], atol=1e-5)


def test_strided_map_keeps_its_samples_and_says_its_stride(series: SagittalSeries) -> None:
    """A coarse map has the exact values at every k-th pixel and lines between them."""
    model = lively_network("dense")
    full = likelihood_map(series, model)
    coarse = likelihood_map(series, model, stride=4)
    assert (full.stride, coarse.stride) == (1, 4)
    rows, columns = np.arange(0, 46, 4), np.arange(13, 37, 4)
    np.testing.assert_allclose(
        coarse.values[:, rows[:, None], columns], full.values[:, rows[:, None], columns], atol=1e-6
    )
    halfway = (coarse.values[:, 4, 13:34:4] + coarse.values[:, 8, 13:34:4]) / 2
    np.testing.assert_allclose(coarse.values[:, 6, 13:34:4], halfway, atol=1e-6)


def test_a_model_with_a_second_look_takes_one(series: SagittalSeries) -> None:
    """Its map is the plain one with the comparison; what the card holds must be a second look.

    A model without one compares too, and moves nothing; one that sees no vertebrae cannot.
    """
    model = lively_network("dense", outputs=3, resolutions=(1,))
    one = SagittalSeries(series.voxels[:1, :30, :40], series.affine)
    plain = likelihood_map(one, model, columns="all")
    assert plain.comparison is not None
    assert not plain.comparison.is_possible
    of_lesions_alone = lively_network("dense", outputs=2, resolutions=(1,))
    assert likelihood_map(one, of_lesions_alone, columns="all").comparison is None
    look = look_of()
    model.second_look = look.to_dict()
    compared = likelihood_map(one, model, columns="all")
    np.testing.assert_array_equal(compared.values, plain.values)
    expected = look_again(one, plain, look).comparison
    assert compared.comparison is not None
    assert expected is not None
    assert compared.comparison.facts() == expected.facts()
    model.second_look = {"features": ["size"]}
    with pytest.raises(SpinemetError, match="second look in the card"):
        likelihood_map(one, model, columns="all")


def test_engine_must_fit_the_form(series: SagittalSeries) -> None:
    """The patch form has no dense evaluation, and says so."""
    with pytest.raises(SpinemetError, match="patch form"):
        likelihood_map(series, lively_network("patch"), engine="dense")


def test_cancel_stops_before_the_next_slice(series: SagittalSeries) -> None:
    """A token raised in the first slice's event ends the run there."""
    token, steps = CancelToken(), []

    def listen(event: object) -> None:
        if isinstance(event, Progressed):
            steps.append(event.done)
            token.cancel()

    with pytest.raises(Cancelled):
        likelihood_map(series, lively_network("dense"), on_event=listen, cancel=token)
    assert steps == [1]


def test_each_slice_is_told_as_it_is_done_from_the_middle_on(series: SagittalSeries) -> None:
    """What is told of a slice is what the map holds of it in the end; the middle comes first."""
    model = lively_network("dense", outputs=2)
    voxels = np.concatenate([series.voxels] * 3)[:4]
    told: list[tuple[int, np.ndarray]] = []
    likelihood = map_series(
        SagittalSeries(voxels, series.affine),
        model,
        MapSettings(columns="all"),
        on_slice=lambda index, values: told.append((index, values)),
    )
    assert [index for index, _ in told] == [1, 2, 0, 3]
    for index, values in told:
        np.testing.assert_array_equal(values, likelihood.values[index])
