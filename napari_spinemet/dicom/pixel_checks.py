"""What is wrong with pixels that the library would read all the same."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset, FileDataset

from ..errors import SpinemetError
from .headers import numbers_of, value_of
from .sources import Source
from .stacks.stack import Stack

MAX_VOLUME_BYTES = 4 * 1024**3
_FLOAT_BYTES = 4


def check_size(stack: Stack) -> None:
    """Refuse what a forged header would have us unpack: run lengths grow without limit."""
    header = stack.header
    size = len(stack.images) * int(header.Rows) * int(header.Columns) * _FLOAT_BYTES
    if size > MAX_VOLUME_BYTES:
        raise SpinemetError(f"it would take {size:,} bytes of memory, which no spine scan does")


def check_length(dataset: FileDataset, name: str) -> None:
    """Refuse pixels that were cut off; compressed ones say so themselves when unpacked.

    Parameters
    ----------
    dataset : pydicom.dataset.FileDataset
        A single-frame image with its pixels.
    name : str
        Of its file, for the sentence.
    """
    if "PixelData" not in dataset:
        raise SpinemetError(f"{name} holds no pixels")
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        return
    size = (
        int(dataset.Rows)
        * int(dataset.Columns)
        * int(value_of(dataset, "SamplesPerPixel", 1))
        * ((int(dataset.BitsAllocated) + 7) // 8)
    )
    actual_size = len(dataset.PixelData)
    if actual_size < size:
        raise SpinemetError(
            f"{name} is truncated, with {actual_size:,} of {size:,} bytes of pixels"
        )


def check_rescale(items: Sequence[Dataset]) -> None:
    """Refuse scales that wipe values out, and those that polarity cannot be undone under."""
    scales = []
    for item in items:
        if "RescaleSlope" not in item and "RescaleIntercept" not in item:
            scales.append((1.0, 0.0))
            continue
        slope = numbers_of(item, "RescaleSlope", 1)
        intercept = numbers_of(item, "RescaleIntercept", 1)
        if slope is None or intercept is None:
            raise SpinemetError("an image has no valid RescaleSlope and RescaleIntercept")
        if slope[0] == 0:
            raise SpinemetError("an image has a RescaleSlope of 0, which would wipe out its values")
        scales.append((float(slope[0]), float(intercept[0])))
    is_inverted = any(
        value_of(item, "PhotometricInterpretation") == "MONOCHROME1"
        or value_of(item, "PresentationLUTShape") == "INVERSE"
        for item in items
    )
    if is_inverted and len(set(scales)) > 1:
        raise SpinemetError("its images are inverted and differ in RescaleSlope")


def frame_transforms(dataset: Dataset) -> list[Dataset]:
    """What scales the frames of a multi-frame object, one item for each that says so."""
    groups = [
        *(dataset.get("SharedFunctionalGroupsSequence") or []),
        *(dataset.get("PerFrameFunctionalGroupsSequence") or []),
    ]
    items = []
    for group in groups:
        for transform in group.get("PixelValueTransformationSequence") or []:
            item = copy.copy(transform)
            item.PhotometricInterpretation = value_of(dataset, "PhotometricInterpretation", "")
            item.PresentationLUTShape = value_of(dataset, "PresentationLUTShape", "")
            items.append(item)
    return items


def check_duplicates(stack: Stack, datasets: Sequence[FileDataset]) -> None:
    """Same identifier, other pixels: one of the two is not what it says.

    Parameters
    ----------
    stack : Stack
        Of single-frame images; its duplicates are read here.
    datasets : sequence of pydicom.dataset.FileDataset
        The images of the stack with their pixels.
    """
    for source, uid in stack.duplicates:
        twin = source.parse()
        for dataset in datasets:
            if dataset.SOPInstanceUID == uid and not _equal_pixels(dataset, twin):
                raise SpinemetError(
                    f"{source.name} has the identifier of another image but other pixels"
                )


def check_multi_frame_duplicates(stack: Stack, sources: Sequence[Source]) -> None:
    """The same for multi-frame files.

    They are compared as they are stored, and one at a time: each may fill much of the memory.

    Parameters
    ----------
    stack : Stack
        Of frames; its duplicates are read here.
    sources : sequence of Source
        The files of the stack, each once.
    """
    for source, uid in stack.duplicates:
        twin = source.parse()
        for other in sources:
            dataset = other.parse()
            if dataset.SOPInstanceUID == uid and dataset.PixelData != twin.PixelData:
                raise SpinemetError(
                    f"{source.name} has the identifier of another image but other pixels"
                )


def _equal_pixels(dataset: FileDataset, twin: FileDataset) -> bool:
    """Whether two files hold the same image, in whatever transfer syntax each of them is."""
    if dataset.file_meta.TransferSyntaxUID == twin.file_meta.TransferSyntaxUID:
        return bool(dataset.PixelData == twin.PixelData)
    return np.array_equal(dataset.pixel_array, twin.pixel_array)
