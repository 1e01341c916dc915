"""A study on disk: cases, contours, imports and likelihood maps."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.legacy import LegacyConvertedEnhancedMRImage

from napari_spinemet.dicom import read_series
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, LikelihoodMap
from napari_spinemet.phantom.sample import SEED, sample_study
from napari_spinemet.study import Case, Study
from napari_spinemet.study.connections import Readers
from napari_spinemet.study.contour_rows import ContourRows
from napari_spinemet.study.database import CONTOURS_APPROVED, CaseRecord
from napari_spinemet.study.import_contours import keep_beside, take_contours
from napari_spinemet.study.map_identity import MapIdentity


@pytest.fixture(scope="module")
def sample() -> Path:
    """The sample study that comes with the program: one diseased and one normal case."""
    return sample_study()


@pytest.fixture
def scan(sample: Path) -> Path:
    """Folder of a scan, which is only read."""
    return sample / "case-001" / "scan"


@pytest.fixture
def study(sample: Path, tmp_path: Path) -> Iterator[Study]:
    """A copy of the sample study that may be changed."""
    left = shutil.ignore_patterns("*.sqlite*", "*.lock")
    made = Study(shutil.copytree(sample, tmp_path / "study", ignore=left), write=True)
    yield made
    made.close()


def test_cases_are_folders_with_a_scan_by_name(study: Study) -> None:
    """Models, likelihoods, files and half-made imports are no cases."""
    (study.path / "models").mkdir()
    (study.path / "likelihood" / "m").mkdir(parents=True)
    (study.path / "notes.txt").write_text("")
    (study.path / ".case-003.partial" / "scan").mkdir(parents=True)
    assert [case.name for case in study.cases()] == ["case-001", "normal-001"]


def test_a_case_is_new_until_it_has_contours(study: Study) -> None:
    """The state follows what is on disk."""
    case = study.cases()[0]
    assert case.has_contours
    assert str(case.state) == "contoured"
    shutil.rmtree(case.path / "contours")
    assert not case.has_contours
    assert str(case.state) == "new"
    (case.path / "contours").mkdir()
    assert str(case.state) == "new"
    with pytest.raises(SpinemetError, match="case-001 has no contours yet"):
        case.annotation(case.series())


def test_contoured_cases_come_with_scan_and_contours(study: Study) -> None:
    """In order, each annotation on the grid of its series; new cases are passed over."""
    shutil.rmtree(study.cases()[1].path / "contours")
    ((case, series, annotation),) = study.contoured_cases()
    assert case.name == "case-001"
    assert annotation.lesions.shape == series.shape
    assert annotation.lesions.any()


def test_a_study_without_cases_or_contours_says_so(tmp_path: Path, study: Study) -> None:
    """One sentence each, that says what to do."""
    with pytest.raises(SpinemetError, match="no study at"):
        Study(tmp_path / "nowhere")
    empty = Study(tmp_path / "empty", create=True)
    with pytest.raises(SpinemetError, match=r"no cases in .*choose a folder"):
        list(empty.contoured_cases())
    for case in study.cases():
        shutil.rmtree(case.path / "contours")
    with pytest.raises(SpinemetError, match=r"None of the 2 cases .*draw some first"):
        list(study.contoured_cases())


def test_saved_contours_come_back_identical(study: Study) -> None:
    """Both arrays, pixel for pixel, and the levels; former contours are replaced."""
    case = study.cases()[0]
    series = case.series()
    rng = np.random.default_rng(0)
    lesions = np.zeros(series.shape, dtype=np.uint16)
    vertebrae = np.zeros_like(lesions)
    lesions[4, 100:130, 120:150] = rng.random((30, 30)) > 0.5
    lesions[6:8, 200:220, 130:140] = 2
    vertebrae[3:9, 95:140, 110:160] = 1
    vertebrae[3:9, 190:230, 110:160] = 2
    drawn = Annotation(lesions, vertebrae, {1: "T12", 2: "L1"}, reader="Reader^Test")
    case.save_annotation(drawn, series)
    back = case.annotation(case.series())
    np.testing.assert_array_equal(back.lesions, lesions)
    np.testing.assert_array_equal(back.vertebrae, vertebrae)
    assert dict(back.levels) == {1: "T12", 2: "L1"}
    assert back.series_uid == series.series_uid
    less = Annotation(np.where(lesions == 2, 0, lesions), vertebrae, {1: "T11"})
    before = study.database.revision
    case.save_annotation(less, series)
    again = Study(study.path).cases()[0].annotation(series)
    np.testing.assert_array_equal(again.lesions, less.lesions)
    np.testing.assert_array_equal(again.vertebrae, vertebrae)
    assert dict(again.levels) == {1: "T11"}
    assert study.database.revision - before == 3  # two slices and the levels
    assert study.database.verify() == []


def test_the_first_stroke_keeps_what_the_case_came_with(study: Study) -> None:
    """Contours that came as DICOM stay as they were on every other slice, and in their file."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    files = {f: f.read_bytes() for f in (case.path / "contours").iterdir()}
    drawn = came.lesions.copy()
    drawn[2, 50:60, 50:60] = 9
    case.save_annotation(Annotation(drawn, came.vertebrae, came.levels), series)
    back = case.annotation(series)
    np.testing.assert_array_equal(back.lesions, drawn)
    np.testing.assert_array_equal(back.vertebrae, came.vertebrae)
    assert dict(back.levels) == dict(came.levels)
    assert {f: f.read_bytes() for f in (case.path / "contours").iterdir()} == files


