"""A cohort of implants on disk: over levels and contrasts, without the patient, resumable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from napari_spinemet.cli.app import app
from napari_spinemet.dicom import read_series
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.exchange import read_annotation, write_annotation
from napari_spinemet.imaging import Annotation
from napari_spinemet.jobs import CancelToken, Event, JobContext
from napari_spinemet.phantom import PhantomCase, make_cohort, make_implants
from napari_spinemet.phantom.implants.cohort import to_int16
from napari_spinemet.study import Study


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A normal case on disk: its scan and its contours."""
    (case,) = make_cohort(
        tmp_path_factory.mktemp("normal"), 0, 1, seed=5, pixel_mm=1.13, generator=2
    )
    return case / "scan", case / "contours"


@pytest.fixture(scope="module")
def trial(host: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four implants of seed 3, by the command."""
    folder = tmp_path_factory.mktemp("trial")
    options = [*map(str, (*host, folder)), "--cases", "4", "--seed", "3"]
    assert app(["implant", *options], standalone_mode=False) in (None, 0)
    return folder


def test_a_trial_is_a_study(trial: Path, host: tuple[Path, Path]) -> None:
    """Copies of the scan with one lesion each, over the levels in turn."""
    original = read_series(host[0])
    cases = Study(trial).cases()
    assert len(cases) == 4
    facts = [json.loads((c.path / "case.json").read_text()) for c in cases]
    levels = [f["lesions"][0]["level"] for f in facts]
    assert len(set(levels)) == 4
    contrasts = sorted(f["lesions"][0]["contrast"] for f in facts)
    # One in each quarter of the range.
    for quarter, contrast in enumerate(contrasts):
        low = 0.35 + 0.65 * quarter / 4
        assert low - 1e-3 <= contrast <= low + 0.65 / 4 + 1e-3
    for case in cases:
        series = case.series()
        annotation = read_annotation(case.path / "contours", series)
        np.testing.assert_allclose(series.affine, original.affine, atol=1e-6)
        altered = np.abs(series.voxels - original.voxels) > 1
        assert altered.any(axis=(1, 2)).sum() <= 9
        assert altered[annotation.lesions > 0].mean() > 0.9


def test_nothing_of_the_header_goes_into_a_trial(trial: Path, host: tuple[Path, Path]) -> None:
    """Names and identifiers are its own, and no file holds the identifier of the scan."""
    uids = set()
    for case in Study(trial).cases():
        uids.add(case.series().series_uid)
        header = pydicom.dcmread(next(iter((case.path / "scan").iterdir())))
        assert "implant" in header.SeriesDescription
        assert header.PatientName == "Implant^Spine"
        assert len(header.PatientID) <= 64
    assert len(uids) == 4
    content = b"".join(p.read_bytes() for p in trial.rglob("*") if p.is_file())
    assert read_series(host[0]).series_uid.encode() not in content


def test_a_folder_holds_one_trial(trial: Path, host: tuple[Path, Path], tmp_path: Path) -> None:
    """The same call changes nothing; another seed, or other contours of the scan, are refused."""
    scan, contours = host
    files_before = {p: p.read_bytes() for p in trial.rglob("*.json")}
    make_implants(trial, scan, contours, 4, 3)
    assert {p: p.read_bytes() for p in trial.rglob("*.json")} == files_before
    with pytest.raises(SpinemetError, match="another cohort"):
        make_implants(trial, scan, contours, 4, 4)
    with pytest.raises(SpinemetError, match="A seed is 0 or more, not -1"):
        make_implants(trial, scan, contours, 4, -1)
    original = read_series(scan)
    annotation = read_annotation(contours, original)
    vertebrae = annotation.vertebrae.copy()
    vertebrae[tuple(np.argwhere(vertebrae)[0])] = 0
    other_contours = tmp_path / "corrected" / "one.dcm"
    write_annotation(
        replace(annotation, vertebrae=vertebrae),
        original,
        other_contours,
        source_images=[pydicom.dcmread(p) for p in scan.iterdir()],
    )
    with pytest.raises(SpinemetError, match="another cohort"):
        make_implants(trial, scan, other_contours, 4, 3)


def test_pixels_beyond_what_a_scanner_stores_are_scaled(healthy: PhantomCase) -> None:
    """Whole numbers of a scanner stay; rates from 0 to 1, or sums beyond 16 bit, fill 12 bit."""
    series = healthy.series
    np.testing.assert_array_equal(to_int16(series), series.voxels)
    for factor in (1 / 4000, 500):
        other_scale = replace(series, voxels=series.voxels * np.float32(factor))
        pixels = to_int16(other_scale)
        assert pixels.dtype == np.int16
        assert np.abs(pixels).max() == 4095
        correlations = np.corrcoef(pixels.ravel(), series.voxels.ravel())
        assert correlations[0, 1] > 0.999


def test_a_trial_goes_on_where_it_was_cancelled(host: tuple[Path, Path], tmp_path: Path) -> None:
    """The second call makes what is missing, and the whole is as if made at once."""
    token = CancelToken()

    def stop(event: Event) -> None:
        token.cancel()

    with pytest.raises(Cancelled):
        make_implants(tmp_path / "a", *host, 2, job=JobContext(stop, token))
    assert len(list((tmp_path / "a").glob("implant-*"))) == 1
    for name in ("a", "b"):
        make_implants(tmp_path / name, *host, 2)
    for path in sorted((tmp_path / "b").rglob("*")):
        if path.is_file():
            other = tmp_path / "a" / path.relative_to(tmp_path / "b")
            assert other.read_bytes() == path.read_bytes(), path.name


def test_a_trial_needs_vertebrae_and_a_sensible_range(
    host: tuple[Path, Path], tmp_path: Path
) -> None:
    """One sentence each."""
    scan, contours = host
    with pytest.raises(SpinemetError, match="contrasts above 0"):
        make_implants(tmp_path / "x", scan, contours, contrast=(0.9, 0.3))
    series = read_series(scan)
    lesions = np.zeros(series.shape, np.uint16)
    lesions[5, 100:120, 100:120] = 1
    without_vertebrae = tmp_path / "lesions.dcm"
    write_annotation(
        Annotation(lesions, np.zeros_like(lesions), {}, series.series_uid),
        series,
        without_vertebrae,
        source_images=[pydicom.dcmread(p) for p in scan.iterdir()],
    )
    with pytest.raises(SpinemetError, match="no vertebra"):
        make_implants(tmp_path / "y", scan, without_vertebrae)
    assert not (tmp_path / "y").exists()


def test_vertebrae_of_an_array_and_another_family(host: tuple[Path, Path], tmp_path: Path) -> None:
    """A NumPy archive gives the same bodies as the contours; a body that is spared gets nothing."""
    series = read_series(host[0])
    annotation = read_annotation(host[1], series)
    np.savez_compressed(tmp_path / "vertebrae.npz", vertebrae=annotation.vertebrae)
    spared = int(next(iter(annotation.levels)))
    options = [str(host[0]), str(tmp_path / "vertebrae.npz"), str(tmp_path / "trial")]
    options += ["--cases", "3", "--without", str(spared), "--family", "faceted"]
    assert app(["implant", *options], standalone_mode=False) in (None, 0)
    cases = Study(tmp_path / "trial").cases()
    assert len(cases) == 3
    for case in cases:
        copy = read_series(case.scan)
        lesions = read_annotation(case.path / "contours", copy).lesions > 0
        assert lesions.any()
        assert not (lesions & (annotation.vertebrae == spared)).any()
        assert (annotation.vertebrae[lesions] > 0).all()  # faceted ones stay within their body


@pytest.mark.parametrize("content", [{"other": np.zeros(3)}, {"vertebrae": np.zeros((2, 3, 4))}])
def test_an_archive_of_something_else_is_refused(
    host: tuple[Path, Path], tmp_path: Path, content: dict[str, np.ndarray]
) -> None:
    """Without the array, and with one of another grid."""
    np.savez(tmp_path / "vertebrae.npz", **content)
    with pytest.raises(SpinemetError, match="vertebrae"):
        make_implants(tmp_path / "trial", host[0], tmp_path / "vertebrae.npz", 1)
    assert not (tmp_path / "trial").exists()
