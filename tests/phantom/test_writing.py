"""A case on disk: as it was in memory, and as other programs read it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.exchange import read_annotation
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case
from napari_spinemet.phantom.case import PhantomImage
from napari_spinemet.phantom.patient.case import _DESCRIPTIONS, _header_of
from napari_spinemet.phantom.physics.sequences import FIELDS_T, draw_protocol
from napari_spinemet.phantom.writing import write_case


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


def test_every_scan_that_is_drawn_can_be_detected_on(tmp_path: Path) -> None:
    """Any sequence of a fat-suppressed image, at any field, gives a header that the reader takes.

    Six of each by field: a cohort of hundreds must not stop at one that is read otherwise.
    """
    affine = np.array([[4.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    pixels = np.random.default_rng(0).integers(0, 500, (3, 12, 10))
    annotation = Annotation(np.ones((3, 12, 10), np.uint16), np.ones((3, 12, 10), np.uint16))
    for number, (contrast, field_t) in enumerate(
        itertools.product(("stir", "t2fs", "water"), FIELDS_T * 6)
    ):
        protocol = draw_protocol(contrast, field_t, np.random.default_rng(number))
        series = SagittalSeries(
            pixels.astype(np.float32), affine, description=_DESCRIPTIONS[contrast][0]
        )
        image = PhantomImage(contrast, series, pixels.astype(np.int16), _header_of(protocol))
        path = tmp_path / str(number)
        write_case(path, [image], annotation, {}, identity=str(number), name="nobody")
        (summary,) = list_series(path / "scan")
        assert summary.detectable, (summary.reason, protocol)
