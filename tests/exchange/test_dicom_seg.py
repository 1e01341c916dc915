from __future__ import annotations

import itertools
import zipfile
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from dicom_builder import Truth, make_enhanced, make_series, make_truth, nothing_said, save, write
from pydicom.sr.codedict import codes

from napari_spinemet.dicom import read_series
from napari_spinemet.dicom.reading import source_images
from napari_spinemet.exchange import read_annotation, write_annotation
from napari_spinemet.exchange.dicom_seg import DicomSegFormat
from napari_spinemet.exchange.formats import read_annotations
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.geometry import index_to_mm


def draw(series: SagittalSeries) -> Annotation:
    """Two lesions, one of them on a single slice, inside two of three vertebrae."""
    lesions = np.zeros(series.shape, dtype=np.uint16)
    vertebrae = np.zeros(series.shape, dtype=np.uint16)
    vertebrae[2:7, 3:9, 5:15] = 1
    vertebrae[2:7, 12:18, 6:16] = 2
    vertebrae[1:6, 21:27, 7:17] = 3
    lesions[3:5, 4:7, 6:9] = 1
    lesions[4, 13:17, 10:13] = 2
    return Annotation(
        lesions, vertebrae, {1: "L1", 2: "L2", 3: "S1"}, series.series_uid, "Reader^One"
    )


def assert_same(result: Annotation, annotation: Annotation) -> None:
    """Labels, level names, series and reader."""
    np.testing.assert_array_equal(result.lesions, annotation.lesions)
    np.testing.assert_array_equal(result.vertebrae, annotation.vertebrae)
    assert dict(result.levels) == dict(annotation.levels)
    assert (result.series_uid, result.reader) == (annotation.series_uid, annotation.reader)


STORAGE_ORDERS = {
    f"{'transposed ' * t}{'rows up ' * r}{'columns forward' * c}".strip() or "upright": (t, r, c)
    for t, r, c in itertools.product([False, True], repeat=3)
}


@pytest.mark.parametrize("order", STORAGE_ORDERS.values(), ids=STORAGE_ORDERS.keys())
def test_contours_come_back_as_they_were_drawn(order, tmp_path, truth, capfd) -> None:
    """Lesions, vertebrae and levels survive, whichever way the scan is stored."""
    transpose, flip_rows, flip_columns = order
    images = make_series(truth, transpose=transpose, flip_rows=flip_rows, flip_columns=flip_columns)
    write(tmp_path / "scan", images)
    with nothing_said(capfd):
        series = read_series(tmp_path / "scan")
        annotation = draw(series)
        (path,) = write_annotation(
            annotation, series, tmp_path / "contours" / "one.dcm", source_images=images
        )
        assert_same(read_annotation(path, series), annotation)
        assert_same(read_annotation(path.parent, series), annotation)


def test_contours_lie_on_the_grid_of_the_images_as_stored(tmp_path, truth) -> None:
    """Other viewers find the contours on the very images that they belong to."""
    images = make_series(truth, transpose=True, flip_rows=True)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    (path,) = write_annotation(draw(series), series, tmp_path / "one.dcm", source_images=images)
    contours_on_disk = pydicom.dcmread(path)
    assert (contours_on_disk.Rows, contours_on_disk.Columns) == (images[0].Rows, images[0].Columns)
    assert contours_on_disk.FrameOfReferenceUID == images[0].FrameOfReferenceUID
    (reference,) = contours_on_disk.ReferencedSeriesSequence
    assert reference.SeriesInstanceUID == images[0].SeriesInstanceUID


