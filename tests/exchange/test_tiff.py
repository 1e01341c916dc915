"""TIFF: the same labels at the same place in the patient, or a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from contour_files import OTHER_GRIDS
from dicom_builder import make_truth

from napari_spinemet.exchange import read_annotation
from napari_spinemet.exchange.tiff import TiffFormat
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.geometry import index_to_mm

TIFF = TiffFormat()


def test_imagej_reads_the_stack(series, annotation, tmp_path) -> None:
    """Its own kind of TIFF with spacing in mm; compressed, each slice has its own page."""
    path, _ = TIFF.write_files(annotation, series, tmp_path, "a")
    with tifffile.TiffFile(path) as stack:
        assert stack.is_imagej
        assert (stack.imagej_metadata["slices"], stack.imagej_metadata["unit"]) == (9, "mm")
        assert stack.imagej_metadata["spacing"] == pytest.approx(4.4)
        page = stack.pages[0]
        pixels, per = page.tags["XResolution"].value
        assert per / pixels == pytest.approx(0.7)
        assert (len(stack.pages), page.compression.name) == (9, "ADOBE_DEFLATE")
        np.testing.assert_array_equal(stack.asarray(), annotation.lesions)


def test_a_tiff_on_another_grid_is_refused(series, annotation, tmp_path, refused) -> None:
    """The position in our own files counts, and so does the series."""
    for number, (grid, words) in enumerate(OTHER_GRIDS.values()):
        truth = make_truth(**grid)
        other = SagittalSeries(truth.voxels, truth.affine, series_uid=series.series_uid)
        TIFF.write_files(annotation, other, tmp_path, f"{number}")
        with refused(f"{number}_lesions.tif do not lie on the grid of this series .*{words}"):
            read_annotation(tmp_path / f"{number}_lesions.tif", series)


def test_a_tiff_of_part_of_the_grid_finds_its_place(series, annotation, tmp_path) -> None:
    """Padded to the series, since it tells where it lies."""
    affine = series.affine.copy()
    affine[:3, 3] = index_to_mm(series.affine, (1, 2, 3))
    part = SagittalSeries(series.voxels[1:8, 2:30, 3:20], affine, series_uid=series.series_uid)
    box = (slice(1, 8), slice(2, 30), slice(3, 20))
    part_annotation = Annotation(
        annotation.lesions[box], annotation.vertebrae[box], {}, series.series_uid
    )
    TIFF.write_files(part_annotation, part, tmp_path, "a")
    result = read_annotation(tmp_path, series)
    np.testing.assert_array_equal(result.vertebrae, annotation.vertebrae)


def test_a_foreign_tiff_is_taken_slice_by_slice_with_a_warning(
    series, annotation, tmp_path, refused
) -> None:
    """As napari and others write it: no position, so the shape must be that of the series."""
    path = tmp_path / "lesions.tif"
    tifffile.imwrite(path, annotation.lesions.astype(np.int32))
    result = read_annotation(path, series)
    np.testing.assert_array_equal(result.lesions, annotation.lesions)
    (warning,) = result.warnings
    assert "lesions.tif tells no position" in warning
    assert "from the patient's right to the left" in warning
    for shape in ((9, 24, 32), (8, 32, 24), (32, 24)):
        tifffile.imwrite(path, np.zeros(shape, np.uint16))
        with refused("lesions.tif has the shape"):
            read_annotation(path, series)
    tifffile.imwrite(path, annotation.lesions / 2, photometric="minisblack")
    with refused("labels are whole numbers"):
        read_annotation(path, series)


@pytest.mark.parametrize(
    ("spacing", "unit", "fits"),
    [
        ((4.42, 0.905, 0.702), "mm", True), ((4.4, 0.9, 0.72), "mm", False),
        ((4.0, 0.9, 0.7), "mm", False), ((4400.0, 900.0, 700.0), "micron", True),
        ((4.4, 0.9, 0.7), "micron", False), ((1.0, 1.0, 1.0), "pixel", True),
    ],
)  # fmt: skip
def test_the_spacing_of_an_imagej_stack_must_agree(
    spacing, unit, fits, series, tmp_path, refused
) -> None:
    """Within one hundredth, in the unit that the file tells; without one nothing is told."""
    path = tmp_path / "tumour.tif"
    tifffile.imwrite(
        path,
        np.ones(series.shape, np.uint8),
        imagej=True,
        resolution=(1 / spacing[2], 1 / spacing[1]),
        metadata={"axes": "ZYX", "spacing": spacing[0], "unit": unit},
    )
    if fits:
        assert read_annotation(path, series).lesions.all()
    else:
        with refused("mm apart, but"):
            read_annotation(path, series)


def test_the_spacing_of_other_tiffs_must_agree(series, tmp_path, refused) -> None:
    """By resolution or by OME's words; dots per inch that every program puts say nothing."""
    path, ones = tmp_path / "tumor.tif", np.ones(series.shape, np.uint8)
    for resolution, unit, fits in (
        ((10 / 0.7, 10 / 0.9), "CENTIMETER", True), ((10 / 0.9, 10 / 0.7), "CENTIMETER", False),
        ((72, 72), "INCH", True), ((300, 300), "INCH", False),
    ):  # fmt: skip
        tifffile.imwrite(path, ones, resolution=resolution, resolutionunit=unit)
        if fits:
            assert read_annotation(path, series).lesions.all()
        else:
            with refused("the rows are"):
                read_annotation(path, series)
    for depth, fits in ((4.4, True), (4.5, False)):
        size = {"PhysicalSizeZ": depth, "PhysicalSizeZUnit": "mm", "PhysicalSizeX": 700}
        tifffile.imwrite(path, ones, ome=True, metadata={"axes": "ZYX", **size})
        if fits:
            assert read_annotation(path, series).lesions.all()
        else:
            with refused("the slices are 4.5 mm apart"):
                read_annotation(path, series)


