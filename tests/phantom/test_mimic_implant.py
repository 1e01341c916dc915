"""What was rejected in one body, put into another: where it lies and how bright it is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.phantom import PhantomCase
from napari_spinemet.phantom.implants.body_frame import (
    find_body_frame,
    measure_fluid,
    measure_marrow,
)
from napari_spinemet.phantom.implants.mimic_implant import (
    bodies_with_room,
    cut_out_mimics,
    implant_mimic,
)

SHARE = 0.8


def label_of(case: PhantomCase, level: str) -> int:
    """Number of a level."""
    return next(k for k, name in case.annotation.levels.items() if name == level)


def with_disc(case: PhantomCase, level: str) -> tuple[SagittalSeries, Annotation]:
    """A flat disc in the lower back quarter of a body, in all of its slices but the outer two."""
    series, annotation = case.series, case.annotation
    body = find_body_frame(annotation.vertebrae, label_of(case, level), series.spacing_mm)
    marrow, fluid = measure_marrow(series, annotation, body), measure_fluid(series, body)
    disc = np.hypot(body.axial_position - 0.2, body.depth_position - 0.3) < 0.6
    used = np.flatnonzero(body.mask.any(axis=(1, 2)))[1:-1]
    mask = np.zeros(series.shape, dtype=bool)
    mask[used] = disc
    voxels = np.where(mask, marrow + SHARE * (fluid - marrow), series.voxels)
    return replace(series, voxels=voxels.astype(np.float32)), replace(annotation, mimics=mask)


@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_it_lies_and_is_as_bright_in_its_new_body_as_in_its_own(
    healthy: PhantomCase, gain: float
) -> None:
    """Of the way from marrow to fluid, whatever the scan's own scale; nothing else is changed."""
    (mimic,) = cut_out_mimics(*with_disc(healthy, "L3"))
    label = label_of(healthy, "L1")
    target = replace(healthy.series, voxels=healthy.series.voxels * np.float32(gain))
    body = find_body_frame(healthy.annotation.vertebrae, label, target.spacing_mm)
    marrow = measure_marrow(target, healthy.annotation, body)
    fluid = measure_fluid(target, body)
    sides = set()
    for seed in range(6):
        series, annotation = implant_mimic(
            target, healthy.annotation, mimic, label, np.random.default_rng(seed)
        )
        new = annotation.mimics
        assert new is not None
        assert (annotation.vertebrae[new] == label).mean() > 0.9
        inner = np.stack([ndimage.binary_erosion(m, iterations=3) for m in new])
        share = (series.voxels[inner].mean() - marrow) / (fluid - marrow)
        assert share == pytest.approx(SHARE, abs=0.03)
        k = int(new.sum(axis=(1, 2)).argmax())
        assert body.depth_position[new[k]].mean() == pytest.approx(0.3, abs=0.08)
        assert abs(body.axial_position[new[k]].mean()) == pytest.approx(0.2, abs=0.08)
        sides.add(bool(body.axial_position[new[k]].mean() > 0))
        far = ndimage.distance_transform_edt(~new, sampling=target.spacing_mm) > 8
        np.testing.assert_array_equal(series.voxels[far], target.voxels[far])
        np.testing.assert_array_equal(annotation.vertebrae, healthy.annotation.vertebrae)
        assert not annotation.lesions.any()
    assert sides == {True, False}  # some are upside down


def test_what_lies_in_soft_tissue_stays_there(healthy: PhantomCase) -> None:
    """A bladder is in no body, and would be a strange thing in one."""
    beside = np.zeros(healthy.series.shape, dtype=bool)
    beside[:, :20, :20] = True
    beside &= healthy.annotation.vertebrae == 0
    assert cut_out_mimics(healthy.series, replace(healthy.annotation, mimics=beside)) == []
    assert cut_out_mimics(healthy.series, healthy.annotation) == []


def test_a_body_with_a_lesion_has_no_room(healthy: PhantomCase) -> None:
    """Nor has one with another mimic, or where nobody knows what there is."""
    series, annotation = with_disc(healthy, "L3")
    (mimic,) = cut_out_mimics(series, annotation)
    names = {level: label_of(healthy, level) for level in ("L1", "L2", "L3", "L4")}
    lesions = np.where(annotation.vertebrae == names["L1"], 1, 0)
    uncertain = annotation.vertebrae == names["L2"]
    occupied = replace(annotation, lesions=lesions, uncertain=uncertain)
    free = bodies_with_room(occupied)
    assert names["L4"] in free
    assert not {names["L1"], names["L2"], names["L3"]} & set(free)
    with pytest.raises(SpinemetError, match="lesion"):
        implant_mimic(series, occupied, mimic, names["L1"], np.random.default_rng(0))