def test_gaps_in_the_numbers_are_kept(tmp_path, truth) -> None:
    """Erasing a lesion or a vertebra does not renumber the others, named or not."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    annotation = draw(series)
    vertebrae = annotation.vertebrae.astype(int)
    vertebrae[vertebrae == 1] = 40
    annotation = Annotation(
        np.where(annotation.lesions == 2, 7, 0), vertebrae, {2: "L2"}, series.series_uid, "R"
    )
    (path,) = write_annotation(annotation, series, tmp_path / "one.dcm", source_images=images)
    assert_same(read_annotation(path, series), annotation)


def add_noise(images: list[pydicom.FileDataset]) -> None:
    """Directions that differ in the fourth decimal."""
    for image, error in zip(images, np.linspace(-1e-4, 1e-4, len(images))):
        values = np.array(image.ImageOrientationPatient, dtype=float) + error
        image.ImageOrientationPatient = [f"{v:.9f}" for v in values]


def remove_identity(images: list[pydicom.FileDataset]) -> None:
    """Identity removed, and not only emptied."""
    for image in images:
        for keyword in ("PatientName", "PatientID", "StudyDate", "AccessionNumber", "StudyID"):
            delattr(image, keyword)


def remove_frame_of_reference(images: list[pydicom.FileDataset]) -> None:
    """Images that do not say which space they share."""
    for image in images:
        del image.FrameOfReferenceUID


@pytest.mark.parametrize("damage", [add_noise, remove_identity, remove_frame_of_reference])
def test_what_can_be_read_can_be_contoured(damage, tmp_path, truth) -> None:
    """A repair that reading makes is made for the contours too; the images stay as they are."""
    images = make_series(truth)
    damage(images)
    paths = write(tmp_path / "scan", images)
    bytes_before = [path.read_bytes() for path in paths]
    series = read_series(tmp_path / "scan")
    annotation = draw(series)
    images_on_disk = source_images(tmp_path / "scan", series.series_uid)
    (path,) = write_annotation(
        annotation, series, tmp_path / "one.dcm", source_images=images_on_disk
    )
    assert_same(read_annotation(path, series), annotation)
    assert [path.read_bytes() for path in paths] == bytes_before


def test_a_multi_frame_scan_can_be_contoured(tmp_path, truth) -> None:
    """The same round trip on an enhanced object whose frames run backwards."""
    save(make_enhanced(truth, order=range(8, -1, -1)), tmp_path / "scan" / "one")
    series = read_series(tmp_path / "scan")
    annotation = draw(series)
    (image,) = source_images(tmp_path / "scan", series.series_uid)
    (path,) = write_annotation(annotation, series, tmp_path / "one.dcm", source_images=[image])
    assert_same(read_annotation(path, series), annotation)


def contours_on_disk(tmp_path: Path, truth: Truth, **facts: str) -> Path:
    """Contours of a scan, on disk."""
    images = make_series(truth, **facts)
    write(tmp_path / "scan-of-contours", images)
    series = read_series(tmp_path / "scan-of-contours")
    (path,) = write_annotation(
        draw(series), series, tmp_path / "contours.dcm", source_images=images
    )
    return path


def test_contours_of_another_scan_are_refused(tmp_path, truth, refused) -> None:
    """Contours are tied to their frame of reference, even on the same grid."""
    path = contours_on_disk(tmp_path, truth, frame="other")
    write(tmp_path / "scan", make_series(truth))
    with refused("belong to another scan"):
        read_annotation(path, read_series(tmp_path / "scan"))


GRIDS = {
    "half the pixel": {"spacing_mm": (4.4, 0.45, 0.35), "shape": (9, 64, 48)},
    "twice the pixel": {"spacing_mm": (4.4, 1.8, 1.4), "shape": (9, 32, 24)},
    "shifted by half a pixel": {"origin": (-18.25, -40.15, 77.125)},
    "turned by a degree": {"angles": (1.0, 12.0, 7.0)},
    "turned by a fifth of a degree": {"angles": (0.2, 12.0, 7.0)},
    "fewer slices": {"shape": (4, 32, 24)},
    "fewer rows": {"shape": (9, 20, 24)},
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_contours_on_another_grid_are_refused(grid, tmp_path, truth, refused) -> None:
    """Contours are neither resampled, thinned out, nor cut off at the edge of a smaller scan."""
    path = contours_on_disk(tmp_path, truth)
    write(tmp_path / "scan", make_series(make_truth(**grid)))
    with refused("do not lie on the grid of this series"):
        read_annotation(path, read_series(tmp_path / "scan"))


def test_contours_are_written_on_their_own_grid_only(tmp_path, truth, refused) -> None:
    """Neither another shape nor the images of another scan are taken."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    other = np.zeros((3, 32, 24), dtype=np.uint16)
    other[1, 4, 4] = 1
    target = tmp_path / "out" / "one.dcm"
    with refused("contours have shape"):
        write_annotation(Annotation(other, other * 0), series, target, source_images=images)
    for wrong in (make_series(make_truth(angles=(0, 0, 0))), images[:5]):
        with refused("cannot be written on the grid of these images"):
            write_annotation(draw(series), series, target, source_images=wrong)
    with refused("needs the files of the scan"):
        write_annotation(draw(series), replace(series, source=None), target)
    assert not target.parent.exists()