def edited_in_imagej(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """ImageJ keeps the text that came with a stack, adds its own, and drops the program's name."""
    with tifffile.TiffFile(path) as stack:
        data, metadata = stack.asarray(), stack.imagej_metadata
    info = f"Title: x\n{metadata['Info']}\nSaved: today"
    metadata = {"axes": "ZYX", "spacing": metadata["spacing"], "unit": "mm", "Info": info}
    tifffile.imwrite(
        path, change(data), imagej=True, resolution=(1 / 0.7, 1 / 0.9), metadata=metadata,
        software="",
    )  # fmt: skip


def test_a_stack_edited_in_imagej_keeps_its_position(series, annotation, tmp_path, refused) -> None:
    """What was painted there counts; a crop loses the position and is refused."""
    path = TIFF.write_files(annotation, series, tmp_path, "a")[0]

    def paint(data: np.ndarray) -> np.ndarray:
        data[8, 3, 2] = 9
        return data

    edited_in_imagej(path, paint)
    result = read_annotation(path, series)
    assert result.reader == annotation.reader
    assert result.lesions[8, 3, 2] == 9
    assert "saved by another program" in result.warnings[0]
    edited_in_imagej(path, lambda data: data[1:])
    with refused("was cropped or turned"):
        read_annotation(path, series)


def test_a_tiff_says_itself_what_it_holds(series, annotation, tmp_path, refused) -> None:
    """A new name does not make vertebrae of lesions, and nor does the user by mistake."""
    lesions, _ = TIFF.write_files(annotation, series, tmp_path, "a")
    new_path = lesions.rename(tmp_path / "vertebrae.tif")
    np.testing.assert_array_equal(read_annotation(new_path, series).lesions, annotation.lesions)
    with refused("says that it holds lesions, not vertebrae"):
        read_annotation(new_path, series, kind="vertebrae")


def test_pages_that_changed_places_are_found(series, annotation, tmp_path, refused) -> None:
    """Each page has its own checksum, but their order has none but ours."""
    path = TIFF.write_files(annotation, series, tmp_path, "a")[0]
    with tifffile.TiffFile(path) as stack:
        tags = [stack.pages[k].tags["StripOffsets"] for k in (3, 5)]
        counts = [stack.pages[k].tags["StripByteCounts"] for k in (3, 5)]
    data = bytearray(path.read_bytes())
    for pair in (tags, counts):
        one, other = (slice(tag.valueoffset, tag.valueoffset + 4) for tag in pair)
        data[one], data[other] = data[other], data[one]
    path.write_bytes(data)
    assert not np.array_equal(tifffile.imread(path), annotation.lesions)
    with refused("a_lesions.tif .* .its labels are not those that were written"):
        read_annotation(path, series)
