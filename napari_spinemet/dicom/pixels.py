"""From the files of a stack to a volume, with the checks that the library leaves to us."""

from __future__ import annotations

import copy

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileDataset

from ..errors import SpinemetError
from .stacks import Stack

_DECIMALS = (
    "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness",
    "RescaleSlope", "RescaleIntercept", "EchoTime", "RepetitionTime", "InversionTime",
)  # fmt: skip


def repair_decimal_commas(dataset: Dataset) -> bool:
    """Put points where a badly localised writer put commas; say whether any was found."""
    repaired = False
    for keyword in _DECIMALS:
        if keyword not in dataset:
            continue
        raw = getattr(dataset.get_item(keyword), "value", None)
        if isinstance(raw, bytes) and b"," in raw:
            text = raw.decode("ascii", "ignore").replace(",", ".").strip("\0 ")
            setattr(dataset, keyword, text.split("\\") if "\\" in text else text)
            repaired = True
    return repaired


def single_frame_volume(stack: Stack, notes: list[str]) -> hd.Volume:
    """Read the pixels of a checked stack of single-frame images.

    Parameters
    ----------
    stack : Stack
        Without a fault.
    notes : list of str
        Receives a sentence for each repair.
    """
    datasets: list[FileDataset] = []
    for source, _ in stack.images:
        dataset = source.read()
        if repair_decimal_commas(dataset):
            notes.append(f"{source.name}: decimal commas were read as points.")
        _check_length(dataset, source.name)
        datasets.append(dataset)
    _check_duplicates(stack, datasets)
    for keyword in ("BitsStored", "PixelRepresentation", "RescaleType"):
        if len({str(d.get(keyword, "")) for d in datasets}) > 1:
            raise SpinemetError(f"its images differ in {keyword}, so their values do not compare")
    if any(float(d.get("RescaleSlope", 1)) == 0 for d in datasets):
        raise SpinemetError("an image has a RescaleSlope of 0, which would wipe out its values")
    if stack.spread > 0:
        orientation = stack.orientation
        assert orientation is not None
        if stack.spread > 1e-6:
            notes.append(
                f"The slice orientations differ by up to {stack.spread:.1e}; their mean was used."
            )
        datasets = [copy.copy(d) for d in datasets]
        for dataset in datasets:
            dataset.ImageOrientationPatient = [float(f"{v:.10g}") for v in orientation]
    return hd.get_volume_from_series(datasets, dtype=np.float32, rtol=0.02)


def _check_length(dataset: FileDataset, name: str) -> None:
    if "PixelData" not in dataset:
        raise SpinemetError(f"{name} holds no pixels; copy the scan again")
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        return
    expected = (
        int(dataset.Rows)
        * int(dataset.Columns)
        * int(dataset.get("SamplesPerPixel", 1))
        * ((int(dataset.BitsAllocated) + 7) // 8)
    )
    have = len(dataset.PixelData)
    if have < expected:
        raise SpinemetError(
            f"{name} is truncated, with {have:,} of {expected:,} bytes of pixels; copy the scan again"
        )


def _check_duplicates(stack: Stack, datasets: list[FileDataset]) -> None:
    """Same identifier, other pixels: one of the two is not what it says."""
    for source, uid in stack.duplicates:
        twin = source.read()
        for dataset in datasets:
            if dataset.SOPInstanceUID == uid and dataset.PixelData != twin.PixelData:
                raise SpinemetError(
                    f"{source.name} has the identifier of another image but other pixels"
                )
