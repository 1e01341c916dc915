"""Contours as DICOM Segmentation objects."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from highdicom.volume import ChannelDescriptor
from pydicom.dataset import Dataset, FileDataset
from pydicom.sr.codedict import codes

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..storage import replace_atomically
from .frames import is_multi_frame
from .headers import value_of
from .pixels import prepared
from .sources import first_clause, quiet, scan
from .stacks import SPACING_TOLERANCE

_LESION = codes.SCT.NeoplasmMetastatic
_VERTEBRA = codes.SCT.Vertebra
# The sources' empty attributes that a segmentation must carry, and anonymisers remove.
_TYPE_2 = (
    "AccessionNumber", "PatientID", "PatientName", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "StudyID",
)  # fmt: skip


def write_annotation(
    annotation: Annotation,
    series: SagittalSeries,
    source_images: Sequence[FileDataset],
    path: str | os.PathLike[str],
    *,
    uid: str | None = None,
    when: str | None = None,
) -> Path:
    """Write contours as a DICOM Segmentation on the grid of its source.

    Parameters
    ----------
    annotation : Annotation
        On the grid of ``series``; at least one label.
    series : SagittalSeries
        The series, as read.
    source_images : sequence of pydicom.dataset.FileDataset
        The images that it was read from.
    path : path-like
        The file; written whole or not at all.
    uid : str, optional
        Stem of the identifiers of the object, at most 62 characters; new ones if not given.
    when : str, optional
        ``YYYYMMDD`` to put for the current date and midnight for the time, for output that
        must be the same each time.

    Raises
    ------
    SpinemetError
        If there is nothing to write, if the contours lie on another grid than the series or
        the series on another than the images, or if the file cannot be written.
    """
    if annotation.lesions.shape != series.shape:
        raise SpinemetError(
            f"The contours have shape {annotation.lesions.shape}, the series {series.shape}; "
            "contours are written on the grid they were drawn on."
        )
    if annotation.empty:
        raise SpinemetError("Nothing has been contoured yet, so there is nothing to write.")
    masks, descriptions = [], []
    for number in np.unique(annotation.lesions[annotation.lesions > 0]):
        masks.append(annotation.lesions == number)
        descriptions.append(_description(len(masks), f"Lesion {number}", _LESION, lesion=True))
    vertebrae = np.unique(annotation.vertebrae[annotation.vertebrae > 0])
    for ordinal, number in enumerate(vertebrae, 1):
        level = annotation.levels.get(int(number), f"Vertebra {number}")
        masks.append(annotation.vertebrae == number)
        code = getattr(codes.SCT, f"{level}Vertebra", _VERTEBRA)
        description = _description(len(masks), level, code, lesion=False)
        if number != ordinal:
            # Its label tells a vertebra's level, and so not always its number.
            description.SegmentDescription = f"Vertebra {number}"
        descriptions.append(description)
    volume = hd.Volume(
        array=np.stack(masks, axis=-1).astype(np.uint8),
        affine=series.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=series.frame_of_reference_uid or None,
        channels={ChannelDescriptor("SegmentNumber"): list(range(1, len(masks) + 1))},
    )
    with quiet():
        try:
            segmentation = _segmentation(
                volume, source_images, descriptions, annotation.reader, uid
            )
        except Exception as error:
            raise SpinemetError(
                "The contours cannot be written on the grid of these images "
                f"({first_clause(error)}); choose the images that the series was read from."
            ) from error
    if uid is not None:
        # The library draws this one at random, and a file that is made again must be the same.
        for item in (
            *segmentation.DimensionOrganizationSequence,
            *segmentation.DimensionIndexSequence,
        ):
            item.DimensionOrganizationUID = f"{uid}.3"
    if when is not None:
        segmentation.InstanceCreationDate = segmentation.ContentDate = when
        segmentation.SeriesDate = when
        segmentation.InstanceCreationTime = segmentation.ContentTime = "000000"
        segmentation.SeriesTime = "000000"
        if "ContributingEquipmentSequence" in segmentation:
            for item in segmentation.ContributingEquipmentSequence:
                item.pop("ContributionDateTime", None)
    target = Path(path)
    with quiet(), replace_atomically(target) as temporary:
        segmentation.save_as(temporary)
    return target


def read_annotation(path: str | os.PathLike[str], series: SagittalSeries) -> Annotation:
    """Read contours onto the grid of a series.

    Parameters
    ----------
    path : path-like
        A DICOM Segmentation, or a folder that holds one for this series.
    series : SagittalSeries

    Returns
    -------
    Annotation

    Raises
    ------
    SpinemetError
        If there is no segmentation or more than one, if it lies on another grid or in
        another frame of reference (contours are never resampled), or if it holds neither
        lesions nor vertebrae. Segments of anything else are passed over.
    """
    with quiet():
        found = [s for s, h in scan(path).headers if str(value_of(h, "Modality", "")) == "SEG"]
        if len(found) != 1:
            raise SpinemetError(
                f"There are {len(found) or 'no'} contour files (DICOM SEG) in {path}; "
                "choose exactly one."
            )
        name = found[0].name
        try:
            segmentation = hd.seg.Segmentation.from_dataset(found[0].read(), copy=False)
            frame_of_reference = str(segmentation.FrameOfReferenceUID)
        except Exception as error:
            raise SpinemetError(
                f"The contours in {name} cannot be read ({first_clause(error)}); export them again."
            ) from error
        if series.frame_of_reference_uid and frame_of_reference != series.frame_of_reference_uid:
            raise SpinemetError(
                f"The contours in {name} belong to another scan (their frame of reference "
                "differs); choose those of this series."
            )
        try:
            masks = _on_grid(segmentation, series)
        except Exception as error:
            raise SpinemetError(
                f"The contours in {name} do not lie on the grid of this series, and contours "
                "are not resampled; export them on the grid of the scan."
            ) from error
        return _labelled(segmentation, masks, series)


def _on_grid(segmentation: hd.seg.Segmentation, series: SagittalSeries) -> npt.NDArray[np.bool_]:
    """The segments, one array each, on the grid of the series, or a ValueError.

    The library flips, pads and crops to match, and also skips rows of a finer grid and cuts
    off what lies outside; the last two would change contours, and are refused here.
    """
    grid = hd.Volume(
        array=np.zeros(series.shape, dtype=np.uint8),
        affine=series.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=series.frame_of_reference_uid or None,
    )
    volume = segmentation.get_volume(combine_segments=False, allow_missing_positions=True)
    if not np.allclose(sorted(volume.spacing), sorted(grid.spacing), rtol=1e-3):
        raise ValueError("other spacing")
    matched = volume.match_geometry(grid)
    if matched.spatial_shape != series.shape or np.abs(matched.affine - series.affine).max() > 1e-2:
        raise ValueError("other grid")
    # Half is where a segmentation that holds fractions draws its line.
    masks: npt.NDArray[np.bool_] = np.moveaxis(np.asarray(matched.array), -1, 0) >= 0.5
    if np.count_nonzero(np.asarray(volume.array) >= 0.5) != np.count_nonzero(masks):
        raise ValueError("contours outside the series")
    return masks


def _labelled(
    segmentation: hd.seg.Segmentation, masks: npt.NDArray[np.bool_], series: SagittalSeries
) -> Annotation:
    """The segments as two label arrays, with the numbers that they had when they were written."""
    lesions: npt.NDArray[np.uint16] = np.zeros(series.shape, dtype=np.uint16)
    vertebrae = np.zeros(series.shape, dtype=np.uint16)
    levels: dict[int, str] = {}
    used: dict[bool, set[int]] = {True: set(), False: set()}
    strange: list[str] = []
    for number, mask in zip(segmentation.segment_numbers, masks, strict=True):
        description = segmentation.get_segment_description(number)
        label = str(description.segment_label)
        lesion = _is_lesion(description)
        if not lesion and not _is_vertebra(description):
            strange.append(label)
            continue
        told = label if lesion else str(description.get("SegmentDescription", ""))
        own = _number_in(told, "Lesion" if lesion else "Vertebra", used[lesion])
        used[lesion].add(own)
        (lesions if lesion else vertebrae)[mask] = own
        if not lesion and label != f"Vertebra {own}":
            levels[own] = label
    if strange and not any(used.values()):
        raise SpinemetError(
            f"The segments of the contours ({', '.join(strange[:5])}) are neither lesions nor "
            "vertebrae; choose another file or name them."
        )
    return Annotation(
        lesions,
        vertebrae,
        levels,
        series_uid=series.series_uid,
        reader=str(segmentation.get("ContentCreatorName", "") or ""),
        created=f"{segmentation.get('ContentDate', '')}T{segmentation.get('ContentTime', '')}",
    )


# Whole words, and an underscore ends one: neither the intervertebral nor the vertebral artery.
_VERTEBRAL = re.compile(r"(?<![a-z])(vertebrae?|vertebral body|sacrum)(?![a-z])", re.IGNORECASE)
_DISC = re.compile(r"dis[ck]", re.IGNORECASE)


def _is_lesion(description: hd.seg.SegmentDescription) -> bool:
    """By its category, or by what it is called."""
    category = description.segmented_property_category
    return category.value == codes.SCT.MorphologicallyAbnormalStructure.value or bool(
        re.search(r"lesion|metasta|tumou?r", str(description.segment_label), re.IGNORECASE)
    )


def _is_vertebra(description: hd.seg.SegmentDescription) -> bool:
    """Other programs write whole bodies full of organs; only vertebrae are of use here."""
    told = f"{description.segment_label} {description.segmented_property_type.meaning}"
    return bool(
        (_VERTEBRAL.search(told) and not _DISC.search(told))
        or re.fullmatch(r"[CTLS]\d{1,2}", str(description.segment_label).strip())
    )


def _number_in(text: str, kind: str, used: set[int]) -> int:
    """The number that a segment's text tells, or else the next one."""
    found = re.fullmatch(rf"{kind} (\d{{1,5}})", text)
    if found and 0 < int(found[1]) < 2**16 and int(found[1]) not in used:
        return int(found[1])
    return max(used, default=0) + 1


