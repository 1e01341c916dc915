"""Patients of the third generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet import list_series, make_cohort, read_annotation, read_series
from napari_spinemet.errors import SpinemetError
from napari_spinemet.phantom import PhantomCase, make_case
from napari_spinemet.phantom.canvas import Canvas
from napari_spinemet.phantom.lesion import KINDS, SITES
from napari_spinemet.phantom.patient.body_plan import draw_body_plan
from napari_spinemet.phantom.patient.looks import ChanceLooks, PhysicalLooks
from napari_spinemet.phantom.physics.sequences import draw_protocol

PIXEL_MM = 1.6


def make(seed: int, **options: object) -> PhantomCase:
    """A patient at coarse pixels, which are quick to paint."""
    return make_case((41, seed), pixel_mm=PIXEL_MM, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cohort() -> list[PhantomCase]:
    """Twenty-four patients, every fourth of the agnostic variety."""
    return [make(k, variety="agnostic" if k % 4 == 0 else "evaluation") for k in range(24)]


def test_the_same_seed_gives_the_same_patient() -> None:
    """Bit for bit; another seed another one."""
    one, same, other = make(1), make(1), make(2)
    np.testing.assert_array_equal(one.pixels, same.pixels)
    np.testing.assert_array_equal(one.annotation.lesions, same.annotation.lesions)
    assert one.pixels.shape != other.pixels.shape or (one.pixels != other.pixels).any()


def test_images_of_one_patient_show_the_same_patient() -> None:
    """STIR alone, or with T1 and T2: one anatomy, one set of contours, one grid."""
    alone, all_three = make(3, contrasts=["stir"]), make(3, contrasts=["stir", "t1", "t2"])
    np.testing.assert_array_equal(alone.annotation.lesions, all_three.annotation.lesions)
    np.testing.assert_array_equal(alone.annotation.vertebrae, all_three.annotation.vertebrae)
    assert [image.contrast for image in all_three.images] == ["stir", "t1", "t2"]
    for image in all_three.images:
        assert image.pixels.shape == all_three.pixels.shape
        np.testing.assert_array_equal(image.series.affine, all_three.series.affine)
    assert [i.series.contrast for i in all_three.images] == ["STIR", "T1", "T2"]


def test_lesions_grow_everywhere_and_are_labelled_so(cohort: list[PhantomCase]) -> None:
    """Every site and every kind of bone lesion; numbers from one to many; labels are the masks."""
    lesions = [lesion for case in cohort for lesion in case.lesions]
    assert {lesion.site for lesion in lesions} == set(SITES)
    assert {lesion.kind for lesion in lesions} >= set(KINDS) - {"diffuse"}
    assert {len(case.lesions) for case in cohort} >= {1, 2, 3}
    for case in cohort:
        labels = case.annotation.lesions
        assert set(np.unique(labels)) == set(range(len(case.lesions) + 1))
        area = PIXEL_MM**2 / 100
        for number in range(1, len(case.lesions) + 1):
            areas = (labels == number).sum(axis=(1, 2)) * area
            assert areas.max() >= 0.75
        bodies = case.annotation.vertebrae > 0
        for number, lesion in enumerate(case.lesions, 1):
            inside = bodies[labels == number].mean()
            if lesion.site == "body":
                assert inside > 0.5
            elif lesion.site in ("posterior", "paravertebral"):
                assert inside < 0.2


def test_lesions_of_one_case_never_touch(cohort: list[PhantomCase]) -> None:
    """What a reader would call one region is one lesion; diffuse ones are a body each."""
    for case in cohort:
        if any(lesion.kind == "diffuse" for lesion in case.lesions):
            continue
        labels = case.annotation.lesions
        for plane in labels:
            parts, count = ndimage.label(plane > 0, np.ones((3, 3)))
            for part in range(1, count + 1):
                assert len(np.unique(plane[parts == part])) == 1


def test_sclerotic_lesions_are_dark_and_lytic_ones_bright() -> None:
    """In the physics of most patients; measured without noise."""
    cases = [make(100 + k, contrasts=["stir"]) for k in range(30)]
    by_kind: dict[str, list[float]] = {}
    for lesion in (x for case in cases for x in case.lesions):
        by_kind.setdefault(lesion.kind, []).append(lesion.contrast)
    assert np.median(by_kind["lytic"]) > 0.15
    assert np.median(by_kind["sclerotic"]) < 0


def test_burdens_say_how_much_of_the_marrow_is_diseased(cohort: list[PhantomCase]) -> None:
    """Localised cases are those of life but for diffuse ones; half is half; diffuse is all."""
    is_diffuse = [any(x.kind == "diffuse" for x in case.lesions) for case in cohort]
    assert 0 < sum(is_diffuse) < len(cohort)
    first_diffuse, first_other = is_diffuse.index(True), is_diffuse.index(False)
    for k in (first_diffuse, first_other):
        variety = "agnostic" if k % 4 == 0 else "evaluation"
        localised = make(k, variety=variety, burden="localised")
        assert not any(x.kind == "diffuse" for x in localised.lesions)
        is_same = np.array_equal(localised.pixels, cohort[k].pixels)
        assert is_same == (k == first_other)
    half = make(5, burden="half")
    levels = {x.level for x in half.lesions}
    bodies = len(half.annotation.levels)
    assert 0.3 * bodies <= len(levels) <= 0.7 * bodies
    diffuse = make(5, burden="diffuse")
    assert {x.kind for x in diffuse.lesions} == {"diffuse"}
    assert len(diffuse.lesions) >= 0.8 * len(diffuse.annotation.levels)


def test_a_normal_case_has_no_lesion() -> None:
    """And bodies all the same."""
    case = make(5, has_lesions=False)
    assert not case.lesions
    assert not case.annotation.lesions.any()
    assert len(case.annotation.levels) >= 4


def test_bodies_are_where_they_are_labelled(cohort: list[PhantomCase]) -> None:
    """From head to feet in the order of their levels, none beyond the picture."""
    for case in cohort:
        labels = case.annotation.vertebrae
        assert set(case.annotation.levels) == set(np.unique(labels[labels > 0]).tolist())
        rows = [np.argwhere(labels == k)[:, 1].mean() for k in case.annotation.levels]
        assert rows == sorted(rows)
        assert labels.shape == case.pixels.shape


def test_nothing_is_contoured_where_the_picture_is_black(cohort: list[PhantomCase]) -> None:
    """Bands that nothing was received in hide bodies and lesions, as from a reader."""
    banded = 0
    for case in cohort:
        black = (case.pixels == 0).all(axis=(0, 2))
        banded += int(black.any())
        assert not case.annotation.vertebrae[:, black].any()
        assert not case.annotation.lesions[:, black].any()
        assert len(case.lesions) == len(np.unique(case.annotation.lesions)) - 1
    assert banded


def test_postures_are_as_wide_as_patients_are() -> None:
    """Round backs and scoliosis among them, and spines aside of the middle of the picture."""
    plans = [draw_body_plan(np.random.default_rng(k), True) for k in range(200)]
    bends, sides, places = [], [], []
    for plan in plans:
        tilts = [np.rad2deg(v.tilt) for v in plan.spine.vertebrae if v.level in ("T1", "T12")]
        if len(tilts) == 2:
            bends.append(tilts[0] - tilts[1])
        sides.append(np.ptp(plan.spine.x))
        places.append(float(np.mean(plan.spine.y)) / plan.field_mm)
    assert max(bends) > 60
    assert min(bends) < 25
    assert max(sides) > 15
    assert min(places) < 0.46
    assert max(places) > 0.58
    causes = {f.cause for plan in plans for f in plan.fractures.values()}
    assert causes == {"old", "fresh", "metastasis"}


def test_marrow_by_chance_is_anything() -> None:
    """From darker than muscle to brighter than a disc, each patient's own; a lesion is not it."""
    is_darkest = is_brightest = False
    for seed in range(60):
        looks = ChanceLooks(1, np.random.default_rng(seed))
        marrow = looks.magnitude(looks.marrow(looks.fat_share(20)))[0]
        muscle, disc = (looks.magnitude(v)[0] for v in (looks["muscle"], looks.nucleus(2)))
        is_darkest |= bool(marrow < 0.5 * muscle)
        is_brightest |= bool(marrow > 1.5 * disc)
        for kind in ("lytic", "sclerotic"):
            assert abs(looks.magnitude(looks.draw(kind))[0] - marrow) > 0.02
    assert is_darkest
    assert is_brightest


