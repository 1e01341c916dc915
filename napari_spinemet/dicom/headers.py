"""What the headers say: plane, contrast, spacing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

FloatArray = npt.NDArray[np.float64]

MAX_OBLIQUE_DEGREES = 35.0
"""Beyond this the slice normal belongs to no plane: nearly half-way to the next one."""


def numbers(dataset: Dataset, keyword: str, count: int) -> FloatArray | None:
    """``count`` finite numbers from an attribute, or None where they are missing or damaged."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    values = np.atleast_1d(np.array(value, dtype=object))
    try:
        result = np.array([float(v) for v in values])
    except (TypeError, ValueError):
        return None
    return result if result.shape == (count,) and np.isfinite(result).all() else None


def normal_of(orientation: FloatArray) -> FloatArray:
    """Normal of the slice plane from ImageOrientationPatient."""
    normal: FloatArray = np.cross(orientation[:3], orientation[3:])
    return normal


def plane_of(orientation: FloatArray) -> str:
    """``sagittal``, ``coronal``, ``axial`` or ``mixed`` (oblique) from the direction cosines."""
    normal = np.abs(normal_of(orientation))
    axis = int(normal.argmax())
    if normal[axis] < np.cos(np.deg2rad(MAX_OBLIQUE_DEGREES)) * np.linalg.norm(normal):
        return "mixed"
    return ("sagittal", "coronal", "axial")[axis]


def contrast_of(dataset: Dataset) -> str:
    """Weighting from the sequence parameters: ``STIR``, ``T1``, ``T2`` or ``other``.

    STIR takes an inversion recovery sequence and an inversion time short enough to null
    fat: up to 250 ms at 3 T (T1 of fat 380 ms times ln 2); the tag alone, which some
    scanners write as 0 in every series, does not count. Without inversion, an echo time
    from 60 ms with a repetition time from 1500 ms is T2, one below 35 ms with a repetition
    time below 1200 ms T1. A series without any of these numbers goes by its description.
    """
    sequence = {str(s).upper() for s in _strings(dataset.get("ScanningSequence"))}
    inversion = _number(dataset, "InversionTime")
    echo = _number(dataset, "EchoTime")
    repetition = _number(dataset, "RepetitionTime")
    if inversion and ("IR" in sequence or not sequence):
        return "STIR" if 50 <= inversion <= 250 else "other"
    if echo is not None and repetition is not None:
        if echo >= 60 and repetition >= 1500:
            return "T2"
        if echo < 35 and repetition < 1200:
            return "T1"
        return "other"
    text = " ".join(str(dataset.get(k, "")) for k in ("SeriesDescription", "ProtocolName")).upper()
    for word, contrast in (("STIR", "STIR"), ("TIRM", "STIR"), ("T1", "T1"), ("T2", "T2")):
        if word in text:
            return contrast
    return "other"


def facts_of(dataset: Dataset) -> dict[str, Any]:
    """Acquisition facts for display; no patient identity among them."""
    keywords = (
        "Modality", "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength",
        "ScanningSequence", "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle",
        "SliceThickness", "StudyDate", "BodyPartExamined",
    )  # fmt: skip
    return {k: str(dataset[k].value) for k in keywords if k in dataset and dataset[k].value != ""}


def _number(dataset: Dataset, keyword: str) -> float | None:
    value = numbers(dataset, keyword, 1)
    return None if value is None else float(value[0])


def _strings(value: object) -> Sequence[object]:
    if value is None or isinstance(value, str):
        return [value] if value else []
    return list(value) if isinstance(value, Sequence) else [value]
