"""Contours as DICOM Segmentation objects."""

from __future__ import annotations

import os
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
from ..dicom.headers import value_of
from ..dicom.pixels import prepared
from ..dicom.sources import Source, first_clause, quiet, scan
from ..dicom.stacks import SPACING_TOLERANCE
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.annotation import OtherSeriesError, of_this_series
from ..imaging.geometry import onto_grid
from .seg_segments import layers_of

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
    found = find_segmentations(path)
    if len(found) != 1:
        raise SpinemetError(
            f"There are {len(found) or 'no'} contour files (DICOM SEG) in {path}; "
            "choose exactly one."
        )
    return _read(found[0], series)[0]


def read_annotations(path: str | os.PathLike[str], series: SagittalSeries) -> list[Annotation]:
    """Read the contours of every reader onto the grid of a series.

    Parameters
    ----------
    path : path-like
        Folder, file or zip with DICOM Segmentations, one for each reader.
    series : SagittalSeries

    Returns
    -------
    list of Annotation
        One for each object that lies on the grid of the series, by reader and then by time of
        creation. Objects of another series are passed over; those that should have lain on this
        one and do not are named in the warnings.

    Raises
    ------
    SpinemetError
        If there is no segmentation, or if none of them can be used; the reasons are given.
    """
    sources = find_segmentations(path)
    if not sources:
        raise SpinemetError(
            f"There are no contour files (DICOM SEG) in {path}; choose the folder, file or zip "
            "that holds them."
        )
    found: list[tuple[Annotation, bool]] = []
    refused: list[SpinemetError] = []
    for source in sources:
        try:
            found.append(_read(source, series))
        except SpinemetError as error:
            refused.append(error)
    return of_this_series(found, refused, path)


def find_segmentations(path: str | os.PathLike[str]) -> list[Source]:
    """The DICOM Segmentations of a folder, file or zip.

    Raises
    ------
    SpinemetError
        If the place holds no DICOM object at all.
    """
    return [s for s, h in scan(path).headers if str(value_of(h, "Modality", "")) == "SEG"]


def _read(source: Source, series: SagittalSeries) -> tuple[Annotation, bool]:
    """The contours of one file, and whether it says that they were drawn on another series."""
    name = source.name
    with quiet():
        try:
            segmentation = hd.seg.Segmentation.from_dataset(source.read(), copy=False)
            frame_of_reference = str(segmentation.FrameOfReferenceUID)
        except Exception as error:
            raise SpinemetError(
                f"The contours in {name} cannot be read ({first_clause(error)}); export them again."
            ) from error
        if series.frame_of_reference_uid and frame_of_reference != series.frame_of_reference_uid:
            raise OtherSeriesError(
                f"The contours in {name} belong to another scan (their frame of reference "
                "differs); choose those of this series."
            )
        masks = _on_grid(segmentation, series, name)
        descriptions = [
            segmentation.get_segment_description(n) for n in segmentation.segment_numbers
        ]
        layers = layers_of(list(zip(descriptions, masks, strict=True)), series.shape, name)
        warnings = layers.warnings
        drawn_on = {
            str(value_of(item, "SeriesInstanceUID", ""))
            for item in value_of(segmentation, "ReferencedSeriesSequence") or ()
        }
        other = bool(drawn_on and series.series_uid and series.series_uid not in drawn_on)
        if other:
            warnings += (
                f"The contours in {name} were drawn on another series, which has the same grid.",
            )
        annotation = Annotation(
            layers.lesions,
            layers.vertebrae,
            layers.levels,
            series_uid=series.series_uid,
            reader=str(value_of(segmentation, "ContentCreatorName", "")),
            created=_created(segmentation),
            holds=layers.holds,
            warnings=warnings,
        )
    return annotation, other


def _created(segmentation: Dataset) -> str:
    """Date and time of the contours, as far as they are told."""
    date, time = (str(value_of(segmentation, k, "")) for k in ("ContentDate", "ContentTime"))
    return f"{date}T{time}" if date else ""


def _on_grid(
    segmentation: hd.seg.Segmentation, series: SagittalSeries, name: str
) -> list[npt.NDArray[np.bool_]]:
    """The segments, one array each, on the grid of the series, or the reason why not.

    The library's own way to match grids takes directions that differ by a quarter of a degree
    for equal, skips rows of a finer grid and cuts off what lies outside.
    """
    try:
        volume = segmentation.get_volume(combine_segments=False, allow_missing_positions=True)
        if volume.coordinate_system != hd.CoordinateSystemNames.PATIENT:
            raise ValueError("they lie on a microscope slide")
        # Half is where a segmentation that holds fractions draws its line.
        masks: npt.NDArray[np.bool_] = np.moveaxis(np.asarray(volume.array), -1, 0) >= 0.5
    except Exception as error:
        raise SpinemetError(
            f"The contours in {name} do not lie on the grid of this series "
            f"({first_clause(error)}), and contours are not resampled; export them on the grid of "
            "the scan."
        ) from error
    return [
        onto_grid(mask, volume.affine, series.shape, series.affine, name=name) for mask in masks
    ]


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
