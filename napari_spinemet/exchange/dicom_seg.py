"""Contours as DICOM Segmentation objects, one for each reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from ..dicom.files.contents import read_headers
from ..dicom.files.sources import Source
from ..dicom.headers import value_of
from ..dicom.library_messages import first_clause, silence_libraries
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.geometry import onto_grid
from .contour_sets import ContourSets, OtherSeriesError
from .seg_segments import layers_of
from .seg_writing import write_segmentation
from .writing import DicomContext, check_writable

_INSIDE = 0.5
"""Where a segmentation that holds fractions draws its line."""


class DicomSegFormat:
    """DICOM Segmentation; see ``AnnotationFormat`` for its methods."""

    name = "seg"
    title = "DICOM SEG"
    suffixes: tuple[str, ...] = (".dcm",)

    def stem_of(self, path: Path) -> str:
        """The name without its suffix: one file holds lesions and vertebrae."""
        return path.stem if path.suffix.lower() in self.suffixes else path.name

    def find_files(self, path: Path) -> list[Source]:
        """The DICOM Segmentations of a folder, file or zip, told by their modality.

        Raises
        ------
        SpinemetError
            If there is no DICOM object at all.
        """
        headers = read_headers(path).headers
        return [s for s, header in headers if str(value_of(header, "Modality", "")) == "SEG"]

    def read_files(
        self, sources: Sequence[Source], series: SagittalSeries, kind: str | None
    ) -> ContourSets:
        """Read segmentations, each of them a set.

        Parameters
        ----------
        sources : sequence of Source
            At least one.
        series : SagittalSeries
            The one whose contours are looked for.
        kind : str or None
            Not looked at: each segment says itself what it is.
        """
        sets = ContourSets()
        for source in sources:
            try:
                annotation, is_of_other_series = _read_segmentation(source, series)
            except SpinemetError as error:
                sets.refusals.append(error)
            else:
                sets.add(annotation, is_of_other_series=is_of_other_series)
        return sets

    def write_files(
        self,
        annotation: Annotation,
        series: SagittalSeries,
        folder: Path,
        stem: str,
        context: DicomContext | None = None,
    ) -> list[Path]:
        """Write contours as ``STEM.dcm``.

        Parameters
        ----------
        annotation : Annotation
            On the grid of ``series``; at least one label.
        series : SagittalSeries
            The series, as read.
        folder : Path
            Made if it is missing.
        stem : str
            Name without its suffix.
        context : DicomContext, optional
            The images, without which they are read from ``series.source``, and identifiers.
        """
        check_writable(annotation, series, stem)
        target = folder / f"{stem}.dcm"
        write_segmentation(annotation, series, target, context or DicomContext())
        return [target]


def _read_segmentation(source: Source, series: SagittalSeries) -> tuple[Annotation, bool]:
    """The contours of one file, and whether it says that they were drawn on another series."""
    name = source.name
    with silence_libraries():
        try:
            segmentation = hd.seg.Segmentation.from_dataset(source.parse(), copy=False)
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
        masks = _masks_on_grid(segmentation, series, name)
        descriptions = [
            segmentation.get_segment_description(n) for n in segmentation.segment_numbers
        ]
        layers = layers_of(list(zip(descriptions, masks, strict=True)), series.shape, name)
        warnings = layers.warnings
        is_of_other_series = _is_of_other_series(segmentation, series)
        if is_of_other_series:
            warnings += (
                f"The contours in {name} were drawn on another series, which has the same grid.",
            )
        annotation = Annotation(
            layers.lesions,
            layers.vertebrae,
            layers.levels,
            series_uid=series.series_uid,
            reader=str(value_of(segmentation, "ContentCreatorName", "")),
            created=_creation_time(segmentation),
            holds=layers.holds,
            warnings=warnings,
        )
    return annotation, is_of_other_series


def _is_of_other_series(segmentation: Dataset, series: SagittalSeries) -> bool:
    """Whether the file names the series that it was drawn on, and this one is not among them."""
    uids = {
        str(value_of(item, "SeriesInstanceUID", ""))
        for item in value_of(segmentation, "ReferencedSeriesSequence") or ()
    }
    return bool(uids and series.series_uid and series.series_uid not in uids)


def _creation_time(segmentation: Dataset) -> str:
    """Date and time of the contours, as far as the file has them."""
    date, time = (str(value_of(segmentation, k, "")) for k in ("ContentDate", "ContentTime"))
    return f"{date}T{time}" if date else ""


def _masks_on_grid(
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
        masks: npt.NDArray[np.bool_] = np.moveaxis(np.asarray(volume.array), -1, 0) >= _INSIDE
    except Exception as error:
        raise SpinemetError(
            f"The contours in {name} do not lie on the grid of this series "
            f"({first_clause(error)}), and contours are not resampled; export them on the grid of "
            "the scan."
        ) from error
    return [
        onto_grid(mask, volume.affine, series.shape, series.affine, name=name) for mask in masks
    ]