def test_approval_is_of_the_contours_as_they_are(study: Study) -> None:
    """Contours that came with the case can be approved; a stroke takes the approval back."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    case.approve(series)
    assert str(case.state) == "approved"
    assert case.has_contours
    np.testing.assert_array_equal(case.annotation(series).lesions, came.lesions)
    case.save_annotation(case.annotation(series), series)
    assert str(case.state) == "approved"  # nothing was changed
    drawn = came.lesions.copy()
    drawn[2, 50:60, 50:60] = 9
    case.save_annotation(Annotation(drawn, came.vertebrae, came.levels), series)
    assert str(case.state) == "contoured"
    states = [e.subject for e in study.database.audit() if e.action == "state"]
    assert len(states) == 3
    with pytest.raises(SpinemetError, match="for reading"):
        Study(study.path).cases()[0].approve(series)


def test_a_first_stroke_that_is_cut_off_leaves_what_the_case_came_with(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case, both layers and levels are one transaction: a part of them is nothing."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    real = ContourRows.save

    def cut(self: ContourRows, name: str, layer: str, slices: dict, **more: str) -> None:
        if layer == "vertebrae":
            raise SpinemetError("The disk is full.")
        real(self, name, layer, slices, **more)

    monkeypatch.setattr(ContourRows, "save", cut)
    with pytest.raises(SpinemetError, match="full"):
        case.save_annotation(came, series)
    assert case.record is None
    back = case.annotation(series)
    np.testing.assert_array_equal(back.lesions, came.lesions)
    np.testing.assert_array_equal(back.vertebrae, came.vertebrae)
    assert study.database.verify() == []
    monkeypatch.setattr(ContourRows, "save", real)
    case.save_annotation(came, series)
    assert case.record is not None
    assert study.database.verify() == []


def test_a_second_look_cannot_save_and_says_why(study: Study) -> None:
    """It reads what the first has saved."""
    other = Study(study.path, write=True)
    assert "Another program" in other.read_only_reason
    case = other.cases()[0]
    series = case.series()
    with pytest.raises(SpinemetError, match=r"cannot be saved\. Another program"):
        case.save_annotation(case.annotation(series), series)
    reading = Study(study.path)
    with pytest.raises(SpinemetError, match=r"cannot be saved\. .*for reading"):
        reading.cases()[0].save_annotation(case.annotation(series), series)


def test_states_of_five_hundred_cases_are_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is asked once, however many cases there are."""
    study = Study(tmp_path, write=True)
    for number in range(500):
        (tmp_path / f"case-{number:03d}" / "scan").mkdir(parents=True)
    record = CaseRecord("case-007", "1.2", "case-007/scan", True, "", (1, 2, 2), CONTOURS_APPROVED)
    study.database.add_case(record)
    queries: list[str] = []
    rows = Readers.rows

    def count(self: Readers, query: str, values: tuple[object, ...] = ()) -> list[object]:
        queries.append(query)
        return rows(self, query, values)

    monkeypatch.setattr(Readers, "rows", count)
    states = study.states()
    assert len(queries) == 1
    assert [str(state) for _, state in states].count("approved") == 1
    assert str(states[7][1]) == "approved"
    assert len(states) == 500
    study.close()


