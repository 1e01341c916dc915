"""What is wrong with pixels that the library would read all the same."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from ..errors import SpinemetError
from .files.sources import Source
from .headers import numbers_of, value_of
from .stacks.stack import Stack

MAX_VOXELS = 2**28
"""A volume of 640 x 640 x 655, far beyond any scan of a spine: 1 GiB of single precision."""
_MAX_RATIO = 200
"""No codec makes an image of tissue smaller than a share of this."""
_FREE_BYTES = 2**20
_USUAL_RATIO = 20
"""Nor is a whole scan packed to less than a share of this; a few empty slices may be."""
_FREE_VOLUME_BYTES = 2**28
_J2K_SIZE = re.compile(rb"\xff\x4f\xff\x51.{4}(.{4})(.{4})", re.DOTALL)
_JPEG_SIZE = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xf7].{3}(.{2})(.{2})", re.DOTALL)
_SEARCHED_BYTES = 4096


def check_size(stack: Stack) -> None:
    """Refuse what a forged header would have us unpack: run lengths grow without limit."""
    header = stack.header
    voxels = len(stack.images) * int(header.Rows) * int(header.Columns)
    if voxels > MAX_VOXELS:
        raise SpinemetError(f"it would have {voxels:,} voxels, which no scan of a spine has")
    sources = dict(stack.images)
    size = sum(bytes_of_pixels(source_header) for source_header in sources.values())
    stored = sum(path.stat().st_size for path in {source.path for source in sources})
    if size > _FREE_VOLUME_BYTES and size > _USUAL_RATIO * stored:
        raise SpinemetError(f"it would unpack to {size:,} bytes and is refused")


def bytes_of_pixels(header: Dataset) -> int:
    """How many bytes the pixels of a file take, unpacked, by its header.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of a file, or of one of its frames.
    """
    factors = (
        numbers_of(header, keyword, 1)
        for keyword in ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames")
    )
    bits = numbers_of(header, "BitsAllocated", 1)
    size = 2.0 if bits is None else np.ceil(bits[0] / 8)
    for factor in factors:
        size *= 1.0 if factor is None else max(float(factor[0]), 1.0)
    return int(size)


def check_length(dataset: FileDataset, name: str) -> str:
    """Refuse pixels that were cut off, or that would unpack to something else than an image.

    Parameters
    ----------
    dataset : pydicom.dataset.FileDataset
        An image with its pixels.
    name : str
        Of its file, for the sentence.

    Returns
    -------
    str
        What is odd about them and yet no harm; empty if nothing is.
    """
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not isinstance(syntax, UID) or not syntax.is_transfer_syntax:
        raise SpinemetError(f"{name} does not say how its pixels are stored")
    if "PixelData" not in dataset or not isinstance(dataset.PixelData, bytes):
        raise SpinemetError(f"{name} holds no pixels")
    _check_bits(dataset, name)
    size, actual_size = bytes_of_pixels(dataset), len(dataset.PixelData)
    if syntax.is_compressed:
        if size > _MAX_RATIO * actual_size + _FREE_BYTES:
            raise SpinemetError(f"{name} would unpack to {size:,} bytes and is refused")
        _check_codestream(dataset, name)
        return ""
    if actual_size < size:
        raise SpinemetError(
            f"{name} is truncated, with {actual_size:,} of {size:,} bytes of pixels"
        )
    extra = actual_size - size
    return f"{name} is {extra:,} bytes longer than its pixels" if extra > 1 else ""


def _check_bits(dataset: FileDataset, name: str) -> None:
    """Refuse numbers that lie elsewhere in their words than where they are read."""
    values = [
        numbers_of(dataset, keyword, 1) for keyword in ("BitsAllocated", "BitsStored", "HighBit")
    ]
    allocated_bits, stored, high = (None if v is None else int(v[0]) for v in values)
    if allocated_bits is None or stored is None or not 1 <= stored <= allocated_bits <= 64:
        raise SpinemetError(f"{name} has no valid BitsAllocated and BitsStored")
    if high is not None and high != stored - 1:
        raise SpinemetError(
            f"{name} has {stored} bits a pixel and names the one of number {high} the highest, so "
            "its values may be shifted"
        )


def _check_codestream(dataset: FileDataset, name: str) -> None:
    """Refuse packed images of another size than the header's: a decoder would believe them."""
    head = dataset.PixelData[:_SEARCHED_BYTES]
    match = _J2K_SIZE.search(head)
    if match:
        columns, rows = (int.from_bytes(part, "big") for part in match.groups())
    else:
        match = _JPEG_SIZE.search(head) if b"\xff\xd8\xff" in head else None
        if match is None:
            return
        rows, columns = (int.from_bytes(part, "big") for part in match.groups())
    if (rows, columns) != (int(dataset.Rows), int(dataset.Columns)):
        raise SpinemetError(f"{name} holds an image of another size than its header says")


def check_rescale(items: Sequence[Dataset]) -> None:
    """Refuse scales that wipe values out, and those that polarity cannot be undone under."""
    scales = []
    unscaled_count = 0
    for item in items:
        if "RescaleSlope" not in item and "RescaleIntercept" not in item:
            scales.append((1.0, 0.0))
            unscaled_count += 1
            continue
        slope = numbers_of(item, "RescaleSlope", 1)
        intercept = numbers_of(item, "RescaleIntercept", 1)
        if slope is None or intercept is None:
            raise SpinemetError("an image has no valid RescaleSlope and RescaleIntercept")
        if slope[0] == 0:
            raise SpinemetError("an image has a RescaleSlope of 0, which would wipe out its values")
        scales.append((float(slope[0]), float(intercept[0])))
    if 0 < unscaled_count < len(items) and len(set(scales)) > 1:
        raise SpinemetError(
            f"RescaleSlope is missing in {unscaled_count} of its {len(items)} images and not in "
            "the others, so their values do not compare"
        )
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
