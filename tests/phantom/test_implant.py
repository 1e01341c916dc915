"""Lesions put into a series: where, how large, how bright, and what stays as it was."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.dicom import read_series
from napari_spinemet.errors import SpinemetError
from napari_spinemet.exchange import read_annotation
from napari_spinemet.phantom import PhantomCase, implant_lesion

REAL = os.environ.get("SPINEMET_REAL_DATA")
CONTOURS = Path(__file__).parents[1] / "real" / "lspine_vertebrae.zip"


def label_of(case: PhantomCase, level: str) -> int:
    """Number of a level."""
    return next(k for k, name in case.annotation.levels.items() if name == level)


@pytest.mark.parametrize("contrast", [0.35, 0.7, 1.0])
def test_a_lesion_is_where_and_as_bright_as_asked(healthy: PhantomCase, contrast: float) -> None:
    """In its vertebra, within the paper's areas, so far from marrow to fluid in the mean."""
    sizes = []
    for seed in range(4):
        label = label_of(healthy, "L3")
        series, annotation, implant = implant_lesion(
            healthy.series,
            healthy.annotation,
            label,
            np.random.default_rng(seed),
            contrast=contrast,
        )
        assert implant.level == "L3"
        np.testing.assert_array_equal(annotation.lesions == 1, implant.mask)
        np.testing.assert_array_equal(annotation.vertebrae, healthy.annotation.vertebrae)
        assert (annotation.vertebrae[implant.mask] == label).mean() > 0.6
        areas = implant.mask.sum(axis=(1, 2)) * 1.13**2 / 100
        assert areas[areas > 0].min() >= 1.65
        assert areas.max() <= 9.54
        slices = np.flatnonzero(areas)
        assert 2 <= len(slices) <= 7
        assert (np.diff(slices) == 1).all()
        sizes.append(areas.max())
        # Well inside, where edges are not blurred; a plain mean, not what the code measures with.
        inner = np.stack([ndimage.binary_erosion(m, iterations=3) for m in implant.mask])
        inner[[slices[0], slices[-1]]] = False
        if inner.sum() > 30:
            share = (series.voxels[inner].mean() - implant.marrow) / (
                implant.fluid - implant.marrow
            )
            assert share == pytest.approx(contrast, abs=0.12)
    assert np.ptp(sizes) > 0.5  # they are not all alike


def test_fluid_and_marrow_are_those_of_the_tissue(healthy: PhantomCase) -> None:
    """Against the phantom's own canal and bodies: fluid is the brightest, marrow a fifth of it."""
    _, _, implant = implant_lesion(
        healthy.series,
        healthy.annotation,
        label_of(healthy, "L2"),
        np.random.default_rng(0),
        contrast=0.5,
    )
    voxels = healthy.series.voxels
    bodies = healthy.annotation.vertebrae > 0
    assert implant.marrow == pytest.approx(np.median(voxels[bodies]), rel=0.35)
    assert np.percentile(voxels, 97) < implant.fluid < voxels.max()


def test_the_rest_of_the_scan_is_untouched_and_its_grain_stays(healthy: PhantomCase) -> None:
    """Nothing changes 15 mm away; inside, what is fine is the noise that was there."""
    series, _, implant = implant_lesion(
        healthy.series,
        healthy.annotation,
        label_of(healthy, "L3"),
        np.random.default_rng(1),
        contrast=0.6,
    )
    rest = ndimage.distance_transform_edt(~implant.mask, sampling=series.spacing_mm) > 15
    np.testing.assert_allclose(series.voxels[rest], healthy.series.voxels[rest], atol=1e-3)
    np.testing.assert_array_equal(series.affine, healthy.series.affine)

    def grain(voxels: np.ndarray) -> np.ndarray:
        return voxels - ndimage.gaussian_filter(voxels, (0, 1, 1))

    inner = np.stack([ndimage.binary_erosion(m, iterations=3) for m in implant.mask])
    correlations = np.corrcoef(grain(series.voxels)[inner], grain(healthy.series.voxels)[inner])
    assert correlations[0, 1] > 0.8


def test_lesions_that_are_there_stay(healthy: PhantomCase) -> None:
    """A second one gets its own number and does not meet the first."""
    rng = np.random.default_rng(2)
    label = label_of(healthy, "L2"), label_of(healthy, "L3")
    series, annotation, first = implant_lesion(
        healthy.series, healthy.annotation, label[0], rng, contrast=0.5
    )
    _, annotation, second = implant_lesion(series, annotation, label[1], rng, contrast=0.5)
    np.testing.assert_array_equal(annotation.lesions == 1, first.mask)
    np.testing.assert_array_equal(annotation.lesions == 2, second.mask)


def test_wrong_use_is_one_sentence(healthy: PhantomCase) -> None:
    """No such vertebra, a single one, one too small for a lesion, a canal that is not seen."""
    rng = np.random.default_rng(0)
    series, annotation = healthy.series, healthy.annotation
    label = label_of(healthy, "L3")
    with pytest.raises(SpinemetError, match="no vertebra with number 99"):
        implant_lesion(series, annotation, 99, rng, contrast=0.5)
    single = np.where(annotation.vertebrae == label, annotation.vertebrae, 0)
    with pytest.raises(SpinemetError, match="contour two"):
        implant_lesion(series, replace(annotation, vertebrae=single), label, rng, contrast=0.5)
    thin = annotation.vertebrae.copy()
    thin[:6][thin[:6] == label] = 0
    thin[7:][thin[7:] == label] = 0
    with pytest.raises(SpinemetError, match="no room"):
        implant_lesion(series, replace(annotation, vertebrae=thin), label, rng, contrast=0.5)
    flat = replace(series, voxels=np.full_like(series.voxels, 7))
    with pytest.raises(SpinemetError, match="canal is not seen"):
        implant_lesion(flat, annotation, label, rng, contrast=0.5)


@pytest.mark.real
@pytest.mark.skipif(not REAL, reason="SPINEMET_REAL_DATA does not name the real scans")
def test_the_real_scan_takes_a_lesion_in_each_contoured_body() -> None:
    """T12 to S1 of the STIR series; none of the patient's header goes into the copies."""
    series = read_series(Path(REAL or "") / "lspine_stir_cc0" / "DCMDT")
    annotation = read_annotation(CONTOURS, series)
    for label, level in annotation.levels.items():
        _, contours, implant = implant_lesion(
            series, annotation, label, np.random.default_rng(0), contrast=0.6
        )
        assert implant.level == level
        assert 0.1 < implant.marrow / implant.fluid < 0.3
        assert (contours.lesions > 0).any()