def test_the_sample_study_is_the_phantom_that_it_says(study: Study) -> None:
    """A study of phantoms knows how it was made; any other says nothing."""
    assert study.origin["phantom"]["seed"] == SEED
    (study.path / "cohort.json").write_text("[1]")
    assert study.origin == {}
    (study.path / "cohort.json").write_text("{")
    assert study.origin == {}
    (study.path / "cohort.json").unlink()
    assert study.origin == {}


def _pixels(folder: Path) -> dict[str, bytes]:
    return {str((d := pydicom.dcmread(f)).SOPInstanceUID): d.PixelData for f in folder.iterdir()}


@pytest.mark.parametrize("packed", [False, True])
def test_a_scan_that_is_referred_to_stays_where_it_is(
    scan: Path, tmp_path: Path, packed: bool
) -> None:
    """In a folder or a zip; contours are kept, and a scan that was moved or changed is told."""
    place = shutil.copytree(scan, tmp_path / "elsewhere" / "Röntgen")
    if packed:
        archive = shutil.make_archive(str(tmp_path / "scan"), "zip", place)
        shutil.rmtree(place)
        place = Path(archive)
    study = Study(tmp_path / "study", create=True, write=True)
    series = read_series(place)
    case = study.import_scan(place, series, copy=False)
    assert not case.path.exists()
    assert [c.name for c in study.cases()] == ["case-001"]
    assert study.case_of(series.series_uid) == case
    assert study.import_scan(place, series, copy=False) == case
    assert (case.scan, str(case.state)) == (place, "new")
    np.testing.assert_array_equal(case.series().voxels, series.voxels)
    drawn = np.zeros(series.shape, np.uint16)
    drawn[3, 40:50, 40:50] = 1
    case.save_annotation(Annotation(drawn, 0 * drawn), series)
    np.testing.assert_array_equal(case.annotation(series).lesions, drawn)
    assert study.verify() == []
    if packed:
        shutil.unpack_archive(place, tmp_path / "unpacked")
        image = sorted((tmp_path / "unpacked").iterdir())[3]
        image.write_bytes(image.read_bytes()[:-2] + b"xy")
        shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "unpacked")
    else:
        image = sorted(place.iterdir())[3]
        image.write_bytes(image.read_bytes()[:-2] + b"xy")
    with pytest.raises(SpinemetError, match=r"case-001 at .* was changed"):
        case.series()
    place.rename(place.parent / "moved")
    with pytest.raises(SpinemetError, match=r"no longer at .*; put it back"):
        case.series()
    assert ["missing or was changed" in told for told in study.verify()] == [True]
    study.close()
    with pytest.raises(SpinemetError, match="for reading"):
        Study(tmp_path).import_scan(scan, read_series(scan), copy=False)