def test_fat_and_water_add_up_before_the_magnitude_is_taken() -> None:
    """Near the null a mixture of both may be darker than either."""
    protocol = draw_protocol("stir", 1.5, np.random.default_rng(3))
    looks = PhysicalLooks([protocol], 60, np.random.default_rng(4))
    shares = np.linspace(0, 1, 11)
    marrow = looks.marrow(shares)
    assert marrow.shape == (2, 11)
    total = looks.magnitude(marrow)[0]
    np.testing.assert_allclose(total, np.abs(marrow[0] + marrow[1]), rtol=1e-6)
    assert np.argmin(total) not in (0,)


def test_a_canvas_of_several_channels_paints_them_alike() -> None:
    """A value a channel is what each channel would be by itself."""
    several, single = (
        Canvas(2, 3.0, 2.0, 60.0, channels=2),
        Canvas(2, 3.0, 2.0, 60.0),
    )
    several.ellipsoid((0, 30, 30), (5, 12, 9), np.array([1.0, 0.25], dtype=np.float32), 2.0)
    single.ellipsoid((0, 30, 30), (5, 12, 9), 1.0, 2.0)
    np.testing.assert_allclose(several.values[0], single.values)
    np.testing.assert_allclose(several.values[1], 0.25 * single.values)


def test_a_cohort_of_three_contrasts_on_disk(tmp_path: Path) -> None:
    """Each folder a series that says what it is, of one study and one frame; the scan is STIR."""
    (case,) = make_cohort(
        tmp_path, cases=1, seed=6, pixel_mm=PIXEL_MM, contrasts=["stir", "t1", "t2"]
    )
    summaries = {s.contrast: s for s in list_series(case) if s.plane == "sagittal"}
    assert set(summaries) == {"STIR", "T1", "T2"}
    assert [name for name, s in summaries.items() if s.detectable] == ["STIR"]
    scan = read_series(case / "scan")
    t1 = read_series(case / "t1", summaries["T1"].series_uid)
    np.testing.assert_allclose(scan.affine, t1.affine)
    assert read_annotation(case / "contours", scan).lesions.any()


@pytest.mark.parametrize(
    "options",
    [
        {"variety": "wild"},
        {"contrasts": ["stir", "pet"]},
        {"contrasts": ["t1", "t1"]},
        {"contrasts": []},
        {"difficulty": "hard"},
        {"generator": 1},
        {"generator": 2, "contrasts": ["t1"]},
        {"burden": "light"},
        {"generator": 2, "burden": "half"},
    ],
)
def test_what_there_is_not_is_refused(options: dict[str, object], tmp_path: Path) -> None:
    """In a sentence, and before anything is written."""
    with pytest.raises(SpinemetError):
        make(0, **options)
    with pytest.raises(SpinemetError):
        make_cohort(tmp_path / "cohort", cases=1, **options)  # type: ignore[arg-type]
    assert not (tmp_path / "cohort").exists()
