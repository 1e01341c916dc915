"""What lesions are looked for in, and what is refused by its own name; on whole series."""

from __future__ import annotations

from pathlib import Path

import pytest
from dicom_builder import Truth, make_enhanced, make_series, save, write
from pydicom.dataset import Dataset

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.dicom.contrast.anatomy import other_body_part
from napari_spinemet.dicom.contrast.fat_suppression import find_fat_suppression
from napari_spinemet.dicom.contrast.weighting import RULES
from napari_spinemet.imaging import SeriesSummary
from napari_spinemet.imaging.scan_warnings import WARNING_KINDS

T2 = {
    "ScanningSequence": "SE", "InversionTime": None, "EchoTime": "80", "RepetitionTime": "4000",
    "SeriesDescription": "T2 SAG",
}  # fmt: skip
T1 = {**T2, "EchoTime": "10", "RepetitionTime": "500", "SeriesDescription": "SAG"}
NO_NUMBERS = {
    "ScanningSequence": None, "InversionTime": None, "EchoTime": None, "RepetitionTime": None,
}  # fmt: skip
UNNAMED = {"ScanningSequence": None, "InversionTime": None}


def image_type(*values: str) -> dict[str, object]:
    return {"ImageType": ["ORIGINAL", "PRIMARY", *values]}


DETECTABLE: dict[str, dict[str, object]] = {
    "STIR": {},
    "TI 165, sequence RM": {"ScanningSequence": "RM", "InversionTime": "165"},
    "TI 165, sequence SE, called STIR": {"ScanningSequence": "SE", "InversionTime": "165"},
    "TI 165, sequence SE, vendor's *tir2d": {
        "ScanningSequence": "SE", "InversionTime": "165", "SeriesDescription": "SAG",
        "SequenceName": "*tir2d1_15",
    },
    "anonymised, called STIR": {**UNNAMED, "SeriesDescription": "SAG STIR LSPINE"},
    "anonymised, called t2_tirm_sag": {**UNNAMED, "SeriesDescription": "t2_tirm_sag"},
    "anonymised, ProtocolName STIR": {
        **UNNAMED, "SeriesDescription": "SAG", "ProtocolName": "STIR",
    },
    "STIR magnitude of Siemens": image_type("M", "NORM", "DIS2D"),
    "STIR magnitude of Philips": image_type("M_IR", "M", "IR"),
    "ComplexImageComponent MAGNITUDE": {"ComplexImageComponent": "MAGNITUDE"},
    "T2, ScanOptions FS": {**T2, "ScanOptions": "FS"},
    "T2, ScanOptions of GE": {**T2, "ScanOptions": ["FAST_GEMS", "NPW", "FATSAT_GEMS"]},
    "T2, ScanOptions SPAIR": {**T2, "ScanOptions": ["PFP", "SPAIR"]},
    "T2, ScanOptions SPIR": {**T2, "ScanOptions": "SPIR"},
    "T2, ScanOptions FSAT": {**T2, "ScanOptions": "FSAT"},
    "T2, SpectrallySelectedSuppression": {**T2, "SpectrallySelectedSuppression": "FAT"},
    "T2 SPAIR by name": {**T2, "SeriesDescription": "T2W SPAIR SAG"},
    "T2 FS by name": {**T2, "SeriesDescription": "t2_tse_fs_sag"},
    "T2 fat sat by name": {**T2, "SeriesDescription": "Sag T2 FatSat"},
    "T2FS by name": {**T2, "SeriesDescription": "SAG T2FS"},
    "Dixon water by ImageType": {**T2, **image_type("W", "NORM")},
    "Dixon WATER by ImageType": {**T2, **image_type("WATER")},
    "Dixon water by name": {**T2, "SeriesDescription": "t2_tse_dixon_sag_W"},
    "IDEAL water by name": {**T2, "SeriesDescription": "WATER: SAG T2 IDEAL"},
}  # fmt: skip

REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "T1": (T1, "T1"),
    "T2": (T2, "T2"),
    "T2 that says no FS": ({**T2, "SeriesDescription": "T2 SAG no FS"}, "T2"),
    "T2 with other options": ({**T2, "ScanOptions": ["FAST_GEMS", "PFF", "SP", "FC"]}, "T2"),
    "DWI of the issue": (
        {"ScanningSequence": ["EP", "SE"], "ScanOptions": ["FS"], **image_type("DIFFUSION")},
        "DWI",
    ),
    "ADC of the issue": (
        {
            "ScanningSequence": ["EP", "SE"], "ScanOptions": ["FS"],
            "ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"],
        },
        "ADC",
    ),
    "ADC by name of echo planar": (
        {"ScanningSequence": "EP", "SeriesDescription": "ep2d ADC"}, "ADC",
    ),
    "echo planar": ({"ScanningSequence": ["EP", "SE"], "SeriesDescription": "SAG"}, "EPI"),
    "STIR-DWI by b-value": ({"DiffusionBValue": 800.0}, "DWI"),
    "trace": (image_type("TRACEW"), "DWI"),
    "phase": (image_type("P", "ND"), "phase"),
    "phase map": (image_type("PHASE MAP", "P", "IR"), "phase"),
    "phase by component": ({"ComplexImageComponent": "PHASE"}, "phase"),
    "real part": (image_type("R", "IR"), "real part"),
    "fat": ({**T2, **image_type("F")}, "fat"),
    "fat of fat-suppressed": ({**T2, **image_type("FAT"), "ScanOptions": "FS"}, "fat"),
    "in phase": ({**T2, **image_type("IP"), "ScanOptions": "FS"}, "in-phase"),
    "in phase, spelt out": (image_type("IN_PHASE"), "in-phase"),
    "opposed phase": (image_type("OPP_PHASE"), "opposed-phase"),
    "out of phase": (image_type("OUT_PHASE"), "opposed-phase"),
    "T2 map": ({**T2, **image_type("M", "T2 MAP"), "ScanOptions": "FS"}, "map"),
    "a map": (image_type("MAP"), "map"),
    "fat fraction": (image_type("FAT_FRACTION"), "fat fraction"),
    "projection": (image_type("MIP"), "projection"),
    "localiser": (image_type("LOCALIZER"), "localiser"),
    "T2*": (
        {**T2, "ScanningSequence": "GR", "EchoTime": "18", "RepetitionTime": "600",
         "ScanOptions": "FS"},
        "T2*",
    ),
    "MPRAGE": (
        {"ScanningSequence": ["GR", "IR"], "SequenceVariant": ["SP", "MP"], "InversionTime": "900",
         "EchoTime": "3", "RepetitionTime": "2000"},
        "MPRAGE",
    ),
    "FLAIR": ({"InversionTime": "2400", "EchoTime": "110", "RepetitionTime": "9000"}, "FLAIR"),
    "MPRAGE by name": ({**NO_NUMBERS, "SeriesDescription": "T1 MPRAGE sag"}, "MPRAGE"),
    "T2* by name": ({**NO_NUMBERS, "SeriesDescription": "SAG T2*"}, "T2*"),
    "ADC by name": ({**NO_NUMBERS, "SeriesDescription": "ADC (10^-6 mm2/s)"}, "ADC"),
    "anonymised ADC with numbers": (
        {**UNNAMED, "SeriesDescription": "ADC", "ScanOptions": "FS"}, "ADC",
    ),
    "fast, called STIR": ({**T1, **UNNAMED, "SeriesDescription": "STIR"}, "T1"),
}  # fmt: skip


def summary_of(scan: Path, truth: Truth, facts: dict[str, object]) -> SeriesSummary:
    """The only series of a folder whose headers say so."""
    images = make_series(truth)
    for image in images:
        for keyword, value in facts.items():
            if value is None:
                delattr(image, keyword)
            else:
                setattr(image, keyword, value)
    write(scan, images)
    (summary,) = list_series(scan)
    return summary


@pytest.mark.parametrize("facts", DETECTABLE.values(), ids=DETECTABLE)
def test_fat_suppression_is_seen_in_every_vendor_s_words(scan, truth, facts) -> None:
    summary = summary_of(scan, truth, facts)
    assert (summary.detectable, summary.reason, summary.warnings) == (True, "", ())
    assert summary.contrast in ("STIR", "T2")
    sources = [rule.source for rule in RULES]
    rule, _, suppression = summary.contrast_rule.partition("; fat is suppressed by ")
    assert rule in sources
    assert bool(suppression) == (summary.contrast == "T2")
    assert read_series(scan).contrast == summary.contrast


@pytest.mark.parametrize(("facts", "contrast"), REFUSED.values(), ids=REFUSED)
def test_what_is_looked_at_otherwise_is_refused_by_its_name(scan, truth, facts, contrast) -> None:
    summary = summary_of(scan, truth, facts)
    assert (summary.contrast, summary.detectable) == (contrast, False)
    assert f"its contrast is {contrast}" in summary.reason
    # By its UID it is read all the same, and not called fit.
    series = read_series(scan, summary.series_uid)
    assert [warning.code for warning in series.warnings] == ["not-for-detection"]


def test_stir_beside_dwi_and_adc_is_the_one_that_is_detected_on(scan, truth) -> None:
    """As a study of this disease usually holds them."""
    write(scan / "stir", make_series(truth, name="stir"))
    for name, facts in (("dwi", image_type("DIFFUSION")), ("adc", image_type("ADC"))):
        images = make_series(truth, name=name)
        for image in images:
            image.ScanningSequence, image.ScanOptions = ["EP", "SE"], ["FS"]
            image.ImageType = facts["ImageType"]
        write(scan / name, images)
    assert read_series(scan).description == "STIR SAG stir"


@pytest.mark.parametrize("b_value", [800.0, 0.0])
def test_vendors_keep_the_b_value_elsewhere(scan, truth, b_value) -> None:
    images = make_series(truth)
    for image in images:
        image.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(
            0x0C, "IS", str(int(b_value))
        )
    write(scan, images)
    (summary,) = list_series(scan)
    assert summary.contrast == ("DWI" if b_value else "STIR")