def test_contours_of_several_readers_are_kept_apart(study: Study) -> None:
    """Those that the study works with are not touched by another's."""
    case = study.cases()[0]
    series = case.series()
    mine = case.annotation(series)
    theirs = np.zeros_like(mine.lesions)
    theirs[2, 5:9, 5:9] = 1
    take_contours(case, [Annotation(theirs, 0 * theirs, reader="Dr Ö")], series)
    assert case.readers() == ["Dr Ö"]
    np.testing.assert_array_equal(case.annotation(series, "Dr Ö").lesions, theirs)
    np.testing.assert_array_equal(case.annotation(series).lesions, mine.lesions)
    assert case.annotation(series).levels == mine.levels
    with pytest.raises(SpinemetError, match="do not say whose"):
        take_contours(case, [Annotation(theirs, 0 * theirs)], series)
    with pytest.raises(SpinemetError, match="no contours by Dr A"):
        case.annotation(series, "Dr A")
    with pytest.raises(SpinemetError, match="lesions and vertebrae by Dr Ö"):
        take_contours(case, [Annotation(theirs, 0 * theirs, reader="Dr Ö")] * 2, series)
    apart = [
        Annotation(theirs, 0 * theirs, holds=("lesions",)),
        Annotation(0 * theirs, theirs, {1: "L1"}, holds=("vertebrae",)),
    ]
    take_contours(case, apart, series, reader="Dr B")
    got = case.annotation(series, "Dr B")
    np.testing.assert_array_equal(got.lesions, got.vertebrae)
    assert got.levels == {1: "L1"}
    with pytest.raises(SpinemetError, match="lesions and vertebrae by the study already"):
        take_contours(case, [Annotation(theirs, 0 * theirs)], series, reader="")
    np.testing.assert_array_equal(case.annotation(series).lesions, mine.lesions)
    take_contours(case, [Annotation(theirs, 0 * theirs)], series, reader="", replace=True)
    np.testing.assert_array_equal(case.annotation(series).lesions, theirs)
    assert study.verify() == []


def test_lesions_and_vertebrae_of_a_reader_may_come_one_after_the_other(study: Study) -> None:
    """A file of one says nothing of the other; the same kind again needs to be asked for."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    lesions = Annotation(came.lesions, 0 * came.lesions, holds=("lesions",))
    bodies = Annotation(0 * came.lesions, came.vertebrae, came.levels, holds=("vertebrae",))
    for annotation in (lesions, bodies, lesions):  # the same again changes nothing
        take_contours(case, [annotation], series, reader="Dr C")
    got = case.annotation(series, "Dr C")
    np.testing.assert_array_equal(got.lesions, came.lesions)
    np.testing.assert_array_equal(got.vertebrae, came.vertebrae)
    assert got.levels == came.levels
    other = Annotation(np.roll(came.lesions, 3, 2), 0 * came.lesions, holds=("lesions",))
    with pytest.raises(SpinemetError, match=r"has lesions by Dr C already.*replaced"):
        take_contours(case, [other], series, reader="Dr C")
    np.testing.assert_array_equal(case.annotation(series, "Dr C").lesions, came.lesions)
    assert keep_beside(case, other, series, "Dr C") == "Dr C 2"
    assert keep_beside(case, other, series, "Dr C") == "Dr C 2"
    assert case.readers() == ["Dr C", "Dr C 2"]
    take_contours(case, [other], series, reader="Dr C", replace=True)
    got = case.annotation(series, "Dr C")
    np.testing.assert_array_equal(got.lesions, other.lesions)
    np.testing.assert_array_equal(got.vertebrae, came.vertebrae)
    # Those the case came with, of which only one kind is replaced.
    take_contours(case, [other], series, reader="", replace=True)
    np.testing.assert_array_equal(case.annotation(series).lesions, other.lesions)
    np.testing.assert_array_equal(case.annotation(series).vertebrae, came.vertebrae)
    assert case.annotation(series).levels == came.levels
    assert study.verify() == []


def test_the_only_contours_of_a_case_are_the_ones_it_works_with(study: Study) -> None:
    """Whoever drew them."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    shutil.rmtree(case.path / "contours")
    assert not case.has_contours
    drawn = [
        Annotation(came.lesions, 0 * came.lesions, reader="Dr Ö", holds=("lesions",)),
        Annotation(0 * came.lesions, came.vertebrae, reader="Dr Ö", holds=("vertebrae",)),
    ]
    for annotation in drawn:
        take_contours(case, [annotation], series)
    np.testing.assert_array_equal(case.annotation(series).lesions, came.lesions)
    assert case.has_contours
    assert case.readers() == []
    np.testing.assert_array_equal(case.annotation(series).vertebrae, came.vertebrae)