def test_nothing_contoured_is_nothing_written(tmp_path, truth, refused) -> None:
    """An empty segmentation would look like a scan that was read and found healthy."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    nothing = np.zeros(series.shape, dtype=np.uint16)
    with refused("Nothing has been contoured"):
        write_annotation(
            Annotation(nothing, nothing), series, tmp_path / "one.dcm", source_images=images
        )
    assert not (tmp_path / "one.dcm").exists()


def test_a_failed_write_leaves_the_former_file(tmp_path, truth, refused, monkeypatch) -> None:
    """A full disk or a folder that cannot be written leaves nothing half done."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    (tmp_path / "file").write_text("not a folder")
    with refused("cannot be written"):
        write_annotation(draw(series), series, tmp_path / "file" / "one.dcm", source_images=images)
    (path,) = write_annotation(
        draw(series), series, tmp_path / "out" / "one.dcm", source_images=images
    )
    former = path.read_bytes()

    def full(self: object, target: Path, *_: object, **__: object) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pydicom.Dataset, "save_as", full)
    with refused("No space left on device"):
        write_annotation(draw(series), series, path, source_images=images)
    assert path.read_bytes() == former
    assert list(path.parent.iterdir()) == [path]


def test_no_contours_or_too_many_are_refused(tmp_path, truth, refused) -> None:
    """There is no guessing between two readers' contours."""
    write(tmp_path / "scan", make_series(truth))
    series = read_series(tmp_path / "scan")
    with refused("no contour files"):
        read_annotation(tmp_path / "scan", series)
    path = contours_on_disk(tmp_path, truth)
    (tmp_path / "both").mkdir()
    for name in "ab":
        (tmp_path / "both" / name).write_bytes(path.read_bytes())
    with refused("2 contour files"):
        read_annotation(tmp_path / "both", series)


def test_a_damaged_segmentation_is_one_sentence(tmp_path, truth, refused) -> None:
    """Attributes that are missing end in a sentence, not in the library's words."""
    path = contours_on_disk(tmp_path, truth)
    series = read_series(tmp_path / "scan-of-contours")
    for keyword in ("SegmentSequence", "FrameOfReferenceUID", "PerFrameFunctionalGroupsSequence"):
        segmentation = pydicom.dcmread(path)
        delattr(segmentation, keyword)
        save(segmentation, tmp_path / "damaged")
        with refused():
            read_annotation(tmp_path / "damaged", series)


