"""One synthetic patient, and the evaluation cohort as a whole, against the paper's figures."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.errors import SpinemetError
from napari_spinemet.phantom import PhantomCase
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case
from napari_spinemet.phantom.spine import LEVELS


def test_the_same_seed_gives_the_same_case(diseased_case: PhantomCase) -> None:
    """Voxels, geometry and contours bit for bit; another seed differs in all of them."""
    same, other = make_case((5, 1), pixel_mm=1.13), make_case((5, 2), pixel_mm=1.13)
    np.testing.assert_array_equal(same.pixels, diseased_case.pixels)
    np.testing.assert_array_equal(same.series.affine, diseased_case.series.affine)
    np.testing.assert_array_equal(same.annotation.lesions, diseased_case.annotation.lesions)
    np.testing.assert_array_equal(same.annotation.vertebrae, diseased_case.annotation.vertebrae)
    assert [x.contrast for x in same.lesions] == [x.contrast for x in diseased_case.lesions]
    assert not np.array_equal(other.pixels, diseased_case.pixels)
    assert not np.array_equal(other.annotation.lesions, diseased_case.annotation.lesions)
    assert not np.array_equal(other.series.affine, diseased_case.series.affine)


def test_what_is_stored_is_what_the_series_holds(diseased_case: PhantomCase) -> None:
    """The int16 pixels of the scanner, without rescale, on one grid with the contours."""
    assert diseased_case.pixels.dtype == np.int16
    np.testing.assert_array_equal(diseased_case.pixels, diseased_case.series.voxels)
    assert diseased_case.annotation.lesions.shape == diseased_case.series.shape
    assert diseased_case.series.contrast == "STIR"


def test_vertebrae_are_named_downwards_without_a_gap(diseased_case: PhantomCase) -> None:
    """One label a body, in anatomical order, each below the one before."""
    annotation = diseased_case.annotation
    labels = [int(v) for v in np.unique(annotation.vertebrae) if v]
    assert labels == sorted(annotation.levels)
    first = LEVELS.index(annotation.levels[1])
    names = [annotation.levels[k] for k in labels]
    assert names == list(LEVELS[first : first + len(labels)])
    heights = [np.argwhere(annotation.vertebrae == k)[:, 1].mean() for k in labels]
    assert all(b > a for a, b in itertools.pairwise(heights))


def test_each_lesion_has_its_label_and_sits_at_its_level(diseased_case: PhantomCase) -> None:
    """Label k is the k-th lesion's mask, and most of it lies in the vertebra it names."""
    annotation = diseased_case.annotation
    assert set(np.unique(annotation.lesions)) == set(range(len(diseased_case.lesions) + 1))
    for number, lesion in enumerate(diseased_case.lesions, 1):
        np.testing.assert_array_equal(annotation.lesions == number, lesion.mask)
        (label,) = (k for k, name in annotation.levels.items() if name == lesion.level)
        assert (annotation.vertebrae[lesion.mask] == label).mean() > 0.6


def test_a_normal_case_has_vertebrae_and_no_lesion() -> None:
    """The same patient without disease: the scan is not blank, the lesion array is."""
    case = make_case((5, 1), has_lesions=False, pixel_mm=1.13)
    assert case.lesions == ()
    assert not case.annotation.lesions.any()
    assert len(case.annotation.levels) >= 5
    assert case.pixels.std() > 20


def test_training_variety_is_wider_and_as_well_formed() -> None:
    """Domain randomisation changes the image; the contours obey the same rules."""
    case = make_case((5, 1), variety="training", pixel_mm=1.13)
    facts = _facts(case)
    assert 2.6 <= facts["spacing"][0] <= 5.0
    assert facts["spacing"][1] == pytest.approx(1.13)
    _check_case({**facts, "spacing": (3.0, *facts["spacing"][1:])}, diseased=True)
    with pytest.raises(SpinemetError, match="variety"):
        make_case(0, variety="wild")