def _segmentation(
    volume: hd.Volume,
    source_images: Sequence[FileDataset],
    descriptions: Sequence[hd.seg.SegmentDescription],
    reader: str,
    uid: str | None,
) -> hd.seg.Segmentation:
    """The object on the grid of its sources, whichever way they are stored."""
    if not source_images:
        raise ValueError("there are none")
    if is_multi_frame(source_images[0]):
        sources = [_complete(image) for image in source_images]
        image = hd.image.Image.from_dataset(sources[0])
        grid = image.get_volume_geometry(rtol=2 * SPACING_TOLERANCE)
    else:
        sources = [_complete(image) for image in prepared(source_images, [])]
        grid = hd.get_volume_from_series(sources, rtol=2 * SPACING_TOLERANCE)
    matched = volume.match_geometry(grid)
    if matched.spatial_shape != grid.spatial_shape or volume.array.sum() != matched.array.sum():
        raise ValueError("the series lies on another grid")
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=matched,
        segmentation_type="BINARY",
        segment_descriptions=descriptions,
        series_instance_uid=hd.UID() if uid is None else f"{uid}.1",
        series_number=900,
        sop_instance_uid=hd.UID() if uid is None else f"{uid}.2",
        instance_number=1,
        manufacturer="napari-spinemet",
        manufacturer_model_name="napari-spinemet",
        software_versions="1",
        device_serial_number="0",
        content_creator_name=reader or None,
        content_label="CONTOURS",
    )


def _description(
    number: int, label: str, code: object, *, lesion: bool
) -> hd.seg.SegmentDescription:
    category = (
        codes.SCT.MorphologicallyAbnormalStructure if lesion else codes.SCT.AnatomicalStructure
    )
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=category,
        segmented_property_type=code,
        algorithm_type="MANUAL",
    )


def _complete(image: FileDataset) -> Dataset:
    """A copy that has the attributes every image must have, if only empty."""
    if all(keyword in image for keyword in _TYPE_2):
        return image
    copy = FileDataset("", image, file_meta=image.file_meta)
    for keyword in _TYPE_2:
        if keyword not in copy:
            setattr(copy, keyword, "")
    return copy
