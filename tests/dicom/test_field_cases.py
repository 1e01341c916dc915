"""What hospitals send and forgers make up: found by trying to break the reader."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest
from dicom_builder import (
    assert_exact,
    make_enhanced,
    make_series,
    make_truth,
    save,
    write,
)
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.dicom.stacks import sorting

SERIES = generate_uid(entropy_srcs=["a", "series"])


def of_one_series(images):
    for image in images:
        image.SeriesInstanceUID = SERIES
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return images


def codes(series) -> set[str]:
    return {warning.code for warning in series.warnings}


@pytest.mark.parametrize("other_identifier", [False, True])
def test_a_lost_slice_is_told_beside_a_copy_of_another(scan, truth, other_identifier) -> None:
    """The number of images says nothing then; that of the slices does."""
    images = make_series(truth)
    for image in images:
        image.ImagesInAcquisition = 9
    write(scan, images[1:])
    copy = of_one_series(make_series(truth))[4] if other_identifier else images[4]
    save(copy, scan / "copy")
    series = read_series(scan)
    assert_exact(series, truth.without(0))
    assert codes(series) == {"files-doubled", "slices-missing"}


def test_a_lost_slice_of_one_station_is_told(scan, truth) -> None:
    """Each of them is numbered from 1."""
    below = make_truth(seed=3, origin=(-18.25, -90.5, -172.0))
    write(scan, make_series(truth) + of_one_series(make_series(below))[1:])
    upper, lower = (read_series(scan, SERIES, stack) for stack in (1, 2))
    assert (codes(upper), codes(lower)) == (set(), {"slices-missing"})


def test_stations_of_unequal_size_are_no_scouts(scan, truth) -> None:
    below = make_truth(shape=(4, 32, 24), seed=3, origin=(-18.25, -90.5, -172.0))
    write(scan, make_series(truth) + of_one_series(make_series(below)))
    assert [(s.slices, s.detectable) for s in list_series(scan)] == [(9, True), (4, True)]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_all_read(tmp_path, truth) -> None:
    """An archive that was flattened holds several of them."""
    archive = tmp_path / "scan.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in write(tmp_path / "scan", make_series(truth)):
            target.write(path, "IM1")
    series = read_series(archive)
    assert_exact(series, truth)
    assert series.warnings == ()


def test_forged_combinations_of_attributes_end(tmp_path, monkeypatch) -> None:
    """Every split is tried only so often, however many attributes differ."""
    trials = []
    real_is_box = sorting._is_box
    monkeypatch.setattr(sorting, "_is_box", lambda part: trials.append(1) or real_is_box(part))
    count = 7
    image = make_enhanced(make_truth(shape=(4, 4, 4)), order=[0, 1, 3] * 2**count)
    for k, frame in enumerate(image.PerFrameFunctionalGroupsSequence):
        content, bits = frame.FrameContentSequence[0], k // 3
        content.TemporalPositionIndex = 1 + (bits & 1)
        content.FrameAcquisitionNumber = 1 + (bits >> 1 & 1)
        content.StackID = str(bits >> 2 & 1)
        timing, kind, echo, diffusion = Dataset(), Dataset(), Dataset(), Dataset()
        timing.RepetitionTime = str(4000 + (bits >> 3 & 1))
        kind.FrameType = ["ORIGINAL", "PRIMARY", "X", str(bits >> 4 & 1)]
        echo.EffectiveEchoTime = 60 + 0.1 * (bits >> 5 & 1)
        diffusion.DiffusionDirectionality = str(bits >> 6 & 1)
        frame.MRTimingAndRelatedParametersSequence = [timing]
        frame.MRImageFrameTypeSequence = [kind]
        frame.MREchoSequence = [echo]
        frame.MRDiffusionSequence = [diffusion]
    save(image, tmp_path / "one")
    (summary,) = list_series(tmp_path)
    assert not summary.detectable
    assert len(trials) < 3000


def test_planes_without_end_are_not_compared_with_each_other(tmp_path, truth, refused) -> None:
    image = make_enhanced(truth, order=[0] * 1500)
    del image.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for k, frame in enumerate(image.PerFrameFunctionalGroupsSequence):
        item = Dataset()
        angle = 2 * np.pi * k / 1500
        item.ImageOrientationPatient = [
            0,
            np.cos(angle),
            np.sin(angle),
            0,
            -np.sin(angle),
            np.cos(angle),
        ]
        frame.PlaneOrientationSequence = [item]
    save(image, tmp_path / "one")
    with refused("do not form one volume"):
        read_series(tmp_path)


def test_what_is_beyond_all_planes_never_joins_a_volume(scan, truth, monkeypatch, refused) -> None:
    """The last slice is another person's, and its place is where the stack would go on."""
    monkeypatch.setattr(sorting, "_MOST_GROUPS", 1)
    images = make_series(truth)
    images[8].PatientID = "OTHER"
    write(scan, images)
    with refused("do not form one volume"):
        read_series(scan)


@pytest.mark.parametrize("number", ["100000009", "2147483647"])
def test_a_number_beyond_all_counts_is_none(scan, truth, number) -> None:
    images = make_series(truth)
    images[8].InstanceNumber = number
    write(scan, images)
    assert read_series(scan).warnings == ()


DIFFUSION = {
    "ScanningSequence": "SE", "EchoTime": "75", "RepetitionTime": "4500", "InversionTime": "0",
    "ScanOptions": "FS", "ImageType": ["ORIGINAL", "PRIMARY", "M_SE", "M", "SE"],
}  # fmt: skip


def changed(images, facts):
    for image in images:
        for keyword, value in facts.items():
            setattr(image, keyword, value)
    return images