def test_an_imported_scan_is_copied_whole(scan: Path, tmp_path: Path) -> None:
    """Every image with its pixels, as a new case; the source is not touched."""
    before = {f.name: zlib.crc32(f.read_bytes()) for f in scan.iterdir()}
    study = Study(tmp_path / "study", create=True)
    series = read_series(scan)
    case = study.import_scan(scan, series)
    assert (case.name, str(case.state)) == ("case-001", "new")
    assert _pixels(case.path / "scan") == _pixels(scan)
    again = case.series()
    np.testing.assert_array_equal(again.voxels, series.voxels)
    np.testing.assert_allclose(again.affine, series.affine)
    assert {f.name: zlib.crc32(f.read_bytes()) for f in scan.iterdir()} == before
    assert [p.name for p in study.path.iterdir()] == ["case-001"]


def test_copied_files_are_the_very_bytes(scan: Path, tmp_path: Path) -> None:
    """In the order of the slices, also out of a folder that holds another series as well."""
    source = Path(shutil.copytree(scan, tmp_path / "source"))
    for file in scan.iterdir():
        image = pydicom.dcmread(file)
        image.SeriesInstanceUID += ".7"
        image.save_as(source / f"other-{file.name}")
    series = read_series(scan)
    case = Study(tmp_path / "study", create=True).import_scan(
        source, read_series(source, series.series_uid)
    )
    copies = sorted((case.path / "scan").iterdir())
    assert [copy.name for copy in copies] == [f"IM{n:04d}" for n in range(1, len(copies) + 1)]
    assert sorted(c.read_bytes() for c in copies) == sorted(f.read_bytes() for f in scan.iterdir())
    positions = [float(pydicom.dcmread(c).ImagePositionPatient[0]) for c in copies]
    assert positions in (sorted(positions), sorted(positions, reverse=True))


def test_files_without_a_preamble_become_dicom_files(scan: Path, tmp_path: Path) -> None:
    """As images out of a zip do: every program then reads what the study holds."""
    source = tmp_path / "source"
    source.mkdir()
    for file in scan.iterdir():
        image = pydicom.dcmread(file)
        bare = pydicom.Dataset(image)
        pydicom.dcmwrite(
            source / file.name,
            bare,
            implicit_vr=True,
            little_endian=True,
            enforce_file_format=False,
        )
    series = read_series(source)
    case = Study(tmp_path / "study", create=True).import_scan(source, series)
    for copy in (case.path / "scan").iterdir():
        assert copy.read_bytes()[128:132] == b"DICM"
    np.testing.assert_array_equal(case.series().voxels, series.voxels)


def test_a_scan_is_imported_once(study: Study, scan: Path) -> None:
    """A series that is there already is that case."""
    assert study.import_scan(scan, read_series(scan)).name == "case-001"
    assert len(study.cases()) == 2


def test_one_damaged_case_does_not_stop_the_others(study: Study, sample: Path) -> None:
    """A scan is imported and found although another case can no longer be read."""
    for image in (study.path / "case-001" / "scan").iterdir():
        image.write_bytes(b"damaged")
    source = sample / "case-001" / "scan"
    series = read_series(source)
    case = study.import_scan(source, series)
    assert case.name == "case-002"
    assert study.case_of(series.series_uid) == case


