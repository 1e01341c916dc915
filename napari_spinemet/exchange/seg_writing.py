"""Contours as a DICOM Segmentation on the grid of the images that the series was read from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from highdicom.volume import ChannelDescriptor
from pydicom.dataset import Dataset, FileDataset
from pydicom.sr.codedict import codes

from ..atomic_files import replace_atomically
from ..dicom.frames import is_multi_frame
from ..dicom.library_messages import first_clause, silence_libraries
from ..dicom.pixels import repair_images
from ..dicom.reading import source_images
from ..dicom.stacks.faults import SPACING_TOLERANCE
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from .writing import DicomContext

MaskArray = npt.NDArray[np.bool_]

_LESION = codes.SCT.NeoplasmMetastatic
_VERTEBRA = codes.SCT.Vertebra
_PROGRAM = "napari-spinemet"
_SERIES_NUMBER = 900
"""High, so that viewers list the contours behind the scans."""
# The sources' empty attributes that a segmentation must carry, and anonymisers remove.
_TYPE_2_KEYWORDS = (
    "AccessionNumber", "PatientID", "PatientName", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "StudyID",
)  # fmt: skip


def write_segmentation(
    annotation: Annotation, series: SagittalSeries, target: Path, context: DicomContext
) -> None:
    """Write one DICOM Segmentation, whole or not at all.

    Parameters
    ----------
    annotation : Annotation
        Checked by the caller: of the shape of ``series`` and not empty.
    series : SagittalSeries
        The series, as read.
    target : Path
        The file.
    context : DicomContext
        The images to write on, and what makes the output the same each time.

    Raises
    ------
    SpinemetError
        If there are no images, if the series lies on another grid than they do, or if the file
        cannot be written.
    """
    images = context.source_images or _images_of(series)
    masks, descriptions = _segments(annotation)
    volume = hd.Volume(
        array=np.stack(masks, axis=-1).astype(np.uint8),
        affine=series.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=series.frame_of_reference_uid or None,
        channels={ChannelDescriptor("SegmentNumber"): list(range(1, len(masks) + 1))},
    )
    with silence_libraries():
        try:
            segmentation = _segmentation(
                volume, images, descriptions, annotation.reader, context.uid
            )
        except Exception as error:
            raise SpinemetError(
                "The contours cannot be written on the grid of these images "
                f"({first_clause(error)}); choose the images that the series was read from."
            ) from error
    _fix_identity(segmentation, context)
    with silence_libraries(), replace_atomically(target) as temporary:
        segmentation.save_as(temporary)


def _images_of(series: SagittalSeries) -> Sequence[FileDataset]:
    """The images of a series, from where it was read."""
    if series.source is None:
        raise SpinemetError(
            "A DICOM Segmentation needs the files of the scan; open it, or give its images."
        )
    return source_images(series.source, series.series_uid, series.stack)


def _segments(annotation: Annotation) -> tuple[list[MaskArray], list[hd.seg.SegmentDescription]]:
    """A mask with its description for each lesion, then for each vertebra."""
    masks: list[MaskArray] = []
    descriptions: list[hd.seg.SegmentDescription] = []
    for number in np.unique(annotation.lesions[annotation.lesions > 0]):
        masks.append(annotation.lesions == number)
        descriptions.append(_description(len(masks), f"Lesion {number}", _LESION, is_lesion=True))
    vertebrae = np.unique(annotation.vertebrae[annotation.vertebrae > 0])
    for ordinal, number in enumerate(vertebrae, 1):
        level = annotation.levels.get(int(number), f"Vertebra {number}")
        masks.append(annotation.vertebrae == number)
        code = getattr(codes.SCT, f"{level}Vertebra", _VERTEBRA)
        description = _description(len(masks), level, code, is_lesion=False)
        if number != ordinal:
            # Its label tells a vertebra's level, and so not always its number.
            description.SegmentDescription = f"Vertebra {number}"
        descriptions.append(description)
    return masks, descriptions


def _segmentation(
    volume: hd.Volume,
    images: Sequence[FileDataset],
    descriptions: Sequence[hd.seg.SegmentDescription],
    reader: str,
    uid: str | None,
) -> hd.seg.Segmentation:
    """The object on the grid of its sources, whichever way they are stored."""
    if is_multi_frame(images[0]):
        sources = [_complete(image) for image in images]
        image = hd.image.Image.from_dataset(sources[0])
        grid = image.get_volume_geometry(rtol=2 * SPACING_TOLERANCE)
    else:
        sources = [_complete(image) for image in repair_images(images, [])]
        grid = hd.get_volume_from_series(sources, rtol=2 * SPACING_TOLERANCE)
    on_grid = volume.match_geometry(grid)
    # The library cuts off or pads where grids differ: then labels are gone, or the shape is new.
    if on_grid.spatial_shape != grid.spatial_shape or volume.array.sum() != on_grid.array.sum():
        raise ValueError("the series lies on another grid")
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=on_grid,
        segmentation_type="BINARY",
        segment_descriptions=descriptions,
        series_instance_uid=hd.UID() if uid is None else f"{uid}.1",
        series_number=_SERIES_NUMBER,
        sop_instance_uid=hd.UID() if uid is None else f"{uid}.2",
        instance_number=1,
        manufacturer=_PROGRAM,
        manufacturer_model_name=_PROGRAM,
        software_versions="1",
        device_serial_number="0",
        content_creator_name=reader or None,
        content_label="CONTOURS",
    )


def _fix_identity(segmentation: hd.seg.Segmentation, context: DicomContext) -> None:
    """Put what was asked for in place of what the library takes from chance and the clock."""
    if context.uid is not None:
        # The library draws this one at random, and a file that is made again must be the same.
        for item in (
            *segmentation.DimensionOrganizationSequence,
            *segmentation.DimensionIndexSequence,
        ):
            item.DimensionOrganizationUID = f"{context.uid}.3"
    if context.date is not None:
        segmentation.InstanceCreationDate = segmentation.ContentDate = context.date
        segmentation.SeriesDate = context.date
        segmentation.InstanceCreationTime = segmentation.ContentTime = "000000"
        segmentation.SeriesTime = "000000"
        if "ContributingEquipmentSequence" in segmentation:
            for item in segmentation.ContributingEquipmentSequence:
                item.pop("ContributionDateTime", None)


def _description(
    number: int, label: str, code: object, *, is_lesion: bool
) -> hd.seg.SegmentDescription:
    category = (
        codes.SCT.MorphologicallyAbnormalStructure if is_lesion else codes.SCT.AnatomicalStructure
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
    if all(keyword in image for keyword in _TYPE_2_KEYWORDS):
        return image
    copy = FileDataset("", image, file_meta=image.file_meta)
    for keyword in _TYPE_2_KEYWORDS:
        if keyword not in copy:
            setattr(copy, keyword, "")
    return copy