def test_the_same_contours_give_the_same_file(tmp_path, truth) -> None:
    """With identifier and date given, output does not depend on the clock."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    first, second = (
        write_annotation(
            draw(series),
            series,
            tmp_path / name,
            source_images=images,
            uid="1.2.3",
            when="20240101",
        )[0].read_bytes()
        for name in ("one.dcm", "two.dcm")
    )
    assert first == second


def test_organs_of_another_program_are_passed_over(tmp_path, truth, refused) -> None:
    """A segment counts as what it is called; a file of organs alone is refused by name."""
    path = contours_on_disk(tmp_path, truth)
    series = read_series(tmp_path / "scan-of-contours")
    whole = read_annotation(path, series)
    segmentation = pydicom.dcmread(path)

    def rename(index: int, label: str, meaning: str) -> None:
        item = segmentation.SegmentSequence[index]
        item.SegmentLabel = label
        item.SegmentedPropertyTypeCodeSequence[0].CodeMeaning = meaning
        anatomy = pydicom.dcmread(path).SegmentSequence[-1].SegmentedPropertyCategoryCodeSequence
        item.SegmentedPropertyCategoryCodeSequence = anatomy

    kinds = [str(item.SegmentLabel) for item in segmentation.SegmentSequence]
    assert kinds == ["Lesion 1", "Lesion 2", "L1", "L2", "S1"]
    rename(0, "Disc", "Intervertebral disc below L1 vertebra")
    rename(2, "Metastasis", "Neoplasm")
    rename(3, "vertebrae_L2", "Bone")
    rename(4, "T4", "Bone")
    save(segmentation, tmp_path / "foreign")
    result = read_annotation(tmp_path / "foreign", series)
    np.testing.assert_array_equal(
        result.lesions > 0, (whole.lesions == 2) | (whole.vertebrae == 1) & (whole.lesions != 2)
    )
    np.testing.assert_array_equal(result.vertebrae > 0, whole.vertebrae > 1)
    for index in range(5):
        rename(index, "liver" if index else "paravertebral muscle", "Vertebral artery")
    save(segmentation, tmp_path / "organs")
    with refused("liver"):
        read_annotation(tmp_path / "organs", series)


def test_another_library_finds_the_contours_where_they_were_drawn(tmp_path, truth) -> None:
    """Each labelled voxel lies at the patient position that the series gives it."""
    images = make_series(truth, transpose=True, flip_columns=True)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    annotation = draw(series)
    (path,) = write_annotation(annotation, series, tmp_path / "one.dcm", source_images=images)
    segmentation = hd.seg.segread(path)
    for number in segmentation.segment_numbers:
        label = segmentation.get_segment_description(number).segment_label
        layer = annotation.lesions if label.startswith("Lesion") else annotation.vertebrae
        own = {"Lesion 1": 1, "Lesion 2": 2, "L1": 1, "L2": 2, "S1": 3}[label]
        volume = segmentation.get_volume(segment_numbers=[number], combine_segments=True)
        positions = np.argwhere(volume.array) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
        true_positions = index_to_mm(series.affine, np.argwhere(layer == own))
        assert len(positions) == len(true_positions)
        distances = np.linalg.norm(positions[:, None] - true_positions[None], axis=2)
        assert distances.min(axis=0).max() < 1e-3
        assert distances.min(axis=1).max() < 1e-3


def test_a_lesion_on_one_slice_alone_comes_back(tmp_path, truth) -> None:
    """One frame tells no distance of slices by itself."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    lesions = np.zeros(series.shape, dtype=np.uint16)
    lesions[8, 31, 20:24] = 1
    annotation = Annotation(lesions, lesions * 0, {}, series.series_uid)
    (path,) = write_annotation(annotation, series, tmp_path / "one.dcm", source_images=images)
    assert_same(read_annotation(path, series), annotation)


Segments = dict[str, npt.NDArray[np.generic]]


def other_program(
    images: list[pydicom.FileDataset],
    segments: Segments,
    path: Path,
    *,
    reader: str | None = None,
    fractional: bool = False,
) -> Path:
    """Contours as another program writes them: a mask for each label, as the images lie."""
    descriptions = []
    for number, label in enumerate(segments, 1):
        lesion = "esion" in label
        kind = "MorphologicallyAbnormalStructure" if lesion else "AnatomicalStructure"
        descriptions.append(
            hd.seg.SegmentDescription(
                segment_number=number,
                segment_label=label,
                segmented_property_category=getattr(codes.SCT, kind),
                segmented_property_type=codes.SCT.Neoplasm if lesion else codes.SCT.Vertebra,
                algorithm_type="MANUAL",
            )
        )
    segmentation = hd.seg.Segmentation(
        source_images=images,
        pixel_array=np.stack(list(segments.values()), axis=-1),
        segmentation_type="FRACTIONAL" if fractional else "BINARY",
        segment_descriptions=descriptions,
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="other",
        manufacturer_model_name="other",
        software_versions="1",
        device_serial_number="0",
        content_creator_name=reader,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    segmentation.save_as(path)
    return path


def block(rows: slice, columns: slice, slices: slice = slice(4, 5)) -> npt.NDArray[np.uint8]:
    """A box on the grid of the series."""
    mask = np.zeros((9, 32, 24), dtype=np.uint8)
    mask[slices, rows, columns] = 1
    return mask


def test_a_lesion_takes_nothing_from_its_vertebra(tmp_path, truth) -> None:
    """Two layers overlap as they should, and there is nothing to say about it."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    vertebra, lesion = block(slice(4, 12), slice(5, 15)), block(slice(6, 9), slice(7, 10))
    path = other_program(images, {"L3": vertebra, "Lesion 4": lesion}, tmp_path / "one.dcm")
    result = read_annotation(path, read_series(tmp_path / "scan"))
    np.testing.assert_array_equal(result.vertebrae, vertebra)
    np.testing.assert_array_equal(result.lesions, 4 * lesion)
    assert dict(result.levels) == {1: "L3"}
    assert result.warnings == ()


@pytest.mark.parametrize("order", [("Lesion 1", "Lesion 2"), ("Lesion 2", "Lesion 1")])
def test_the_smaller_of_two_lesions_keeps_what_they_share(order, tmp_path, truth) -> None:
    """A small lesion inside a large one stays, whichever is written first, and it is said."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    masks = {
        "Lesion 1": block(slice(4, 16), slice(5, 15)),
        "Lesion 2": block(slice(6, 9), slice(7, 11)),
    }
    path = other_program(images, {name: masks[name] for name in order}, tmp_path / "one.dcm")
    result = read_annotation(path, read_series(tmp_path / "scan"))
    np.testing.assert_array_equal(result.lesions == 2, masks["Lesion 2"] > 0)
    np.testing.assert_array_equal(result.lesions > 0, masks["Lesion 1"] > 0)
    (warning,) = result.warnings
    assert warning == (
        f"The segments {order[0]} and {order[1]} in one.dcm overlap in 12 pixels, which went to "
        "the smallest segment there, Lesion 2."
    )