def test_numbers_of_cases_are_never_used_twice(study: Study, scan: Path) -> None:
    """Neither that of a case whose scan was taken away, nor what only looks like a number."""
    shutil.rmtree(study.path / "case-001" / "scan")
    (study.path / "case-²").mkdir()
    case = study.import_scan(scan, read_series(scan))
    assert case.name == "case-002"
    assert (study.path / "case-001" / "contours").is_dir()


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), ValueError("odd")])
@pytest.mark.parametrize("packed", [False, True])
def test_an_import_that_fails_leaves_nothing(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, packed: bool
) -> None:
    """Half way through the images, for whatever reason, from a folder or a zip."""
    empty = Study(tmp_path / "other", create=True)
    source = Path(shutil.make_archive(str(tmp_path / "scan"), "zip", scan)) if packed else scan
    series = read_series(source)
    owner, name = (pydicom.Dataset, "save_as") if packed else (shutil, "copyfile")
    write, calls = getattr(owner, name), []

    def write_three(*arguments: object, **keywords: object) -> None:
        calls.append(1)
        if len(calls) > 3:
            raise failure
        write(*arguments, **keywords)

    monkeypatch.setattr(owner, name, write_three)
    expected = SpinemetError if isinstance(failure, OSError) else ValueError
    with pytest.raises(expected):
        empty.import_scan(source, series)
    assert len(calls) == 4
    assert list(empty.path.iterdir()) == []
    assert empty.cases() == []


def test_a_source_that_is_gone_leaves_nothing(scan: Path, tmp_path: Path) -> None:
    """The disc was taken out between opening and importing."""
    series = read_series(scan)
    study = Study(tmp_path / "study", create=True)
    with pytest.raises(SpinemetError):
        study.import_scan(tmp_path / "gone", series)
    assert list(study.path.iterdir()) == []


def test_a_scan_of_another_contrast_can_be_read_again(scan: Path, tmp_path: Path) -> None:
    """Who chose a T1 series by name and imported it finds it in the study."""
    source = tmp_path / "source"
    source.mkdir()
    for file in scan.iterdir():
        image = pydicom.dcmread(file)
        image.ScanningSequence, image.RepetitionTime, image.EchoTime = "SE", "500", "12"
        image.SeriesDescription = "T1 SAG"
        del image.InversionTime
        image.save_as(source / file.name)
    uid = str(image.SeriesInstanceUID)
    with pytest.raises(SpinemetError, match="T1"):
        read_series(source)
    case = Study(tmp_path / "study", create=True).import_scan(source, read_series(source, uid))
    assert case.series().contrast == "T1"


def test_a_multi_frame_scan_is_copied_once(scan: Path, tmp_path: Path) -> None:
    """One file of 13 frames stays one file."""
    images = [pydicom.dcmread(f) for f in sorted(scan.iterdir())]
    for image in images:
        image.PatientName, image.PatientSex = "Phantom^Spine", "O"
        image.VolumetricProperties = "VOLUME"
    enhanced = LegacyConvertedEnhancedMRImage(
        images, pydicom.uid.generate_uid(), 1, pydicom.uid.generate_uid(), 1
    )
    source = tmp_path / "source"
    source.mkdir()
    enhanced.save_as(source / "enhanced.dcm")
    try:
        series = read_series(source)
    except SpinemetError as error:
        pytest.skip(f"this conversion is not read: {error}")
    case = Study(tmp_path / "study", create=True).import_scan(source, series)
    assert len(list((case.path / "scan").iterdir())) == 1
    np.testing.assert_array_equal(case.series().voxels, series.voxels)


def _likelihood(lfp_affine: Callable[..., np.ndarray], vertebra: bool) -> LikelihoodMap:
    rng = np.random.default_rng(0)
    values = rng.random((3, 40, 44)).astype(np.float32)
    return LikelihoodMap(
        values,
        lfp_affine((3.3, 1.0, 1.0)),
        (11, 33),
        (3.3, 0.88, 0.88),
        vertebra=1 - values if vertebra else None,
        stride=2,
        model="dense:0123/abc",
        series_uid="1.2.3",
    )


