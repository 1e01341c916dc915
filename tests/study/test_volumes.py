"""Two volumes of one DICOM series are two cases of a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_builder import make_enhanced, make_series, make_truth, save, write
from pydicom.uid import generate_uid

from napari_spinemet.dicom import read_series
from napari_spinemet.imaging import Annotation
from napari_spinemet.study import Study

UPPER = make_truth()
LOWER = make_truth(seed=3, origin=(-18.25, -90.5, -172.0))


@pytest.fixture(params=["files", "enhanced"])
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Two stations in one series: a file for each slice, or one object for all of them."""
    folder = tmp_path / "scan"
    if request.param == "files":
        images = make_series(LOWER)
        for image in images:
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        write(folder, make_series(UPPER) + images)
        return folder
    upper, lower = make_enhanced(UPPER), make_enhanced(LOWER)
    upper.PerFrameFunctionalGroupsSequence.extend(lower.PerFrameFunctionalGroupsSequence)
    upper.NumberOfFrames = 18
    upper.PixelData += lower.PixelData
    save(upper, folder / "one")
    return folder


@pytest.mark.parametrize("copy", [True, False])
def test_each_station_is_a_case_of_its_own(scan: Path, tmp_path: Path, copy: bool) -> None:
    """Contours of one never come to lie on the other, and each opens as what it was."""
    study = Study(tmp_path / "study", create=True, write=True)
    volumes = [read_series(scan, stack=k) for k in (1, 2)]
    assert volumes[0].affine[2, 3] > volumes[1].affine[2, 3]
    assert not np.array_equal(*(volume.voxels for volume in volumes))
    cases = [study.import_scan(scan, volume, copy=copy) for volume in volumes]
    assert [case.name for case in cases] == ["case-001", "case-002"]
    for case, volume in zip(cases, volumes):
        assert study.case_of(*volume.identity) == case
        assert study.import_scan(scan, volume, copy=copy) == case  # not again
        labels = np.zeros(volume.shape, dtype=np.uint16)
        labels[volume.stack] = volume.stack
        case.save_annotation(Annotation(labels, 0 * labels), volume)
    study.close()
    reopened = Study(tmp_path / "study")
    for case, volume in zip(reopened.cases(), volumes):
        series = case.series()
        assert series.identity == volume.identity
        np.testing.assert_array_equal(series.voxels, volume.voxels)
        np.testing.assert_allclose(series.affine, volume.affine)
        assert case.annotation(series).lesions.max() == volume.stack
        assert case.scan_fault() == ""
    assert reopened.verify() == []
