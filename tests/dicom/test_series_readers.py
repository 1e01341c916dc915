from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_builder import Truth, assert_exact, make_series, write

from napari_spinemet.dicom import list_series, read_series, series_readers
from napari_spinemet.imaging import SagittalSeries, SeriesSummary


def test_a_series_knows_where_it_was_read(scan, truth, monkeypatch) -> None:
    """The path is kept, whole, whatever the working folder is later."""
    write(scan, make_series(truth))
    monkeypatch.chdir(scan.parent)
    assert read_series(scan.name).source == scan
    assert SagittalSeries(truth.voxels, truth.affine).source is None


class VoxelReader:
    """A reader of arrays with a fixed position, as another format may be."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth

    def recognises(self, path: Path) -> bool:
        return path.suffix == ".npy"

    def list_series(self, path: Path) -> list[SeriesSummary]:
        return [SeriesSummary("1", path.name, "sagittal", "STIR", 9, None, True)]

    def read_series(
        self, path: Path, series_uid: str | None, stack: int | None = None
    ) -> SagittalSeries:
        return SagittalSeries(np.load(path), self.truth.affine, source=path)


def test_a_further_reader_takes_what_it_recognises(
    scan, truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more entry in the list is all that it needs; all else stays with DICOM."""
    readers = (VoxelReader(truth), *series_readers.SERIES_READERS)
    monkeypatch.setattr(series_readers, "SERIES_READERS", readers)
    write(scan, make_series(truth))
    np.save(scan / "voxels.npy", truth.voxels)
    assert_exact(read_series(scan), truth)
    assert_exact(read_series(scan / "voxels.npy"), truth)
    assert [summary.description for summary in list_series(scan / "voxels.npy")] == ["voxels.npy"]
