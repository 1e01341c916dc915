"""Multi-frame objects as a list of single-frame headers, so that one set of rules serves both."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset, FileDataset

from .headers import strings_of, text_of, value_of

_GROUP_ATTRIBUTES = (
    ("PlaneOrientationSequence", "ImageOrientationPatient", "ImageOrientationPatient"),
    ("PlanePositionSequence", "ImagePositionPatient", "ImagePositionPatient"),
    ("PixelMeasuresSequence", "PixelSpacing", "PixelSpacing"),
    ("PixelMeasuresSequence", "SliceThickness", "SliceThickness"),
    ("MRTimingAndRelatedParametersSequence", "RepetitionTime", "RepetitionTime"),
    ("MREchoSequence", "EffectiveEchoTime", "EchoTime"),
    ("MRModifierSequence", "InversionTimes", "InversionTime"),
    ("MRDiffusionSequence", "DiffusionBValue", "DiffusionBValue"),
    ("MRDiffusionSequence", "DiffusionDirectionality", "DiffusionDirectionality"),
    ("MRModifierSequence", "SpectrallySelectedSuppression", "SpectrallySelectedSuppression"),
    ("MRModifierSequence", "SpectrallySelectedExcitation", "SpectrallySelectedExcitation"),
    ("MRImageFrameTypeSequence", "FrameType", "FrameType"),
    ("MRImageFrameTypeSequence", "ComplexImageComponent", "ComplexImageComponent"),
    ("MRImageFrameTypeSequence", "AcquisitionContrast", "AcquisitionContrast"),
    ("FrameAnatomySequence", "AnatomicRegionSequence", "AnatomicRegionSequence"),
    ("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
    ("FrameContentSequence", "FrameAcquisitionNumber", "AcquisitionNumber"),
    ("FrameContentSequence", "StackID", "StackID"),
)
"""(sequence, keyword in it, keyword of single-frame objects): what enhanced objects keep deeper."""

_TOP_ATTRIBUTES = (
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "PatientID",
    "FrameOfReferenceUID", "Rows", "Columns", "PhotometricInterpretation", "Modality",
    "PixelRepresentation", "SeriesDescription", "ProtocolName", "NumberOfFrames", "ImageType",
    "ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "Manufacturer",
    "MagneticFieldStrength", "ComplexImageComponent", "AcquisitionContrast", "BodyPartExamined",
    "AnatomicRegionSequence", "EchoPlanarPulseSequence", "PatientName", "StudyDescription",
    "StudyDate", "ScanOptions", "ManufacturerModelName", "SequenceName", "EchoTime",
    "RepetitionTime", "InversionTime", "ScanningSequence", "PatientAge", "PatientSex",
    "PatientBirthDate", "SeriesDate",
)  # fmt: skip
"""What all frames of an object have in common, at its top."""

_SEQUENCES = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}
"""EchoPulseSequence of enhanced objects, and what single-frame ones call it."""
_MAX_UNDESCRIBED = 1000


class FrameCountError(ValueError):
    """An object does not hold the frames that it announces; the text goes on after its name."""


class FrameHeader(Dataset):  # type: ignore[misc]  # pydicom tells no types
    """The header of one frame, with the attributes that a single-frame object would have.

    InstanceNumber is the number of the frame in its object, from 1.
    """


def is_multi_frame(header: Dataset) -> bool:
    """Whether the object holds several frames (a count of 1 is written on single ones too)."""
    return (
        int(value_of(header, "NumberOfFrames", 1)) > 1
        or "PerFrameFunctionalGroupsSequence" in header
    )


def frame_headers(header: FileDataset) -> list[Dataset]:
    """One flat header for each frame of a multi-frame object.

    InstanceNumber holds the number of the frame, from 1: pixels are fetched by it.

    Raises
    ------
    FrameCountError
        If the number of frames is not that of their descriptions.
    """
    common = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    groups = header.get("PerFrameFunctionalGroupsSequence") or []
    count = int(value_of(header, "NumberOfFrames", len(groups) or 1))
    if groups and count != len(groups):
        raise FrameCountError(f"it announces {count:,} frames but describes {len(groups):,}")
    # Frames that nothing describes have no position: a few stand for all in the verdict on them,
    # since a forged count may run to thousands of millions.
    groups = groups or [Dataset()] * min(count, _MAX_UNDESCRIBED)
    base = Dataset()
    for keyword in _TOP_ATTRIBUTES:
        if keyword in header:
            setattr(base, keyword, header[keyword].value)
    if "PulseSequenceName" in header:
        base.SequenceName = header.PulseSequenceName
    echo = text_of(header, "EchoPulseSequence").upper()
    if echo in _SEQUENCES:
        base.ScanningSequence = _SEQUENCES[echo]
    return [_frame_header(base, group, common, number) for number, group in enumerate(groups, 1)]


def _frame_header(base: Dataset, group: Dataset, common: Dataset, number: int) -> Dataset:
    """The header of one frame: its own group counts before the one that all frames share."""
    frame = FrameHeader()
    frame.update(base)
    frame.InstanceNumber = number
    for sequence, keyword, target in _GROUP_ATTRIBUTES:
        value = _value_in(group, sequence, keyword)
        if value is None:
            value = _value_in(common, sequence, keyword)
        if value is None:
            continue
        # An enhanced object may list several inversion times, of which the first one nulls fat.
        is_list = target == "InversionTime" and not isinstance(value, (int, float))
        setattr(frame, target, value[0] if is_list else value)
    # The enhanced objects say so in words, and not in ScanningSequence.
    modifiers = group.get("MRModifierSequence") or common.get("MRModifierSequence")
    if modifiers and modifiers[0].get("InversionRecovery") in ("YES", "NO"):
        has_inversion = modifiers[0].InversionRecovery == "YES"
        echo = strings_of(base, "ScanningSequence") or ["SE"]
        frame.ScanningSequence = [*echo, "IR"] if has_inversion else echo
    return frame


def _value_in(group: Dataset, sequence: str, keyword: str) -> Any:
    """Value of an attribute in the first item of a sequence; None where there is none."""
    items = group.get(sequence)
    if not items or items[0].get(keyword) in (None, ""):
        return None
    return items[0][keyword].value
