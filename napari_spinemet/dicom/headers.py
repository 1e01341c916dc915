"""Values of a header, whatever damage it has, and the plane that they tell."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

FloatArray = npt.NDArray[np.float64]

MAX_OBLIQUE_DEGREES = 35.0
"""Beyond this the slice normal belongs to no plane: nearly half-way to the next one."""


_DECIMAL_KEYWORDS = (
    "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness",
    "RescaleSlope", "RescaleIntercept", "EchoTime", "RepetitionTime", "InversionTime",
)  # fmt: skip


def value_of(dataset: Dataset, keyword: str, default: Any = None) -> Any:
    """Value of an attribute, or the default where it is missing, empty or cannot be decoded.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        Of any file; it may be damaged.
    keyword : str
        DICOM keyword of the attribute.
    default : any
        What stands for a value that is not there.
    """
    try:
        value = dataset.get(keyword)
    except Exception:  # noqa: BLE001  each kind of damage raises its own kind of error
        return default
    return default if value is None or value == "" else value


def numbers_of(dataset: Dataset, keyword: str, count: int) -> FloatArray | None:
    """Finite numbers from an attribute, or None where they are missing or damaged.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        Of any file; it may be damaged.
    keyword : str
        DICOM keyword of the attribute.
    count : int
        How many there must be; any other count is damage.
    """
    value = value_of(dataset, keyword)
    if value is None:
        return None
    values = np.atleast_1d(np.array(value, dtype=object))
    try:
        result = np.array([float(v) for v in values])
    except (TypeError, ValueError, OverflowError):
        return None
    return result if result.shape == (count,) and np.isfinite(result).all() else None


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """The one finite number of an attribute, or None where it is missing or damaged.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        Of any file; it may be damaged.
    keyword : str
        DICOM keyword of the attribute.
    """
    values = numbers_of(dataset, keyword, 1)
    return None if values is None else float(values[0])


def strings_of(dataset: Dataset, keyword: str) -> list[str]:
    """The values of an attribute as text, however many there are.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        Of any file; it may be damaged.
    keyword : str
        DICOM keyword of the attribute.
    """
    value = value_of(dataset, keyword)
    if value is None:
        return []
    is_multiple = isinstance(value, Sequence) and not isinstance(value, str)
    return [str(v) for v in value] if is_multiple else [str(value)]


def plain_text(text: str) -> str:
    """A text in one line, with everything left out that is no character to be read.

    Parameters
    ----------
    text : str
        From a file, or its name.
    """
    return " ".join(
        "".join(c if not unicodedata.category(c).startswith("C") else " " for c in text).split()
    )


def text_of(dataset: Dataset, keyword: str) -> str:
    """An attribute as it may be shown; empty where it is missing or damaged.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        Of any file; it may be damaged.
    keyword : str
        DICOM keyword of the attribute.
    """
    return plain_text(str(value_of(dataset, keyword, "")))


def repair_decimal_commas(dataset: Dataset) -> bool:
    """Put points where a badly localised writer put commas; say whether there were any.

    It changes the header in memory.
    """
    has_commas = False
    for keyword in _DECIMAL_KEYWORDS:
        if keyword not in dataset:
            continue
        raw = getattr(dataset.get_item(keyword), "value", None)
        if isinstance(raw, bytes) and b"," in raw:
            text = raw.decode("ascii", "ignore").replace(",", ".").strip("\0 ")
            try:
                setattr(dataset, keyword, text.split("\\") if "\\" in text else text)
            except ValueError:  # more than a comma is wrong with it: the checks will say so
                continue
            has_commas = True
    return has_commas


def items_of(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is missing, or no sequence.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        Of any file; it may be damaged.
    keyword : str
        DICOM keyword of the sequence.
    """
    value = value_of(dataset, keyword)
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return [item for item in items if isinstance(item, Dataset)]


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


def facts_of(dataset: Dataset) -> dict[str, Any]:
    """Acquisition facts for display; no patient identity among them."""
    keywords = (
        "Modality", "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength",
        "ScanningSequence", "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle",
        "SliceThickness", "StudyDate", "BodyPartExamined", "StationName", "ProtocolName",
    )  # fmt: skip
    values = {keyword: value_of(dataset, keyword) for keyword in keywords}
    return {
        keyword: plain_text(str(value)) for keyword, value in values.items() if value is not None
    }