def test_diffusion_is_known_by_its_name_and_by_its_series(scan, truth) -> None:
    """Spin echoes with fat suppression: what the private attributes said was taken away."""
    write(scan, changed(make_series(truth), {**DIFFUSION, "SeriesDescription": "DWI b800 sag"}))
    assert [(s.contrast, s.detectable) for s in list_series(scan)] == [("DWI", False)]
    for path in scan.iterdir():
        path.unlink()
    pair = [
        changed(images, {**DIFFUSION, "DiffusionBValue": b, "SeriesDescription": "sag"})
        for b, images in ((0.0, make_series(truth)), (800.0, of_one_series(make_series(truth))))
    ]
    write(scan, pair[0] + pair[1])
    assert {(s.stack_name, s.contrast) for s in list_series(scan)} == {
        ("b-value 0", "DWI"),
        ("b-value 800", "DWI"),
    }


def test_a_b_value_of_0_alone_is_no_diffusion(scan, truth) -> None:
    """Some scanners write it into every series."""
    write(scan, changed(make_series(truth), {"DiffusionBValue": 0.0}))
    assert [s.detectable for s in list_series(scan)] == [True]


PLAIN_T2 = {
    "ScanningSequence": "SE",
    "EchoTime": "95",
    "RepetitionTime": "3500",
    "InversionTime": "0",
}


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("FAT: Sag T2 FLEX", "fat"),
        ("FAT: Sag T2 IDEAL", "fat"),
        ("InPhase: Sag T2 FLEX", "in-phase"),
        ("OutPhase: Sag T2 FLEX", "opposed-phase"),
        ("t2_tse_dixon_sag_F", "fat"),
        ("t2_tse_dixon_sag_in", "in-phase"),
        ("t2_tse_dixon_sag_opp", "opposed-phase"),
        ("SAG T2 NO FAT SUPPRESSION", "T2"),
        ("SAG T2 W/O FAT SUPP", "T2"),
        ("T2 sag no SPAIR", "T2"),
        ("SAG T2 FLEX W/O", "T2"),
        ("T2 SAG FLEX COIL W/O GAD", "T2"),
        ("T2 WATER FAT INPHASE", "T2"),
    ],
)
def test_other_images_of_a_dixon_scan_are_not_that_of_water(scan, truth, name, contrast) -> None:
    """GE writes the same options into all of them."""
    facts = {**PLAIN_T2, "SeriesDescription": name, "ScanOptions": ["FAST_GEMS", "FLEX_GEMS"]}
    write(scan, changed(make_series(truth), facts))
    (summary,) = list_series(scan)
    assert (summary.contrast, summary.detectable) == (contrast, False)


@pytest.mark.parametrize("name", ["WATER: Sag T2 FLEX", "t2_tse_dixon_sag_W"])
def test_the_water_image_of_a_dixon_scan_is_detectable(scan, truth, name) -> None:
    write(scan, changed(make_series(truth), {**PLAIN_T2, "SeriesDescription": name}))
    assert [s.detectable for s in list_series(scan)] == [True]


@pytest.mark.parametrize(
    "class_uid",
    ["1.3.12.2.1107.5.9.1", "1.3.46.670589.11.0.0.12.4", "1.2.840.113619.4.30"],
)
def test_objects_of_vendors_without_an_image_are_no_damage(scan, truth, class_uid) -> None:
    """They lie beside the images on many discs."""
    extra = make_series(truth, name="extra")[0]
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(extra, keyword)
    extra.SOPClassUID = extra.file_meta.MediaStorageSOPClassUID = class_uid
    save(extra, scan / "XX_0001")
    write(scan, make_series(truth))
    assert read_series(scan).warnings == ()


@pytest.mark.parametrize("step", [4.4 * 0.9, 4.0, -4.0, 1.0])
def test_slice_location_may_count_in_another_step(scan, step) -> None:
    """Along an axis of the patient, by the thickness, or by the number."""
    truth = make_truth(shape=(19, 8, 8))
    images = make_series(truth)
    for k, image in enumerate(images):
        image.SliceLocation = f"{step * k - 33:.4f}"
    write(scan, images)
    assert read_series(scan).warnings == ()


def test_headers_of_the_wrong_kind_are_no_exception(scan, truth) -> None:
    """A backslash in a code, a number for a sequence: the others are listed all the same."""
    write(scan / "good", make_series(truth, name="good"))
    write(scan / "one", changed(make_series(truth, name="one"), {"Modality": ["MR", "MR"]}))
    images = make_series(truth, name="two")
    for image in images:
        image.add(DataElement(0x00082218, "US", 5))
    write(scan / "two", images)
    names = {summary.description for summary in list_series(scan)}
    assert {"STIR SAG good", "STIR SAG one", "STIR SAG two"} <= names


def test_a_slice_lost_between_two_parts_is_told(scan, truth) -> None:
    images = make_series(truth)
    for image in images[5:]:
        image.SeriesInstanceUID = "1.2.3"
    write(scan, images[:5] + images[6:])
    assert codes(read_series(scan, SERIES)) == {"slices-missing"}


def test_two_scans_half_a_step_apart_stay_two(scan, truth, refused) -> None:
    """Each is numbered by itself: a scan that was repeated, a little moved."""
    affine = truth.affine.copy()
    affine[:3, 3] = truth.at(0.5, 0, 0)
    moved = make_series(replace(truth, affine=affine))
    for image in moved:
        image.SeriesInstanceUID = "1.2.3"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    write(scan, make_series(truth) + moved)
    with refused("2 series in .* can be detected on"):
        read_series(scan)
