"""Declared padding is no measurement: it becomes the least value that was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dicom_builder import (
    Truth,
    assert_exact,
    enhanced_truth,
    make_enhanced,
    make_series,
    pixels_of,
    save,
    write,
)
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from napari_spinemet.dicom import read_series

SIDE = 4


def pad(image, value: int, *, limit: int | None = None, signed: bool = True, slices=None) -> None:
    """Store 16 bits with ``SIDE`` columns of padding on both sides, in all frames."""
    kind = "<i2" if signed else "<u2"
    frames = int(image.get("NumberOfFrames", 1))
    pixels = np.frombuffer(image.PixelData, "<u2").reshape(frames, image.Rows, image.Columns)
    pixels = pixels.astype(kind)
    pixels[:, :, :SIDE] = value
    pixels[:, :, -SIDE:] = value if limit is None else limit
    image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 15, int(signed)
    image.PixelData = pixels.tobytes()
    image.add_new("PixelPaddingValue", "SS" if signed else "US", value)
    if limit is not None:
        image.add_new("PixelPaddingRangeLimit", "SS" if signed else "US", limit)


def padded_truth(truth: Truth, least: float | None = None) -> Truth:
    """What is to be read: the border has the least of the other values."""
    voxels = truth.voxels.copy()
    border = np.ones(voxels.shape[-1], dtype=bool)
    border[SIDE:-SIDE] = False
    voxels[..., border] = voxels[..., ~border].min() if least is None else least
    return replace(truth, voxels=voxels)


@pytest.mark.parametrize(
    ("value", "limit", "signed"),
    [(-32768, None, True), (65535, None, False), (-32768, -32001, True), (-32001, -32768, True)],
)
def test_padding_becomes_the_least_true_value(scan, truth, value, limit, signed) -> None:
    """A value, or all between value and limit in either order; signed or not."""
    images = make_series(truth)
    for image in images:
        pad(image, value, limit=limit, signed=signed)
    write(scan, images)
    series = read_series(scan)
    assert_exact(series, padded_truth(truth))
    assert series.warnings == ()


def test_a_padding_value_of_the_wrong_sign_is_understood(scan, truth) -> None:
    """63536 is -2000 where pixels are signed."""
    images = make_series(truth)
    for image in images:
        pad(image, -2000)
        image.add_new("PixelPaddingValue", "US", 63536)
    write(scan, images)
    assert_exact(read_series(scan), padded_truth(truth))


@pytest.mark.parametrize("syntax", [RLELossless, ExplicitVRBigEndian])
def test_padding_is_found_however_pixels_are_stored(scan, truth, syntax) -> None:
    """Compressed, and with the bytes the other way round."""
    images = make_series(truth)
    for image in images:
        pad(image, 65535, signed=False)
        if syntax == RLELossless:
            image.compress(syntax)
        else:
            image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
            image.file_meta.TransferSyntaxUID = syntax
    write(scan, images)
    assert_exact(read_series(scan), padded_truth(truth))


def test_the_least_value_is_that_after_scale_and_inversion(scan, truth) -> None:
    """A slope, and MONOCHROME1: the padding is dark, as the darkest that was measured."""
    images = make_series(truth)
    for image in images:
        pad(image, 65535, signed=False)
        image.RescaleSlope, image.RescaleIntercept = "3", "-7"
        image.PhotometricInterpretation = "MONOCHROME1"
    write(scan, images)
    series = read_series(scan)
    inside = series.voxels[..., SIDE:-SIDE]
    expected = -3 * truth.voxels[..., SIDE:-SIDE]
    np.testing.assert_array_equal(inside - inside.min(), expected - expected.min())
    assert set(np.unique(series.voxels[..., :SIDE])) == {inside.min()}


def test_only_images_that_declare_padding_have_any(scan, truth) -> None:
    """The same number elsewhere is a measurement; a slice that is all padding is dark."""
    images = make_series(truth)
    number = int(pixels_of(images[2])[5, 5])
    images[0].add_new("PixelPaddingValue", "US", number)
    images[8].PixelData = np.full_like(pixels_of(images[8]), 7, "<u2").tobytes()
    images[8].add_new("PixelPaddingValue", "US", 7)
    write(scan, images)
    voxels = truth.voxels.copy()
    least = voxels[:8].min()
    voxels[0][voxels[0] == number] = least
    voxels[8] = least
    assert_exact(read_series(scan), replace(truth, voxels=voxels))


def test_padding_of_a_multi_frame_object(scan, truth) -> None:
    """Frames have a scale of their own: the least value is that of all of them."""
    image = make_enhanced(truth, order=[3, 1, 0, 2, 8, 7, 6, 5, 4])
    pad(image, 65535, signed=False)
    save(image, scan / "all")
    assert_exact(read_series(scan), padded_truth(enhanced_truth(truth)))
