from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pydicom
import pytest

from napari_spinemet.dicom import read_annotation, read_series, write_annotation
from napari_spinemet.dicom.reading import source_images
from napari_spinemet.imaging import Annotation, SagittalSeries

from .builder import Truth, make_enhanced, make_series, make_truth, save, write
from .conftest import nothing_said


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


def assert_same(read: Annotation, drawn: Annotation) -> None:
    """Labels, level names, series and reader."""
    np.testing.assert_array_equal(read.lesions, drawn.lesions)
    np.testing.assert_array_equal(read.vertebrae, drawn.vertebrae)
    assert dict(read.levels) == dict(drawn.levels)
    assert (read.series_uid, read.reader) == (drawn.series_uid, drawn.reader)


STORED = {
    f"{'transposed ' * t}{'rows up ' * r}{'columns forward' * c}".strip() or "upright": (t, r, c)
    for t, r, c in itertools.product([False, True], repeat=3)
}


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED.keys())
def test_contours_come_back_as_they_were_drawn(stored, tmp_path, truth, capfd) -> None:
    """Lesions, vertebrae and levels survive, whichever way the scan is stored."""
    transpose, flip_rows, flip_columns = stored
    images = make_series(truth, transpose=transpose, flip_rows=flip_rows, flip_columns=flip_columns)
    write(tmp_path / "scan", images)
    with nothing_said(capfd):
        series = read_series(tmp_path / "scan")
        drawn = draw(series)
        path = write_annotation(drawn, series, images, tmp_path / "contours" / "one.dcm")
        assert_same(read_annotation(path, series), drawn)
        assert_same(read_annotation(path.parent, series), drawn)


def test_contours_lie_on_the_grid_of_the_images_as_stored(tmp_path, truth) -> None:
    """Other viewers find the contours on the very images that they belong to."""
    images = make_series(truth, transpose=True, flip_rows=True)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    path = write_annotation(draw(series), series, images, tmp_path / "one.dcm")
    written = pydicom.dcmread(path)
    assert (written.Rows, written.Columns) == (images[0].Rows, images[0].Columns)
    assert written.FrameOfReferenceUID == images[0].FrameOfReferenceUID
    (referenced,) = written.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == images[0].SeriesInstanceUID


def test_gaps_in_the_numbers_are_kept(tmp_path, truth) -> None:
    """Erasing a lesion or a vertebra does not renumber the others, named or not."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    drawn = draw(series)
    vertebrae = drawn.vertebrae.astype(int)
    vertebrae[vertebrae == 1] = 40
    drawn = Annotation(
        np.where(drawn.lesions == 2, 7, 0), vertebrae, {2: "L2"}, series.series_uid, "R"
    )
    path = write_annotation(drawn, series, images, tmp_path / "one.dcm")
    assert_same(read_annotation(path, series), drawn)


def repaired_noise(images: list[pydicom.FileDataset]) -> None:
    """Directions that differ in the fourth decimal."""
    for image, error in zip(images, np.linspace(-1e-4, 1e-4, len(images))):
        values = np.array(image.ImageOrientationPatient, dtype=float) + error
        image.ImageOrientationPatient = [f"{v:.9f}" for v in values]


def anonymised(images: list[pydicom.FileDataset]) -> None:
    """Identity removed, and not only emptied."""
    for image in images:
        for keyword in ("PatientName", "PatientID", "StudyDate", "AccessionNumber", "StudyID"):
            delattr(image, keyword)


def no_frame_of_reference(images: list[pydicom.FileDataset]) -> None:
    """Images that do not say which space they share."""
    for image in images:
        del image.FrameOfReferenceUID


@pytest.mark.parametrize("damage", [repaired_noise, anonymised, no_frame_of_reference])
def test_what_can_be_read_can_be_contoured(damage, tmp_path, truth) -> None:
    """A repair that reading makes is made for the contours too; the images stay as they are."""
    images = make_series(truth)
    damage(images)
    paths = write(tmp_path / "scan", images)
    before = [path.read_bytes() for path in paths]
    series = read_series(tmp_path / "scan")
    drawn = draw(series)
    again = source_images(tmp_path / "scan", series.series_uid)
    path = write_annotation(drawn, series, again, tmp_path / "one.dcm")
    assert_same(read_annotation(path, series), drawn)
    assert [path.read_bytes() for path in paths] == before


def test_a_multi_frame_scan_can_be_contoured(tmp_path, truth) -> None:
    """The same round trip on an enhanced object whose frames run backwards."""
    save(make_enhanced(truth, order=range(8, -1, -1)), tmp_path / "scan" / "one")
    series = read_series(tmp_path / "scan")
    drawn = draw(series)
    (image,) = source_images(tmp_path / "scan", series.series_uid)
    path = write_annotation(drawn, series, [image], tmp_path / "one.dcm")
    assert_same(read_annotation(path, series), drawn)


def written(tmp_path: Path, truth: Truth, **facts: str) -> Path:
    """Contours of a scan, on disk."""
    images = make_series(truth, **facts)
    write(tmp_path / "scan-of-contours", images)
    series = read_series(tmp_path / "scan-of-contours")
    return write_annotation(draw(series), series, images, tmp_path / "contours.dcm")


def test_contours_of_another_scan_are_refused(tmp_path, truth, refused) -> None:
    """Contours are tied to their frame of reference, even on the same grid."""
    path = written(tmp_path, truth, frame="other")
    write(tmp_path / "scan", make_series(truth))
    with refused("belong to another scan"):
        read_annotation(path, read_series(tmp_path / "scan"))


GRIDS = {
    "half the pixel": {"spacing_mm": (4.4, 0.45, 0.35), "shape": (9, 64, 48)},
    "twice the pixel": {"spacing_mm": (4.4, 1.8, 1.4), "shape": (9, 32, 24)},
    "shifted by half a pixel": {"origin": (-18.25, -40.15, 77.125)},
    "turned by a degree": {"angles": (1.0, 12.0, 7.0)},
    "fewer slices": {"shape": (4, 32, 24)},
    "fewer rows": {"shape": (9, 20, 24)},
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_contours_on_another_grid_are_refused(grid, tmp_path, truth, refused) -> None:
    """Contours are neither resampled, thinned out, nor cut off at the edge of a smaller scan."""
    path = written(tmp_path, truth)
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
        write_annotation(Annotation(other, other * 0), series, images, target)
    for wrong in (make_series(make_truth(angles=(0, 0, 0))), images[:5], []):
        with refused("cannot be written on the grid of these images"):
            write_annotation(draw(series), series, wrong, target)
    assert not target.parent.exists()


def test_nothing_contoured_is_nothing_written(tmp_path, truth, refused) -> None:
    """An empty segmentation would look like a scan that was read and found healthy."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    nothing = np.zeros(series.shape, dtype=np.uint16)
    with refused("Nothing has been contoured"):
        write_annotation(Annotation(nothing, nothing), series, images, tmp_path / "one.dcm")
    assert not (tmp_path / "one.dcm").exists()