@pytest.mark.parametrize("vertebra", [False, True])
def test_a_likelihood_map_comes_back_as_it_was(
    study: Study, lfp_affine: Callable[..., np.ndarray], vertebra: bool
) -> None:
    """Every field of a plain map, bit for bit; one map for each case and model."""
    made, case = _likelihood(lfp_affine, vertebra), study.cases()[0]
    made_by = MapIdentity.of_model(made.model)
    assert study.likelihood_map(case, made_by) is None
    study.save_likelihood_map(case, made_by, made)
    back = study.likelihood_map(case, made_by)
    assert back is not None
    for name, value in vars(made).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(back, name), value)
        else:
            assert getattr(back, name) == value
    assert study.likelihood_map(case, MapIdentity.of_model("dense:9999")) is None
    assert study.likelihood_map(study.cases()[1], made_by) is None
    assert len(study.cases()) == 2


def test_an_aggregated_map_is_not_stored_as_a_plain_one(
    study: Study, lfp_affine: Callable[..., np.ndarray]
) -> None:
    """Else it would be aggregated twice later."""
    plain = _likelihood(lfp_affine, False)
    aggregated = LikelihoodMap(
        plain.values, plain.affine, plain.columns, plain.series_spacing_mm, weight=0.4
    )
    with pytest.raises(ValueError, match="aggregated"):
        study.save_likelihood_map(study.cases()[0], MapIdentity.of_model("m"), aggregated)


def test_a_damaged_likelihood_map_counts_as_none(
    study: Study, lfp_affine: Callable[..., np.ndarray]
) -> None:
    """Cut short, emptied, another format, or with bytes changed anywhere: it is made again."""
    case, made = study.cases()[0], _likelihood(lfp_affine, True)
    made_by = MapIdentity.of_model(made.model)
    study.save_likelihood_map(case, made_by, made)
    (path,) = (study.path / "likelihood").rglob("*.npz")
    whole = path.read_bytes()
    for damaged in (b"", b"text", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(damaged)
        assert study.likelihood_map(case, made_by) is None
    with path.open("wb") as stream:
        np.save(stream, made.values)
    assert study.likelihood_map(case, made_by) is None
    with path.open("wb") as stream:
        np.savez(stream, values=np.full((1, 2, 2), 7.0), affine=np.eye(4))
    assert study.likelihood_map(case, made_by) is None
    rng = np.random.default_rng(1)
    for _ in range(200):
        changed = bytearray(whole)
        # The directory of names at the end is short; it gets half of the hits.
        start = rng.choice((0, len(whole) - 900))
        changed[int(rng.integers(start, len(whole)))] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        back = study.likelihood_map(case, made_by)
        assert back is None or np.array_equal(back.values, made.values)


def test_models_of_the_study_are_listed_by_name(study: Study) -> None:
    """Only weights, and nothing before there are any."""
    assert study.model_files() == []
    study.models.mkdir()
    for name in ("b.safetensors", "a.safetensors", "a.json"):
        (study.models / name).write_text("")
    assert [p.stem for p in study.model_files()] == ["a", "b"]


def test_contours_of_another_shape_do_not_replace_the_former(study: Study) -> None:
    """Refused before anything is written."""
    case = study.cases()[0]
    before = {f: f.read_bytes() for f in (case.path / "contours").iterdir()}
    bad = Annotation(np.ones((2, 3, 4)), np.zeros((2, 3, 4)))
    with pytest.raises(SpinemetError, match="shape"):
        case.save_annotation(bad, case.series())
    assert {f: f.read_bytes() for f in (case.path / "contours").iterdir()} == before


def test_cases_are_equal_by_their_folder(study: Study) -> None:
    """Two looks at the same folder are the same case."""
    assert study.cases()[0] == Case(study.path / "case-001")
