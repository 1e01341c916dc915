"""From the files of a stack to a volume, with the repairs that the library leaves to us."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset

from ..errors import SpinemetError
from ..imaging.scan_warnings import ScanWarning
from .files.sources import Source
from .headers import normal_of, numbers_of, repair_decimal_commas, text_of, value_of
from .padding import declares_padding, fill_padding, find_padding
from .pixel_checks import (
    bytes_of_pixels,
    check_length,
    check_multi_frame_duplicates,
    check_rescale,
    check_size,
    frame_transforms,
)
from .stacks.faults import SPACING_TOLERANCE
from .stacks.stack import Stack
from .unpacking import have_equal_pixels, unpack_pixels

_STORAGE_KEYWORDS = ("BitsStored", "PixelRepresentation")
_MEANING_KEYWORDS = ("RescaleType", "PresentationLUTShape")
"""What says how numbers are stored and meant, and so must be the same in all images."""
_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")
_NOISE = 1e-6
"""Differences of direction cosines that are worth a word."""


def repair_images(datasets: Sequence[FileDataset], notes: list[ScanWarning]) -> list[FileDataset]:
    """Copies of the images of one stack with what is badly written put right.

    Decimal commas become points, direction cosines with noise their mean, and images without
    a frame of reference get their series' identifier for one. Series that were put together
    get one identifier.

    Parameters
    ----------
    datasets : sequence of pydicom.dataset.FileDataset
        Single-frame images without a fault; left as they are.
    notes : list of ScanWarning
        Receives one for each repair.
    """
    datasets = [copy.copy(dataset) for dataset in datasets]
    for dataset in datasets:
        dataset.SeriesInstanceUID = datasets[0].SeriesInstanceUID
    commas = sum([repair_decimal_commas(dataset) for dataset in datasets])
    if commas:
        notes.append(
            ScanWarning("decimal-commas", f"In {commas} files decimal commas were read as points.")
        )
    stack = Stack([(Source(Path()), dataset) for dataset in datasets])
    orientation = stack.orientation
    if orientation is None:
        raise SpinemetError("its images have no common direction")
    first = numbers_of(datasets[0], "ImageOrientationPatient", 6)
    difference = stack.orientation_spread
    if difference > 0 or first is None or np.abs(first - orientation).max() > 0:
        _note_difference(difference, notes)
        for dataset in datasets:
            # Ten digits, since a decimal string holds no more than sixteen characters.
            dataset.ImageOrientationPatient = [float(f"{v:.10g}") for v in orientation]
    if not any(value_of(dataset, "FrameOfReferenceUID") for dataset in datasets):
        notes.append(
            ScanWarning(
                "no-frame-of-reference",
                "The series names no frame of reference; its own identifier stands for it.",
            )
        )
        for dataset in datasets:
            dataset.FrameOfReferenceUID = dataset.SeriesInstanceUID
    return datasets


def read_single_frames(stack: Stack, notes: list[ScanWarning]) -> hd.Volume:
    """Read the pixels of a checked stack of single-frame images.

    Parameters
    ----------
    stack : Stack
        Without a fault.
    notes : list of ScanWarning
        Receives one for each repair.
    """
    check_size(stack)
    headers = [header for _, header in stack.images]
    _check_common(headers, _STORAGE_KEYWORDS)
    for keyword in _IDENTIFIERS:
        lacking = sum(not value_of(header, keyword) for header in headers)
        if lacking:
            raise SpinemetError(f"{lacking} of its {len(headers)} images have no {keyword}")
    raw_datasets: list[FileDataset] = []
    odd: list[str] = []
    for source, header in stack.images:
        dataset = source.parse(pixel_bytes=bytes_of_pixels(header))
        extra = check_length(dataset, source.name)
        if extra:
            dataset.PixelData = dataset.PixelData[: bytes_of_pixels(dataset)]
            odd.append(extra)
        raw_datasets.append(dataset)
    if odd:
        rest = f", and so are {len(odd) - 1} others" if len(odd) > 1 else ""
        notes.append(ScanWarning("pixels-too-long", f"{odd[0]}{rest}."))
    _check_duplicates(stack, raw_datasets)
    unpacked_datasets = unpack_pixels([source for source, _ in stack.images], raw_datasets)
    datasets = repair_images(unpacked_datasets, notes)
    check_rescale(datasets)
    _check_common(datasets, _MEANING_KEYWORDS)
    # Twice our own tolerance: the library measures each slice against the mean distance.
    volume = hd.get_volume_from_series(
        datasets, dtype=np.float32, rtol=2 * SPACING_TOLERANCE, apply_real_world_transform=False
    )
    _fill_padding_of_files(volume, datasets)
    return volume


def _check_duplicates(stack: Stack, datasets: Sequence[FileDataset]) -> None:
    """Same identifier, other pixels: one of the two is not what it says."""
    for source, uid in stack.duplicates:
        twin = source.parse()
        others = zip(stack.images, datasets, strict=True)
        for (other_source, _), dataset in others:
            if dataset.SOPInstanceUID == uid and not have_equal_pixels(
                (other_source, dataset), (source, twin)
            ):
                raise SpinemetError(
                    f"{source.name} has the identifier of another image but other pixels"
                )


def _check_common(headers: Sequence[Dataset], keywords: Sequence[str]) -> None:
    for keyword in keywords:
        if len({str(value_of(header, keyword, "")) for header in headers}) > 1:
            raise SpinemetError(f"its images differ in {keyword}, so their values do not compare")


def _fill_padding_of_files(volume: hd.Volume, datasets: Sequence[FileDataset]) -> None:
    """Fill the padding of each image, in the slice that the library put it into."""
    if not any(map(declares_padding, datasets)):
        return
    positions = [np.array(dataset.ImagePositionPatient, dtype=float) for dataset in datasets]
    indices = np.rint(volume.map_reference_to_indices(np.array(positions))).astype(int)
    padding = np.zeros(volume.array.shape, dtype=bool)
    for (index, *_), dataset in zip(indices, datasets, strict=True):
        mask = find_padding(dataset, dataset.pixel_array) if declares_padding(dataset) else None
        if mask is not None:
            padding[index] = mask
    fill_padding(volume.array, padding)


def read_multi_frames(stack: Stack, notes: list[ScanWarning]) -> hd.Volume:
    """Read the pixels of a checked stack of frames, from one multi-frame file or several.

    Parameters
    ----------
    stack : Stack
        Without a fault.
    notes : list of ScanWarning
        Receives one for each repair.
    """
    check_size(stack)
    frames = _read_frames(stack)
    orientation = stack.orientation
    if orientation is None:
        raise SpinemetError("its images have no common direction")
    _note_difference(stack.orientation_spread, notes)
    # The library's slice axis runs against the normal of the image plane.
    normal = -normal_of(orientation)
    distances = sorted(
        (float(np.dot(header.ImagePositionPatient, normal)), index)
        for index, (_, header) in enumerate(stack.images)
    )
    images = [stack.images[index] for _, index in distances]
    first = images[0][1]
    ordered_frames = [frames[source, int(header.InstanceNumber)] for source, header in images]
    pixels = np.stack([frame.pixels for frame in ordered_frames])
    masks = [frame.padding for frame in ordered_frames]
    if any(mask is not None for mask in masks):
        empty = np.zeros(pixels.shape[1:], dtype=bool)
        fill_padding(pixels, np.stack([empty if mask is None else mask for mask in masks]))
    return hd.Volume.from_attributes(
        array=pixels,
        image_position=list(first.ImagePositionPatient),
        image_orientation=list(orientation),
        pixel_spacing=list(first.PixelSpacing),
        spacing_between_slices=(distances[-1][0] - distances[0][0]) / (len(distances) - 1),
        coordinate_system="PATIENT",
        frame_of_reference_uid=text_of(first, "FrameOfReferenceUID") or None,
    )


class _Frame(NamedTuple):
    """The pixels of a frame, and which of them are padding."""

    pixels: npt.NDArray[np.float32]
    padding: npt.NDArray[np.bool_] | None


def _read_frames(stack: Stack) -> dict[tuple[Source, int], _Frame]:
    """Each frame by its file and number, every file read once."""
    numbers: dict[Source, list[int]] = {}
    headers = dict(stack.images)
    for source, header in stack.images:
        numbers.setdefault(source, []).append(int(header.InstanceNumber))
    check_multi_frame_duplicates(stack, list(numbers))
    frames: dict[tuple[Source, int], _Frame] = {}
    for source, frame_numbers in numbers.items():
        dataset = source.parse(pixel_bytes=bytes_of_pixels(headers[source]))
        check_length(dataset, source.name)
        (dataset,) = unpack_pixels([source], [dataset])
        check_rescale(frame_transforms(dataset))
        image = hd.image.Image.from_dataset(dataset, copy=False)
        pixels = image.get_frames(frame_numbers, dtype=np.float32, apply_real_world_transform=False)
        masks: Sequence[npt.NDArray[np.bool_] | None] = [None] * len(frame_numbers)
        if declares_padding(dataset):
            stored_frames = image.get_stored_frames(frame_numbers)
            masks = [find_padding(dataset, stored_frame) for stored_frame in stored_frames]
        for number, frame, mask in zip(frame_numbers, pixels, masks, strict=True):
            frames[source, number] = _Frame(frame, mask)
    return frames


def _note_difference(difference: float, notes: list[ScanWarning]) -> None:
    if difference > _NOISE:
        notes.append(
            ScanWarning(
                "orientation-noise",
                f"The slice orientations differ by up to {difference:.1e}; their mean was used.",
            )
        )
