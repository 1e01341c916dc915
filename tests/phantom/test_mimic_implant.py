"""What was rejected in one body, put into another: where it lies and how bright it is there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.phantom import PhantomCase
from napari_spinemet.phantom.implants.body_frame import (
    BodyFrame,
    find_body_frame,
    measure_surroundings,
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


def body_of(case: PhantomCase, level: str) -> BodyFrame:
    """Of a level."""
    vertebrae = case.annotation.vertebrae
    return find_body_frame(vertebrae, label_of(case, level), case.series.spacing_mm)


def with_disc(
    case: PhantomCase, level: str, slices: int | None = None, share: float = SHARE
) -> tuple[SagittalSeries, Annotation]:
    """A flat disc in the lower back quarter of a body, in all slices but the outer two, or some."""
    series, annotation, label = case.series, case.annotation, label_of(case, level)
    body = body_of(case, level)
    marrow, fluid = measure_surroundings(series, annotation, label)
    disc = np.hypot(body.axial_position - 0.2, body.depth_position - 0.3) < 0.6
    numbers = np.flatnonzero(body.mask.any(axis=(1, 2)))
    chosen = numbers[1:-1] if slices is None else numbers[len(numbers) // 2 :][:slices]
    mask = np.zeros(series.shape, dtype=bool)
    mask[chosen] = disc
    voxels = np.where(mask, marrow + share * (fluid - marrow), series.voxels)
    return replace(series, voxels=voxels.astype(np.float32)), replace(annotation, mimics=mask)


def thinned(case: PhantomCase, step: int) -> tuple[SagittalSeries, Annotation]:
    """Every so many slices of a phantom, which are as far apart then."""
    series, annotation = case.series, case.annotation
    affine = series.affine @ np.diag([step, 1.0, 1.0, 1.0])
    lesions, vertebrae = annotation.lesions[::step], annotation.vertebrae[::step]
    return (
        replace(series, voxels=series.voxels[::step], affine=affine),
        replace(annotation, lesions=lesions, vertebrae=vertebrae),
    )


@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_it_lies_and_is_as_bright_in_its_new_body_as_in_its_own(
    healthy: PhantomCase, gain: float
) -> None:
    """Of the way from marrow to fluid, whatever the scan's own scale; nothing else is changed."""
    (mimic,) = cut_out_mimics(*with_disc(healthy, "L3"))
    label = label_of(healthy, "L1")
    target = replace(healthy.series, voxels=healthy.series.voxels * np.float32(gain))
    body = body_of(healthy, "L1")
    marrow, fluid = measure_surroundings(target, healthy.annotation, label)
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
    with pytest.raises(SpinemetError, match="something else"):
        implant_mimic(series, occupied, mimic, names["L1"], np.random.default_rng(0))


@pytest.mark.parametrize("step", [1, 2])
def test_one_of_a_single_slice_keeps_its_contrast(healthy: PhantomCase, step: int) -> None:
    """Between two slices it is shown in the nearest, not in both by half; of whichever spacing."""
    (mimic,) = cut_out_mimics(*with_disc(healthy, "L3", slices=1))
    target, contours = thinned(healthy, step)
    for level in ("L1", "L2", "L4"):
        label = label_of(healthy, level)
        marrow, fluid = measure_surroundings(target, contours, label)
        shares = []
        for seed in range(6):
            rng = np.random.default_rng(seed)
            with suppress(SpinemetError):  # of thick slices none may lie where it would be seen
                series, annotation = implant_mimic(target, contours, mimic, label, rng)
                new = annotation.mimics
                assert new is not None
                (number,) = np.flatnonzero(new.any(axis=(1, 2)))
                inner = ndimage.binary_erosion(new[number], iterations=3)
                value = series.voxels[number][inner].mean()
                shares.append((value - marrow) / (fluid - marrow))
        assert len(shares) >= 2
        assert shares == pytest.approx([SHARE] * len(shares), abs=0.05)


def test_it_never_lies_over_a_lesion_of_the_next_body(healthy: PhantomCase) -> None:
    """A mimic that reaches into the disc is refused where something grows there."""
    series, annotation = with_disc(healthy, "L3")
    body = body_of(healthy, "L3")
    grown = (np.abs(body.axial_position) < 1.4) & (np.abs(body.depth_position) < 0.8)
    mimics = np.where(body.mask.any(axis=(1, 2))[:, None, None], grown, False)
    (mimic,) = cut_out_mimics(series, replace(annotation, mimics=mimics))
    target, label = body_of(healthy, "L1"), label_of(healthy, "L1")
    beyond = (np.abs(target.axial_position) > 1.02) & (np.abs(target.axial_position) < 1.2)
    lesions = np.zeros(series.shape, dtype=np.uint16)
    lesions[target.mask.any(axis=(1, 2))] = beyond & (np.abs(target.depth_position) < 0.5)
    lesions[healthy.annotation.vertebrae == label] = 0
    assert lesions.any()
    with pytest.raises(SpinemetError, match="over something else"):
        implant_mimic(
            healthy.series,
            replace(healthy.annotation, lesions=lesions),
            mimic,
            label,
            np.random.default_rng(0),
        )


def test_two_across_a_disc_belong_to_their_own_bodies(healthy: PhantomCase) -> None:
    """As in endplate changes, which touch each other once they are widened."""
    annotation = healthy.annotation
    upper, lower = body_of(healthy, "L2"), body_of(healthy, "L3")
    facing = (upper.axial_position > 0.4) & (lower.axial_position < -0.4)
    facing &= np.abs(upper.depth_position) < 0.7
    slices = (upper.mask | lower.mask).any(axis=(1, 2))
    mimics = np.where(slices[:, None, None], facing, False)
    _, count = ndimage.label(mimics)
    assert count == 1
    assert len(cut_out_mimics(healthy.series, replace(annotation, mimics=mimics))) == 2


def test_brightness_stays_within_bounds(healthy: PhantomCase) -> None:
    """However bright it was, it is no brighter than twice the way to the fluid."""
    (mimic,) = cut_out_mimics(*with_disc(healthy, "L3", share=9.0))
    label = label_of(healthy, "L1")
    marrow, fluid = measure_surroundings(healthy.series, healthy.annotation, label)
    series, annotation = implant_mimic(
        healthy.series, healthy.annotation, mimic, label, np.random.default_rng(0)
    )
    assert series.voxels[annotation.mimics].max() <= marrow + 2 * (fluid - marrow) + 1e-3
