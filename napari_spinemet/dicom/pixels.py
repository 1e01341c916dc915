"""From the files of a stack to a volume, with the checks that the library leaves to us."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset

from ..errors import SpinemetError
from .headers import normal_of, numbers, value_of
from .sources import Source
from .stacks import SPACING_TOLERANCE, Stack

MAX_VOLUME_BYTES = 4 * 1024**3

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
            try:
                setattr(dataset, keyword, text.split("\\") if "\\" in text else text)
            except ValueError:  # more than a comma is wrong with it: the checks will say so
                continue
            repaired = True
    return repaired


def prepared(datasets: Sequence[FileDataset], notes: list[str]) -> list[FileDataset]:
    """Copies of the images of one stack with what is badly written put right.

    Decimal commas become points, direction cosines with noise their mean, and images without
    a frame of reference get their series' identifier for one.

    Parameters
    ----------
    datasets : sequence of pydicom.dataset.FileDataset
        Single-frame images without a fault; left as they are.
    notes : list of str
        Receives a sentence for each repair.
    """
    datasets = [copy.copy(d) for d in datasets]
    commas = sum([repair_decimal_commas(d) for d in datasets])
    if commas:
        notes.append(f"In {commas} files decimal commas were read as points.")
    stack = Stack([(Source(Path()), d) for d in datasets])
    orientation = stack.orientation
    if orientation is None:
        raise SpinemetError("its images have no common direction")
    stored = numbers(datasets[0], "ImageOrientationPatient", 6)
    if stack.spread > 0 or stored is None or np.abs(stored - orientation).max() > 0:
        if stack.spread > 1e-6:
            notes.append(
                f"The slice orientations differ by up to {stack.spread:.1e}; their mean was used."
            )
        for dataset in datasets:
            dataset.ImageOrientationPatient = [float(f"{v:.10g}") for v in orientation]
    if not any(value_of(d, "FrameOfReferenceUID") for d in datasets):
        notes.append("The series names no frame of reference; its own identifier stands for it.")
        for dataset in datasets:
            dataset.FrameOfReferenceUID = dataset.SeriesInstanceUID
    return datasets


def single_frame_volume(stack: Stack, notes: list[str]) -> hd.Volume:
    """Read the pixels of a checked stack of single-frame images.

    Parameters
    ----------
    stack : Stack
        Without a fault.
    notes : list of str
        Receives a sentence for each repair.
    """
    _check_size(stack)
    raw: list[FileDataset] = []
    for source, _ in stack.images:
        dataset = source.read()
        _check_length(dataset, source.name)
        raw.append(dataset)
    _check_duplicates(stack, raw)
    datasets = prepared(raw, notes)
    _check_rescale(datasets)
    for keyword in ("BitsStored", "PixelRepresentation", "RescaleType", "PresentationLUTShape"):
        if len({str(value_of(d, keyword, "")) for d in datasets}) > 1:
            raise SpinemetError(f"its images differ in {keyword}, so their values do not compare")
    return hd.get_volume_from_series(
        datasets, dtype=np.float32, rtol=2 * SPACING_TOLERANCE, apply_real_world_transform=False
    )


def multi_frame_volume(stack: Stack, notes: list[str]) -> hd.Volume:
    """Read the pixels of a checked stack of frames, from one multi-frame file or several.

    Parameters
    ----------
    stack : Stack
        Without a fault.
    notes : list of str
        Receives a sentence for each repair.
    """
    _check_size(stack)
    files: dict[Source, list[int]] = {}
    for source, header in stack.images:
        files.setdefault(source, []).append(int(header.InstanceNumber))
    _check_twins(stack, list(files))
    frames: dict[tuple[Source, int], npt.NDArray[np.float32]] = {}
    for source, chosen in files.items():
        dataset = source.read()
        _check_rescale(_transforms(dataset))
        image = hd.image.Image.from_dataset(dataset, copy=False)
        pixels = image.get_frames(chosen, dtype=np.float32, apply_real_world_transform=False)
        frames.update(zip(((source, number) for number in chosen), pixels, strict=True))
    orientation = stack.orientation
    if orientation is None:
        raise SpinemetError("its images have no common direction")
    if stack.spread > 1e-6:
        notes.append(
            f"The slice orientations differ by up to {stack.spread:.1e}; their mean was used."
        )
    # The library's slice axis runs against the normal of the image plane.
    normal = -normal_of(orientation)
    placed = sorted(
        (float(np.dot(header.ImagePositionPatient, normal)), i)
        for i, (_, header) in enumerate(stack.images)
    )
    ordered = [stack.images[i] for _, i in placed]
    first = ordered[0][1]
    return hd.Volume.from_attributes(
        array=np.stack([frames[source, int(header.InstanceNumber)] for source, header in ordered]),
        image_position=list(first.ImagePositionPatient),
        image_orientation=list(orientation),
        pixel_spacing=list(first.PixelSpacing),
        spacing_between_slices=(placed[-1][0] - placed[0][0]) / (len(placed) - 1),
        coordinate_system="PATIENT",
        frame_of_reference_uid=value_of(first, "FrameOfReferenceUID"),
    )


def _check_size(stack: Stack) -> None:
    """Refuse what a forged header would have us unpack: run lengths grow without limit."""
    header = stack.header
    size = len(stack.images) * int(header.Rows) * int(header.Columns) * 4
    if size > MAX_VOLUME_BYTES:
        raise SpinemetError(f"it would take {size:,} bytes of memory, which no spine scan does")


def _check_rescale(items: Sequence[Dataset]) -> None:
    """Refuse scales that wipe values out, and those that polarity cannot be undone under."""
    scales = []
    for item in items:
        if "RescaleSlope" not in item and "RescaleIntercept" not in item:
            scales.append((1.0, 0.0))
            continue
        slope, intercept = numbers(item, "RescaleSlope", 1), numbers(item, "RescaleIntercept", 1)
        if slope is None or intercept is None:
            raise SpinemetError("an image has no valid RescaleSlope and RescaleIntercept")
        if slope[0] == 0:
            raise SpinemetError("an image has a RescaleSlope of 0, which would wipe out its values")
        scales.append((float(slope[0]), float(intercept[0])))
    inverted = any(
        value_of(d, "PhotometricInterpretation") == "MONOCHROME1"
        or value_of(d, "PresentationLUTShape") == "INVERSE"
        for d in items
    )
    if inverted and len(set(scales)) > 1:
        raise SpinemetError("its images are inverted and differ in RescaleSlope")


def _transforms(dataset: Dataset) -> list[Dataset]:
    """What scales the frames of a multi-frame object, one item for each that says so."""
    groups = [
        *(dataset.get("SharedFunctionalGroupsSequence") or []),
        *(dataset.get("PerFrameFunctionalGroupsSequence") or []),
    ]
    items = []
    for group in groups:
        for found in group.get("PixelValueTransformationSequence") or []:
            item = copy.copy(found)
            item.PhotometricInterpretation = value_of(dataset, "PhotometricInterpretation", "")
            item.PresentationLUTShape = value_of(dataset, "PresentationLUTShape", "")
            items.append(item)
    return items


def _check_length(dataset: FileDataset, name: str) -> None:
    if "PixelData" not in dataset:
        raise SpinemetError(f"{name} holds no pixels")
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        return
    expected = (
        int(dataset.Rows)
        * int(dataset.Columns)
        * int(value_of(dataset, "SamplesPerPixel", 1))
        * ((int(dataset.BitsAllocated) + 7) // 8)
    )
    have = len(dataset.PixelData)
    if have < expected:
        raise SpinemetError(f"{name} is truncated, with {have:,} of {expected:,} bytes of pixels")


def _check_duplicates(stack: Stack, datasets: Sequence[FileDataset]) -> None:
    """Same identifier, other pixels: one of the two is not what it says."""
    for source, uid in stack.duplicates:
        twin = source.read()
        for dataset in datasets:
            if dataset.SOPInstanceUID == uid and not _same_pixels(dataset, twin):
                raise SpinemetError(
                    f"{source.name} has the identifier of another image but other pixels"
                )


def _check_twins(stack: Stack, sources: Sequence[Source]) -> None:
    """The same for multi-frame files."""
    for source, uid in stack.duplicates:
        twin = source.read()
        for other in sources:
            dataset = other.read()
            if dataset.SOPInstanceUID == uid and dataset.PixelData != twin.PixelData:
                raise SpinemetError(
                    f"{source.name} has the identifier of another image but other pixels"
                )


def _same_pixels(dataset: FileDataset, twin: FileDataset) -> bool:
    """Whether two files hold the same image, in whatever transfer syntax each of them is."""
    if dataset.file_meta.TransferSyntaxUID == twin.file_meta.TransferSyntaxUID:
        return bool(dataset.PixelData == twin.PixelData)
    return np.array_equal(dataset.pixel_array, twin.pixel_array)