def test_a_failed_write_leaves_the_former_file(tmp_path, truth, refused, monkeypatch) -> None:
    """A full disk or a folder that cannot be written leaves nothing half done."""
    images = make_series(truth)
    write(tmp_path / "scan", images)
    series = read_series(tmp_path / "scan")
    (tmp_path / "file").write_text("not a folder")
    with refused("cannot be written"):
        write_annotation(draw(series), series, images, tmp_path / "file" / "one.dcm")
    path = write_annotation(draw(series), series, images, tmp_path / "out" / "one.dcm")
    former = path.read_bytes()

    def full(self: object, target: Path, *_: object, **__: object) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pydicom.Dataset, "save_as", full)
    with refused("No space left on device"):
        write_annotation(draw(series), series, images, path)
    assert path.read_bytes() == former
    assert list(path.parent.iterdir()) == [path]


def test_no_contours_or_too_many_are_refused(tmp_path, truth, refused) -> None:
    """There is no guessing between two readers' contours."""
    write(tmp_path / "scan", make_series(truth))
    series = read_series(tmp_path / "scan")
    with refused("no contour files"):
        read_annotation(tmp_path / "scan", series)
    path = written(tmp_path, truth)
    (tmp_path / "both").mkdir()
    for name in "ab":
        (tmp_path / "both" / name).write_bytes(path.read_bytes())
    with refused("2 contour files"):
        read_annotation(tmp_path / "both", series)


def test_a_damaged_segmentation_is_one_sentence(tmp_path, truth, refused) -> None:
    """Attributes that are missing end in a sentence, not in the library's words."""
    path = written(tmp_path, truth)
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
            draw(series), series, images, tmp_path / name, uid="1.2.3", when="20240101"
        ).read_bytes()
        for name in ("one", "two")
    )
    assert first == second


def test_organs_of_another_program_are_passed_over(tmp_path, truth, refused) -> None:
    """A segment counts as what it is called; a file of organs alone is refused by name."""
    path = written(tmp_path, truth)
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
    read = read_annotation(tmp_path / "foreign", series)
    np.testing.assert_array_equal(
        read.lesions > 0, (whole.lesions == 2) | (whole.vertebrae == 1) & (whole.lesions != 2)
    )
    np.testing.assert_array_equal(read.vertebrae > 0, whole.vertebrae > 1)
    for index in range(5):
        rename(index, "liver" if index else "paravertebral muscle", "Vertebral artery")
    save(segmentation, tmp_path / "organs")
    with refused("liver"):
        read_annotation(tmp_path / "organs", series)