def enhanced(truth: Truth, **modifier: object) -> Dataset:
    """A multi-frame T2, and what its modifiers say."""
    image = make_enhanced(truth)
    common = image.SharedFunctionalGroupsSequence[0]
    item = common.MRModifierSequence[0]
    item.InversionRecovery = "NO"
    del item.InversionTimes
    common.MREchoSequence[0].EffectiveEchoTime = 80.0
    for keyword, value in modifier.items():
        setattr(item, keyword, value)
    return image


def test_enhanced_objects_say_it_in_words(scan, truth) -> None:
    """Fat suppression, phase, weighting and echo-planar reading have attributes of their own."""
    path = scan / "one"
    save(enhanced(truth, SpectrallySelectedSuppression="FAT"), path)
    (summary,) = list_series(scan)
    assert (summary.contrast, summary.detectable) == ("T2", True)
    assert summary.contrast_rule.endswith("SpectrallySelectedSuppression")
    for keyword, value, contrast in (
        ("ComplexImageComponent", "PHASE", "phase"),
        ("AcquisitionContrast", "STIR", "STIR"),
        ("AcquisitionContrast", "FLUID_ATTENUATED", "FLAIR"),
        ("FrameType", ["ORIGINAL", "PRIMARY", "IN_PHASE", "NONE"], "in-phase"),
        ("FrameType", ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], "ADC"),
    ):
        image = enhanced(truth)
        item = Dataset()
        setattr(item, keyword, value)
        image.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence = [item]
        save(image, path)
        (summary,) = list_series(scan)
        assert summary.contrast == contrast
    image = enhanced(truth, SpectrallySelectedSuppression="FAT")
    image.EchoPlanarPulseSequence = "YES"
    save(image, path)
    (summary,) = list_series(scan)
    assert summary.contrast == "EPI"


def test_frames_of_two_kinds_in_one_object_are_two_volumes_or_none(scan, truth, refused) -> None:
    """Magnitude and phase mixed slice by slice are refused."""
    image = make_enhanced(truth)
    for k, frame in enumerate(image.PerFrameFunctionalGroupsSequence):
        item = Dataset()
        item.FrameType = ["ORIGINAL", "PRIMARY", "P" if k % 2 else "M", "NONE"]
        frame.MRImageFrameTypeSequence = [item]
    save(image, scan / "one")
    with refused("differ in"):
        read_series(scan)


BODY_PARTS: dict[str, tuple[dict[str, str], str]] = {
    "knee": ({"BodyPartExamined": "KNEE"}, "KNEE"),
    "head": ({"BodyPartExamined": "HEAD"}, "HEAD"),
    "spine": ({"BodyPartExamined": "LSPINE"}, ""),
    "thoracic and lumbar spine": ({"BodyPartExamined": "TLSPINE"}, ""),
    "neck and head": ({"BodyPartExamined": "HEADNECK"}, ""),
    "pelvis": ({"BodyPartExamined": "PELVIS"}, ""),
    "whole body": ({"BodyPartExamined": "WHOLEBODY"}, ""),
    "nothing": ({}, ""),
    "a word that nobody knows": ({"BodyPartExamined": "XYZ"}, ""),
    "knee by name": ({"SeriesDescription": "SAG STIR Knee right"}, "KNEE"),
    "spine by name": ({"SeriesDescription": "head to toe", "StudyDescription": "MR spine"}, ""),
}


@pytest.mark.parametrize(("facts", "part"), BODY_PARTS.values(), ids=BODY_PARTS)
def test_a_body_part_that_is_no_spine_is_named(facts, part) -> None:
    header = Dataset()
    for keyword, value in facts.items():
        setattr(header, keyword, value)
    assert other_body_part(header) == part


def test_another_body_part_is_a_grave_warning_and_no_refusal(scan, truth) -> None:
    """Scanners carry the part over from the former patient."""
    summary = summary_of(scan, truth, {"BodyPartExamined": "KNEE"})
    assert summary.detectable
    (warning,) = summary.warnings
    assert (warning.code, warning.is_grave) == ("other-body-part", True)
    assert "KNEE" in warning
    assert read_series(scan).warnings == summary.warnings


@pytest.mark.parametrize(
    ("text", "is_suppressed"),
    [
        ("T2 FS", True), ("T2 no FS", False), ("T2 W/O FS", False), ("T2 without fat sat", False),
        ("T2 FSE SAG", False), ("T2 OFFSET", False), ("FAT", False), ("mDIXON W", True),
        ("T2 DIXON F", False), ("SAG WATER T2", True), ("T2 SPIR", True),
    ],
)  # fmt: skip
def test_names_are_read_as_whole_words(text, is_suppressed) -> None:
    header = Dataset()
    header.SeriesDescription = text
    assert bool(find_fat_suppression(header)) == is_suppressed


def test_the_documents_tell_every_rule_and_every_warning() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reading.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"| {rule.source} | {rule.meaning} |" in text
    for code, kind in WARNING_KINDS.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{code}` |")]
        assert line.endswith(f"| {kind.remedy} |")
        assert ("| grave |" in line) == kind.is_grave
