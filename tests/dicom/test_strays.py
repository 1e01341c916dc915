"""Slices whose identifiers were damaged are told, wherever they have gone."""

from __future__ import annotations

import pytest
from dicom_builder import assert_exact, make_series, write

from napari_spinemet.dicom import read_series

DAMAGE: dict[str, dict[str, object]] = {
    "series and frame of reference": {"SeriesInstanceUID": "1.2", "FrameOfReferenceUID": "1.2.3"},
    "series and position": {
        "SeriesInstanceUID": "1.2",
        "ImagePositionPatient": [15.3, -36.3, 69.8],
    },
    "series and description": {"SeriesInstanceUID": "1.2", "SeriesDescription": "x"},
    "series and direction": {
        "SeriesInstanceUID": "1.2", "SeriesDescription": "x",
        "ImageOrientationPatient": [0.9, 0.9, 0, 0, 0, 1],
    },
    "series and echo time": {"SeriesInstanceUID": "1.2", "EchoTime": "90"},
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_slice_in_a_broken_series_beside_it_is_told(scan, truth, damage) -> None:
    """Its own one, of one slice, is no volume."""
    images = make_series(truth)
    for keyword, value in damage.items():
        setattr(images[8], keyword, value)
    write(scan, images)
    series = read_series(scan)
    assert_exact(series, truth.without(8))
    (warning,) = series.warnings
    assert (warning.code, warning.is_grave) == ("slices-missing", True)
    assert warning.startswith("1 slice that may belong to this series")


def test_whole_series_and_scouts_beside_it_say_nothing(scan, truth) -> None:
    """Another contrast of the same slices, and a picture of another plane and size."""
    t1 = make_series(truth, name="t1")
    for image in t1:
        image.ScanningSequence, image.RepetitionTime, image.EchoTime = "SE", "500", "10"
        image.InversionTime = "0"
    scout = make_series(truth, name="scout")[:1]
    scout[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    write(scan, make_series(truth) + t1 + scout)
    assert read_series(scan).warnings == ()