def test_a_segment_of_which_nothing_is_left_is_named(tmp_path, truth) -> None:
    """Of two equal segments one goes, and of three that overlap each pair is counted."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    one, two = block(slice(4, 8), slice(5, 10)), block(slice(7, 10), slice(5, 10))
    masks = {"T1": one, "T2": one.copy(), "T3": two}
    result = read_annotation(other_program(images, masks, tmp_path / "one.dcm"), series)
    np.testing.assert_array_equal(result.vertebrae == 3, two > 0)
    np.testing.assert_array_equal(result.vertebrae == 1, (one > 0) & (two == 0))
    assert [warning.split(" in one.dcm")[0] for warning in result.warnings] == [
        "The segments T1 and T2", "The segments T1 and T3", "The segments T2 and T3",
        "Nothing is left of the segment T2",
    ]  # fmt: skip
    assert (
        "overlap in 20 pixels, which went to the smallest segment there, T1 or T3."
        in (result.warnings[0])
    )
    many = {f"T{n}": one.copy() for n in range(1, 6)}
    result = read_annotation(other_program(images, many, tmp_path / "two.dcm"), series)
    assert "In two.dcm 5 more pairs of segments overlap." in result.warnings


def test_fractions_count_from_a_half(tmp_path, truth) -> None:
    """A segmentation of fractions becomes the contour at one half."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    fractions = np.zeros((9, 32, 24), dtype=np.float32)
    fractions[4, 6, 5:10] = 0.1, 0.45, 0.55, 0.9, 1.0
    path = other_program(images, {"Lesion 1": fractions}, tmp_path / "one.dcm", fractional=True)
    result = read_annotation(path, read_series(tmp_path / "scan"))
    assert np.argwhere(result.lesions).tolist() == [[4, 6, 7], [4, 6, 8], [4, 6, 9]]


def test_no_segment_takes_the_number_of_another(tmp_path, truth) -> None:
    """Those without a number get the lowest ones that are free, wherever they stand."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    masks = {
        name: block(slice(row, row + 1), slice(4, 5))
        for row, name in enumerate(["a lesion", "Lesion 1", "Lesion 65535", "lesion b"])
    }
    path = other_program(images, masks, tmp_path / "one.dcm")
    result = read_annotation(path, read_series(tmp_path / "scan"))
    assert result.lesions[4, :4, 4].tolist() == [2, 1, 65535, 3]


def test_the_contours_of_several_readers_come_one_by_one(tmp_path, truth) -> None:
    """By reader and then by age, out of a folder, a zip or a single file."""
    images = make_series(truth)
    write(tmp_path / "all" / "scan", images)
    series = read_series(tmp_path / "all" / "scan")
    annotation = draw(series)
    for name, reader, date in (
        ("1.dcm", "Zoe", "20240101"), ("2.dcm", "Ann", "20240301"), ("3.dcm", "", "20240101"),
        ("4.dcm", "Ann", "20240201"),
    ):  # fmt: skip
        by = Annotation(
            annotation.lesions, annotation.vertebrae, annotation.levels, series.series_uid, reader
        )
        write_annotation(by, series, tmp_path / "all" / name, source_images=images, when=date)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in (tmp_path / "all").glob("*.dcm"):
            archive.write(path, path.name)
    for path in (tmp_path / "all", tmp_path / "all.zip"):
        assert len(DicomSegFormat().find_files(path)) == 4
        result = read_annotations(path, series)
        assert [(a.reader, a.created) for a in result] == [
            ("", "20240101T000000"), ("Ann", "20240201T000000"), ("Ann", "20240301T000000"),
            ("Zoe", "20240101T000000"),
        ]  # fmt: skip
        for annotation in result:
            np.testing.assert_array_equal(annotation.lesions, annotation.lesions)
            assert annotation.warnings == ()
    (single,) = read_annotations(tmp_path / "all" / "1.dcm", series)
    assert single.reader == "Zoe"


def test_contours_without_a_date_have_none(tmp_path, truth) -> None:
    """An empty date is no letter T."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    path = other_program(images, {"L3": block(slice(4, 9), slice(5, 9))}, tmp_path / "one.dcm")
    segmentation = pydicom.dcmread(path)
    segmentation.ContentDate = segmentation.ContentTime = ""
    save(segmentation, path)
    assert read_annotation(path, read_series(tmp_path / "scan")).created == ""


