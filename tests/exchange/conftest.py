"""A scan and contours on it, for all formats."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_builder import make_series, make_truth, write

from napari_spinemet.dicom import read_series
from napari_spinemet.imaging import Annotation, SagittalSeries


@pytest.fixture(scope="session")
def images() -> list:
    """A scan of three different spacings and sizes, oblique by 12 and 7 degrees."""
    return make_series(make_truth())


@pytest.fixture(scope="session")
def series(images: list, tmp_path_factory: pytest.TempPathFactory) -> SagittalSeries:
    """That scan as it is read."""
    folder = tmp_path_factory.mktemp("scan")
    write(folder, images)
    return read_series(folder)


@pytest.fixture
def annotation(series: SagittalSeries) -> Annotation:
    """Lesions up to the corners of the grid, in vertebrae whose numbers have gaps."""
    lesions = np.zeros(series.shape, dtype=np.uint16)
    vertebrae = np.zeros(series.shape, dtype=np.uint16)
    vertebrae[2:7, 3:9, 5:15] = 1
    vertebrae[2:7, 12:18, 6:16] = 2
    vertebrae[1:6, 21:27, 7:17] = 40
    lesions[3:5, 4:7, 6:9] = 1
    lesions[4, 13:17, 10:13] = 3
    lesions[0, 0, 0], lesions[-1, -1, 0], lesions[0, -1, -1] = 4, 5, 65535
    levels = {1: "L1", 2: "L2", 40: "Übergang"}
    return Annotation(lesions, vertebrae, levels, series.series_uid, "Müller^Ärztin")
