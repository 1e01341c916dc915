"""Which series are looked at beside another one."""

from __future__ import annotations

from pathlib import Path

from dicom_builder import Truth, make_series, make_truth, write
from pydicom.uid import generate_uid

from napari_spinemet.dicom import read_series
from napari_spinemet.dicom.companions import find_companions


def write_examination(folder: Path, **others: dict[str, str]) -> Path:
    """A STIR, and other series by name, each with what is different of it."""
    truth = make_truth()
    write(folder / "stir", make_series(truth, name="stir"))
    for name, differences in others.items():
        images = make_series(truth, name=name, frame=differences.pop("frame", "frame"))
        for image in images:
            image.SeriesDescription = name
            for keyword, value in differences.items():
                if value:
                    setattr(image, keyword, value)
                else:
                    delattr(image, keyword)
        write(folder / name, images)
    return folder


T1 = {"InversionTime": "", "RepetitionTime": "500", "EchoTime": "10", "ScanningSequence": "SE"}
T2 = {"InversionTime": "", "RepetitionTime": "4000", "EchoTime": "100", "ScanningSequence": "SE"}


def test_those_of_the_same_space_are_found_and_the_t1_comes_first(tmp_path: Path) -> None:
    """In whatever order they lie there; what is no series of it is left out."""
    write_examination(
        tmp_path,
        a_t2=dict(T2),
        b_t1=dict(T1),
        other_frame=dict(T1, frame="elsewhere"),
        other_study=dict(T1, StudyInstanceUID=generate_uid()),
    )
    stir = read_series(tmp_path / "stir")
    companions = find_companions([tmp_path, tmp_path / "nowhere", tmp_path / "b_t1"], stir)
    assert [companion.summary.contrast for companion in companions] == ["T1", "T2"]
    assert companions[0].name == "b_t1"
    t1 = companions[0].read_series()
    assert t1.contrast == "T1"
    assert t1.frame_of_reference_uid == stir.frame_of_reference_uid


def test_planes_and_planning_slices_are_no_companions(tmp_path: Path) -> None:
    """Nor is anything of a scan that tells no frame of reference."""
    write_examination(tmp_path, t1=dict(T1))
    truth = make_truth()
    short = Truth(truth.voxels[:2], truth.affine)
    write(tmp_path / "scout", make_series(short, name="scout"))
    axial = Truth(truth.voxels, truth.affine[:, [2, 1, 0, 3]])
    write(tmp_path / "axial", make_series(axial, name="axial"))
    stir = read_series(tmp_path / "stir")
    assert [each.summary.description for each in find_companions([tmp_path], stir)] == ["t1"]
    unframed = make_series(truth, name="unframed")
    for image in unframed:
        del image.FrameOfReferenceUID
    write(tmp_path / "unframed", unframed)
    assert find_companions([tmp_path], read_series(tmp_path / "unframed")) == []