def test_contours_of_other_scans_beside_those_of_this_one_are_passed_over(tmp_path, truth) -> None:
    """Those of another scan without a word; those that should have fitted are named."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    masks = {"L3": block(slice(4, 9), slice(5, 9))}
    other = make_series(truth, name="b", frame="other")
    other_program(other, masks, tmp_path / "all" / "other.dcm", reader="Other")
    other_program(images, masks, tmp_path / "all" / "own.dcm", reader="Own")
    (result,) = read_annotations(tmp_path / "all", series)
    assert (result.reader, result.warnings) == ("Own", ())
    shifted_images = make_series(make_truth(origin=(-18.25, -40.15, 77.125)), name="c")
    other_program(shifted_images, masks, tmp_path / "all" / "shifted.dcm")
    other_program(images, {"liver": masks["L3"]}, tmp_path / "all" / "unknown.dcm")
    organs = pydicom.dcmread(tmp_path / "all" / "unknown.dcm")
    organs.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeMeaning = "Liver"
    save(organs, tmp_path / "all" / "unknown.dcm")
    (result,) = read_annotations(tmp_path / "all", series)
    (warning,) = result.warnings
    assert "2 could not be used and were passed over: the contours in shifted.dcm do not" in warning
    assert warning.endswith(" and so on.")


def test_contours_of_a_series_with_the_same_grid(tmp_path, truth) -> None:
    """A T1 beside its STIR: its contours are taken where there are no others, and it is said."""
    images, t1_images = make_series(truth), make_series(truth, name="t1")
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    masks = {"L3": block(slice(4, 9), slice(5, 9))}
    other_program(t1_images, masks, tmp_path / "all" / "t1.dcm", reader="A")
    (result,) = read_annotations(tmp_path / "all", series)
    assert "t1.dcm were drawn on another series, which has the same grid" in result.warnings[0]
    np.testing.assert_array_equal(result.vertebrae, masks["L3"])
    other_program(images, masks, tmp_path / "all" / "stir.dcm", reader="B")
    (result,) = read_annotations(tmp_path / "all", series)
    assert (result.reader, result.warnings) == ("B", ())


def test_if_nothing_fits_the_reasons_are_given(tmp_path, truth, refused) -> None:
    """One file gives its own sentence, several the first reasons of each, none says so."""
    write(tmp_path / "scan", make_series(truth))
    series = read_series(tmp_path / "scan")
    with refused("no contour files"):
        read_annotations(tmp_path / "scan", series)
    masks = {"L3": block(slice(4, 9), slice(5, 9))}
    shifted_images = make_series(make_truth(origin=(-18.25, -40.15, 77.125)))
    other_program(shifted_images, masks, tmp_path / "all" / "a.dcm")
    with refused("in a.dcm do not lie on the grid of this series .they are shifted by 0.35 mm"):
        read_annotations(tmp_path / "all", series)
    other = make_series(truth, frame="other")
    for name in "bcd":
        other_program(other, masks, tmp_path / "all" / f"{name}.dcm")
    with refused("None of the 4 sets .* the contours in a.dcm do not lie .*in b.dcm .*and so on"):
        read_annotations(tmp_path / "all", series)
