"""Multi-frame objects as a list of single-frame headers, so that one set of rules serves both."""

from __future__ import annotations

from pydicom.dataset import Dataset, FileDataset

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


def is_multi_frame(header: Dataset) -> bool:
    """Whether the object holds several frames (a count of 1 is written on single ones too)."""
    return (
        int(header.get("NumberOfFrames") or 1) > 1 or "PerFrameFunctionalGroupsSequence" in header
    )


def frame_headers(header: FileDataset) -> list[Dataset]:
    """One flat header for each frame of a multi-frame object."""
    shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    frames = header.get("PerFrameFunctionalGroupsSequence") or []
    count = int(header.get("NumberOfFrames") or len(frames) or 1)
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
    if "EchoPulseSequence" in header:
        base.ScanningSequence = "IR" if header.get("InversionRecovery") == "YES" else ""
    if header.get("InversionRecovery") == "YES":
        base.ScanningSequence = "IR"
    result = []
    for index in range(count):
        frame = Dataset()
        frame.update(base)
        own = frames[index] if index < len(frames) else Dataset()
        for sequence, keyword, target in _MOVED:
            for group in (own, shared):
                items = group.get(sequence)
                if items and items[0].get(keyword) not in (None, ""):
                    value = items[0][keyword].value
                    several = target == "InversionTime" and not isinstance(value, (int, float))
                    setattr(frame, target, value[0] if several else value)
                    break
        result.append(frame)
    return result
