"""Contours as DICOM Segmentation objects."""

from __future__ import annotations

import os
import warnings
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
from .sources import scan

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
        SOPInstanceUID; a new one if not given.
    when : str, optional
        ``YYYYMMDD`` to put for the current date and midnight for the time, for output that
        must be the same each time.

    Raises
    ------
    SpinemetError
        If there is nothing to write, or the contours lie on another grid.
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
    for number in np.unique(annotation.vertebrae[annotation.vertebrae > 0]):
        level = annotation.levels.get(int(number), f"Vertebra {number}")
        masks.append(annotation.vertebrae == number)
        code = getattr(codes.SCT, f"{level}Vertebra", _VERTEBRA)
        descriptions.append(_description(len(masks), level, code, lesion=False))
    volume = hd.Volume(
        array=np.stack(masks, axis=-1).astype(np.uint8),
        affine=series.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=series.frame_of_reference_uid or None,
        channels={ChannelDescriptor("SegmentNumber"): list(range(1, len(masks) + 1))},
    )
    sources = [_complete(image) for image in source_images]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on the form of the source's person names
        segmentation = _segmentation(volume, sources, descriptions, annotation.reader, uid)
    if when is not None:
        segmentation.InstanceCreationDate = segmentation.ContentDate = when
        segmentation.SeriesDate = when
        segmentation.InstanceCreationTime = segmentation.ContentTime = "000000"
        segmentation.SeriesTime = "000000"
        if "ContributingEquipmentSequence" in segmentation:
            for item in segmentation.ContributingEquipmentSequence:
                item.pop("ContributionDateTime", None)
    target = Path(path)
    with replace_atomically(target) as temporary:
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
        If there is no segmentation or more than one, or if it lies on another grid or in
        another frame of reference; contours are never resampled.
    """
    found = [s for s, header in scan(path).headers if str(header.get("Modality", "")) == "SEG"]
    if len(found) != 1:
        raise SpinemetError(
            f"There are {len(found) or 'no'} contour files (DICOM SEG) in {path}; "
            "choose exactly one."
        )
    segmentation = hd.seg.Segmentation.from_dataset(found[0].read(), copy=False)
    frame_of_reference = str(segmentation.get("FrameOfReferenceUID", ""))
    if series.frame_of_reference_uid and frame_of_reference != series.frame_of_reference_uid:
        raise SpinemetError(
            f"The contours in {found[0].name} belong to another scan (their frame of reference "
            "differs); choose those of this series."
        )
    grid = hd.Volume(
        array=np.zeros(series.shape, dtype=np.uint8),
        affine=series.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=series.frame_of_reference_uid or None,
    )
    try:
        volume = segmentation.get_volume(combine_segments=False, allow_missing_positions=True)
        masks = np.moveaxis(np.asarray(volume.match_geometry(grid).array), -1, 0) > 0
    except (ValueError, RuntimeError) as error:
        raise SpinemetError(
            f"The contours in {found[0].name} do not lie on the grid of this series, and contours "
            "are not resampled; export them on the grid of the scan."
        ) from error
    lesions: npt.NDArray[np.uint16] = np.zeros(series.shape, dtype=np.uint16)
    vertebrae = np.zeros(series.shape, dtype=np.uint16)
    levels: dict[int, str] = {}
    for number, mask in zip(segmentation.segment_numbers, masks, strict=True):
        description = segmentation.get_segment_description(number)
        category = description.segmented_property_category
        if category.value == codes.SCT.MorphologicallyAbnormalStructure.value:
            lesions[mask] = lesions.max() + 1
        else:
            label = len(levels) + 1
            vertebrae[mask] = label
            levels[label] = str(description.segment_label)
    return Annotation(
        lesions,
        vertebrae,
        levels,
        series_uid=series.series_uid,
        reader=str(segmentation.get("ContentCreatorName", "") or ""),
        created=f"{segmentation.get('ContentDate', '')}T{segmentation.get('ContentTime', '')}",
    )


def _segmentation(
    volume: hd.Volume,
    sources: Sequence[Dataset],
    descriptions: Sequence[hd.seg.SegmentDescription],
    reader: str,
    uid: str | None,
) -> hd.seg.Segmentation:
    """The object on the grid of its sources, whichever way they are stored."""
    grid = hd.get_volume_from_series(sources, rtol=0.02)
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=volume.match_geometry(grid),
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
