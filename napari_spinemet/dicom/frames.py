"""Multi-frame objects as a list of single-frame headers, so that one set of rules serves both."""

from __future__ import annotations

from pydicom.dataset import Dataset, FileDataset

from .headers import value_of

# Where the enhanced objects keep what single-frame ones have at the top.
_MOVED = (
    ("PlaneOrientationSequence", "ImageOrientationPatient", "ImageOrientationPatient"),
    ("PlanePositionSequence", "ImagePositionPatient", "ImagePositionPatient"),
    ("PixelMeasuresSequence", "PixelSpacing", "PixelSpacing"),
    ("PixelMeasuresSequence", "SliceThickness", "SliceThickness"),
    ("MRTimingAndRelatedParametersSequence", "RepetitionTime", "RepetitionTime"),
    ("MREchoSequence", "EffectiveEchoTime", "EchoTime"),
    ("MRModifierSequence", "InversionTimes", "InversionTime"),
    ("MRDiffusionSequence", "DiffusionBValue", "DiffusionBValue"),
    ("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
)

_MAX_UNDESCRIBED = 1000


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
    ValueError
        If the number of frames is not that of their descriptions.
    """
    shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    frames = header.get("PerFrameFunctionalGroupsSequence") or []
    count = int(value_of(header, "NumberOfFrames", len(frames) or 1))
    if frames and count != len(frames):
        raise ValueError(f"it announces {count:,} frames but describes {len(frames):,}")
    # Frames that nothing describes have no place: a few stand for all in the verdict on them,
    # since a forged count may run to thousands of millions.
    count = min(count, _MAX_UNDESCRIBED) if not frames else count
    base = Dataset()
    for keyword in (
        "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "PatientID",
        "FrameOfReferenceUID", "Rows", "Columns", "PhotometricInterpretation", "Modality",
        "PixelRepresentation", "SeriesDescription", "ProtocolName", "NumberOfFrames", "ImageType",
        "ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "Manufacturer",
        "MagneticFieldStrength",
    ):  # fmt: skip
        if keyword in header:
            setattr(base, keyword, header[keyword].value)
    result = []
    for index in range(count):
        frame = Dataset()
        frame.update(base)
        frame.InstanceNumber = index + 1
        own = frames[index] if index < len(frames) else Dataset()
        for sequence, keyword, target in _MOVED:
            for group in (own, shared):
                items = group.get(sequence)
                if items and items[0].get(keyword) not in (None, ""):
                    value = items[0][keyword].value
                    several = target == "InversionTime" and not isinstance(value, (int, float))
                    setattr(frame, target, value[0] if several else value)
                    break
        # The enhanced objects say so in words, and not in ScanningSequence.
        modifiers = own.get("MRModifierSequence") or shared.get("MRModifierSequence")
        if modifiers and modifiers[0].get("InversionRecovery") in ("YES", "NO"):
            recovery = modifiers[0].InversionRecovery == "YES"
            frame.ScanningSequence = ["SE", "IR"] if recovery else ["SE"]
        result.append(frame)
    return result
