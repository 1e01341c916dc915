"""Cohorts on disk: reproducible to the byte, resumable, and readable by other programs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from napari_spinemet.dicom import read_series
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.exchange import read_annotation
from napari_spinemet.jobs import CancelToken, Event, Progressed
from napari_spinemet.phantom import make_case, make_cohort
from napari_spinemet.phantom import sample as sample_module
from napari_spinemet.phantom.sample import make_sample_study, sample_study


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One diseased and one normal case of seed 3."""
    folder = tmp_path_factory.mktemp("cohort")
    make_cohort(folder, cases=1, normals=1, seed=3, pixel_mm=1.13)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_the_same_seed_gives_the_same_bytes(cohort: Path, tmp_path: Path) -> None:
    """Of every file: images, contours, facts. Another seed gives other images and contours."""
    make_cohort(tmp_path / "same", cases=1, normals=1, seed=3, pixel_mm=1.13)
    expected, same = _files(cohort), _files(tmp_path / "same")
    assert sorted(same) == sorted(expected)
    assert [name for name in expected if same[name] != expected[name]] == []
    make_cohort(tmp_path / "other", cases=1, seed=4, pixel_mm=1.13)
    other = _files(tmp_path / "other")
    assert sorted(n for n in expected if n.startswith("case-001")) == sorted(
        n for n in other if n.startswith("case-001")
    )
    assert [n for n in other if n != "case-001/case.json" and other[n] == expected[n]] == []


def test_the_layout_is_a_study(cohort: Path) -> None:
    """A folder a case with scan, contours and facts, and the settings of the cohort."""
    assert sorted(p.name for p in cohort.iterdir()) == ["case-001", "cohort.json", "normal-001"]
    for name in ("case-001", "normal-001"):
        assert len(list((cohort / name / "scan").iterdir())) == 13
        assert [p.name for p in (cohort / name / "contours").iterdir()] == ["contours.dcm"]
    facts = json.loads((cohort / "cohort.json").read_text())["phantom"]
    assert (facts["seed"], facts["cases"], facts["normals"]) == (3, 1, 1)
    assert json.loads((cohort / "case-001" / "case.json").read_text())["lesions"]
    assert json.loads((cohort / "normal-001" / "case.json").read_text())["lesions"] == []


def test_a_case_on_disk_is_the_case_in_memory(cohort: Path) -> None:
    """Read back: the same voxels, geometry to a micrometre, the same contours and levels."""
    case = make_case((3, 0), pixel_mm=1.13)
    series = read_series(cohort / "case-001" / "scan")
    np.testing.assert_array_equal(series.voxels, case.series.voxels)
    np.testing.assert_allclose(series.affine, case.series.affine, atol=1e-3)
    annotation = read_annotation(cohort / "case-001" / "contours", series)
    np.testing.assert_array_equal(annotation.lesions, case.annotation.lesions)
    np.testing.assert_array_equal(annotation.vertebrae, case.annotation.vertebrae)
    assert dict(annotation.levels) == dict(case.annotation.levels)
    assert series.warnings == ()


def test_a_normal_case_is_read_without_lesions(cohort: Path) -> None:
    """It has vertebra contours all the same."""
    series = read_series(cohort / "normal-001" / "scan")
    annotation = read_annotation(cohort / "normal-001" / "contours", series)
    assert not annotation.lesions.any()
    assert annotation.vertebrae.any()


def test_another_library_reads_the_same_scan(cohort: Path) -> None:
    """SimpleITK finds every voxel of the LFP array at the same place in the patient."""
    scan = cohort / "case-001" / "scan"
    series = read_series(scan)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(scan)))
    image = reader.Execute()
    voxels = sitk.GetArrayFromImage(image)
    rng = np.random.default_rng(0)
    for index in rng.integers(0, series.shape, (50, 3)):
        point = series.affine[:3, :3] @ index + series.affine[:3, 3]
        i, j, k = image.TransformPhysicalPointToIndex(point.tolist())
        assert voxels[k, j, i] == series.voxels[tuple(index)]


def test_every_image_has_a_uid_of_its_own(cohort: Path) -> None:
    """Nothing in the cohort shares an instance UID, and no two cases share a series."""
    headers = [
        pydicom.dcmread(f, stop_before_pixels=True)
        for f in cohort.rglob("*")
        if f.parent.name in ("scan", "contours")
    ]
    assert len({h.SOPInstanceUID for h in headers}) == len(headers) == 28
    assert len({h.SeriesInstanceUID for h in headers}) == 4
    assert len({h.StudyInstanceUID for h in headers}) == 2
    assert all(pydicom.uid.UID(h.SOPInstanceUID).is_valid for h in headers)