def _facts(case: PhantomCase) -> dict[str, object]:
    """What the tests look at, small enough to come back from another process."""
    spacing = case.series.spacing_mm
    lesions, vertebrae = case.annotation.lesions, case.annotation.vertebrae
    areas = [
        float(a)
        for lesion in case.lesions
        for a in lesion.mask.sum(axis=(1, 2)) * spacing[1] * spacing[2] / 100
        if a > 0
    ]
    # In plane only: how far from a vertebra the lesion reaches, and how much of it lies inside.
    reach = 0.0
    for lesion, body in zip(lesions > 0, vertebrae > 0):
        if lesion.any():
            from_body_mm = ndimage.distance_transform_edt(~body, sampling=spacing[1:])
            reach = max(reach, float(from_body_mm[lesion].max()))
    diseased = lesions > 0
    return {
        "shape": case.series.shape,
        "spacing": spacing,
        "segments": len({x.level for x in case.lesions}),
        "lesion_slices": int(diseased.any(axis=(1, 2)).sum()),
        "areas": areas,
        "contrasts": [x.contrast for x in case.lesions],
        "reach_mm": reach,
        "inside": float((vertebrae[diseased] > 0).mean()) if diseased.any() else 1.0,
        "region": case.region,
    }


def _check_case(facts: dict, *, diseased: bool) -> None:
    slices, rows, columns = facts["shape"]
    assert slices == 13
    assert facts["spacing"][0] == pytest.approx(3.0)
    pixel = facts["spacing"][1]
    assert min(abs(pixel - p) for p in (0.88, 0.94, 1.13)) < 1e-9
    assert facts["spacing"][2] == pytest.approx(pixel)
    assert abs(rows * pixel - 340) <= pixel
    assert abs(columns * pixel - 340) <= pixel
    if not diseased:
        assert facts["areas"] == []
        assert facts["lesion_slices"] == 0
        return
    assert facts["segments"] in (1, 2)
    assert 3 <= facts["lesion_slices"] <= 7
    assert min(facts["areas"]) >= 1.65
    assert max(facts["areas"]) <= 9.54
    # Growth into soft tissue goes 6 mm beyond the wall; a body tapers in the outer slices.
    assert facts["reach_mm"] <= 10
    assert facts["inside"] >= 0.5


def _evaluation_case(number: int) -> dict[str, object]:
    # Cases from 26 on are the normal ones of a cohort of 26.
    return _facts(make_case((0, number), has_lesions=number < 26))


@pytest.mark.slow
def test_the_evaluation_cohort_is_the_papers(capsys: pytest.CaptureFixture[str]) -> None:
    """26 cases and 2 normal ones of seed 0 have the sizes, areas and contrasts of section 10."""
    # A fresh interpreter for each worker: threads of libraries do not survive a fork.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        facts_of_all = list(pool.map(_evaluation_case, range(28)))
    cases, normals = facts_of_all[:26], facts_of_all[26:]
    areas = np.array([a for c in cases for a in c["areas"]])
    contrasts = np.array([x for c in cases for x in c["contrasts"]])
    slices = np.array([c["lesion_slices"] for c in cases])
    regions = Counter(str(c["region"]) for c in cases)
    with capsys.disabled():
        print(
            f"\n26 cases: area {areas.mean():.2f} cm² on average, {areas.min():.2f} to "
            f"{areas.max():.2f}; {slices.mean():.1f} lesion slices; contrast "
            f"{contrasts.min():.2f} to {contrasts.max():.2f}, quartiles "
            f"{np.round(np.quantile(contrasts, (0.25, 0.5, 0.75)), 2).tolist()}; reach "
            f"{max(c['reach_mm'] for c in cases):.1f} mm; inside "
            f"{min(c['inside'] for c in cases):.2f} and more; two segments in "
            f"{sum(c['segments'] == 2 for c in cases)}; regions {dict(regions)}"
        )
    for facts in cases:
        _check_case(facts, diseased=True)
    for facts in normals:
        _check_case(facts, diseased=False)
    assert 4.5 <= areas.mean() <= 5.6
    assert contrasts.min() < 0.25  # barely visible
    assert contrasts.max() > 0.75  # plain
    assert contrasts.std() > 0.12
    assert {c["segments"] for c in cases} == {1, 2}
    assert len(np.unique(slices)) >= 3
    assert len({round(c["spacing"][1], 2) for c in cases}) == 3
    assert len({c["region"] for c in cases}) >= 2