def test_a_cohort_is_resumed(cohort: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is left as it is; only what is missing is made."""
    from napari_spinemet.phantom import cohort as module

    before = _files(cohort)
    monkeypatch.setattr(module, "make_case", lambda *_, **__: pytest.fail("made again"))
    events: list[Event] = []
    paths = make_cohort(cohort, cases=1, normals=1, seed=3, pixel_mm=1.13, on_event=events.append)
    assert [p.name for p in paths] == ["case-001", "normal-001"]
    assert _files(cohort) == before
    assert [(e.done, e.total) for e in events if isinstance(e, Progressed)] == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    "changes",
    [{"seed": 4}, {"variety": "training"}, {"pixel_mm": None}, {"cases": 2}, {"lesions": 5}],
)
def test_a_folder_holds_one_cohort(cohort: Path, changes: dict[str, object]) -> None:
    """Cases made with other settings are not passed off as those that were asked for."""
    before = _files(cohort)
    settings = {"cases": 1, "normals": 1, "seed": 3, "pixel_mm": 1.13, **changes}
    with pytest.raises(SpinemetError, match="another folder"):
        make_cohort(cohort, **settings)  # type: ignore[arg-type]
    assert _files(cohort) == before


def test_a_folder_of_another_generator_is_refused(
    cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seed is the same, the patients are not; also where the generator left no word."""
    from napari_spinemet.phantom import cohort as module

    monkeypatch.setattr(module, "GENERATOR", module.GENERATOR + 1)
    with pytest.raises(SpinemetError, match="another version of the generator"):
        make_cohort(cohort, cases=1, normals=1, seed=3, pixel_mm=1.13)


def test_diseased_cases_can_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cohort without normal cases grows: its first cases do not depend on their number."""
    from napari_spinemet.phantom import cohort as module

    made: list[str] = []

    def fake(seed: tuple[int, int], **_: object) -> SimpleNamespace:
        return SimpleNamespace(series=seed, stored=None, annotation=None, region="", lesions=())

    monkeypatch.setattr(module, "make_case", fake)

    def write(path: Path, seed: tuple[int, int], *_: object, **__: object) -> None:
        path.mkdir(parents=True)
        (path / "case.json").write_text(str(seed))
        made.append(f"{path.name} {seed}")

    monkeypatch.setattr(module, "write_case", write)
    make_cohort(tmp_path, cases=1, seed=3)
    make_cohort(tmp_path, cases=2, seed=3)
    assert made == ["case-001 (3, 0)", "case-002 (3, 1)"]


def test_cancelling_keeps_whole_cases(tmp_path: Path) -> None:
    """The case that was done when it was asked for stays, the next is not begun."""
    token = CancelToken()
    with pytest.raises(Cancelled):
        make_cohort(
            tmp_path, cases=3, pixel_mm=1.13, on_event=lambda _: token.cancel(), cancel=token
        )
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["case-001"]
    read_series(tmp_path / "case-001" / "scan")


def test_an_empty_cohort_is_refused(tmp_path: Path) -> None:
    """No cases, or fewer than none, is one sentence; nothing is made."""
    for cases, normals in ((0, 0), (-1, 2), (2, -1)):
        with pytest.raises(SpinemetError, match="at least one case"):
            make_cohort(tmp_path / "none", cases=cases, normals=normals)
    with pytest.raises(SpinemetError, match="A seed is 0 or more, not -1"):
        make_cohort(tmp_path / "none", cases=1, seed=-1)
    with pytest.raises(SpinemetError, match="at least one of them, not 0"):
        make_cohort(tmp_path / "none", cases=1, lesions=0)
    assert not (tmp_path / "none").exists()


def test_the_sample_study_is_made_by_this_program(tmp_path: Path) -> None:
    """The files that come with a checkout are those that the generator makes, byte for byte.

    Where they are not because the generator has changed, its ``GENERATOR`` is raised too.
    """
    expected = _files(sample_study())
    made = _files(make_sample_study(tmp_path / "sample"))
    for name, content in made.items():
        assert expected[name] == content, name


def test_an_installed_package_makes_the_sample_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the checkout's folder it is made where the user's cache is."""
    made = []
    monkeypatch.setattr(sample_module, "__file__", str(tmp_path / "a" / "b" / "sample.py"))
    monkeypatch.setattr(
        sample_module.platformdirs, "user_cache_dir", lambda _: str(tmp_path / "cache")
    )
    monkeypatch.setattr(sample_module, "make_sample_study", lambda f: made.append(f) or f)
    assert sample_study() == tmp_path / "cache" / f"sample-study-{sample_module.SEED}"
    assert made == [tmp_path / "cache" / f"sample-study-{sample_module.SEED}"]
