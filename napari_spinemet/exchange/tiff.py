"""Contours as TIFF stacks, which ImageJ and napari open.

A TIFF tells no position in the patient. Ours carries it, with all else that is to be known, as
JSON where ImageJ keeps its own remarks on an image; ImageJ shows that text and keeps it.
"""

from __future__ import annotations

import json
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import tifffile

from ..dicom.library_messages import silence_libraries
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.annotation import LAYERS, LabelArray
from ..imaging.geometry import AffineArray, check_affine, onto_grid, spacing_of
from .label_files import LabelFile, levels_from, other_series_warnings, whole_labels
from .label_format import LabelFileFormat
from .label_names import TIFF_SUFFIXES, kind_of
from .tiff_stack import PROGRAM, Spacing, TiffStack, damage_error, read_stack
from .writing import DicomContext, check_writable, write_together

SPACING_TOLERANCE = 0.01
"""Share by which a foreign file's spacing may differ: other programs round it."""


class TiffFormat(LabelFileFormat):
    """TIFF stacks; see ``AnnotationFormat`` for its methods."""

    name = "tiff"
    title = "TIFF"
    suffixes = TIFF_SUFFIXES

    def load(self, path: Path, series: SagittalSeries, kind: str | None = None) -> LabelFile:
        """Read one file onto the grid of the series.

        Labels of a file without a position are taken slice by slice from the patient's right to
        the left, with a warning.

        Parameters
        ----------
        path : Path
            The file.
        series : SagittalSeries
            Nothing is resampled onto it.
        kind : str, optional
            ``"lesions"`` or ``"vertebrae"``; without it the file or its name says it.

        Raises
        ------
        SpinemetError
            If the file cannot be read, holds other values than whole numbers from 0 to 65535, or
            does not lie on the grid of the series; if it has no position and another shape or
            spacing; or if it is of another series with another grid.
        """
        stack = read_stack(path)
        if stack.metadata is not None:
            return _load_own(path, stack, stack.metadata, series, kind)
        if stack.is_saved_by_us:
            raise damage_error(path.name, "its description cannot be read")
        return _load_foreign(path, stack, series, kind)

    def write_files(
        self,
        annotation: Annotation,
        series: SagittalSeries,
        folder: Path,
        stem: str,
        context: DicomContext | None = None,
    ) -> list[Path]:
        """Write contours as ``STEM_lesions.tif`` and ``STEM_vertebrae.tif``.

        They are uint16 stacks (slice, row, column) of ImageJ's kind, each page deflated.

        Parameters
        ----------
        annotation : Annotation
            On the grid of ``series``; at least one label.
        series : SagittalSeries
            Gives spacing, affine and identifier.
        folder : Path
            Made if it is missing.
        stem : str
            Start of the names.
        context : DicomContext, optional
            Not looked at.
        """
        check_writable(annotation, series, stem)
        return write_together(
            [
                (folder / f"{stem}_{kind}.tif", partial(_save, annotation, series, kind))
                for kind in LAYERS
            ]
        )


def _load_own(
    path: Path,
    stack: TiffStack,
    metadata: dict[str, Any],
    series: SagittalSeries,
    kind: str | None,
) -> LabelFile:
    """A file with our description, whichever program saved it last."""
    name = path.name
    file_kind = _kind_in(metadata, path, kind)
    affine = _affine_in(metadata, stack, name)
    labels = whole_labels(stack.values, name)
    # What another program painted is meant; before that, any difference is damage.
    if stack.is_saved_by_us and metadata.get("crc32") != _checksum(labels):
        raise damage_error(name, "its labels are not those that were written")
    _check_spacing(stack.spacing_mm, spacing_of(affine), name)
    uid = str(metadata.get("series_uid") or "")
    series_warnings = other_series_warnings(name, uid, labels.shape, affine, series)
    warnings = series_warnings
    if not stack.is_saved_by_us:
        note = (
            f"The file {name} was saved by another program; if it was flipped there, its "
            "labels lie in the wrong place."
        )
        warnings += (note,)
    return LabelFile(
        path,
        file_kind,
        onto_grid(labels, affine, series.shape, series.affine, name=name),
        levels=levels_from(metadata.get("levels", {}), name) if file_kind == "vertebrae" else {},
        reader=str(metadata.get("reader") or ""),
        is_of_other_series=bool(series_warnings),
        warnings=warnings,
    )


def _kind_in(metadata: dict[str, Any], path: Path, kind: str | None) -> str:
    """What our description says that the file holds; it must be what the user says, if anything."""
    file_kind = str(metadata.get("kind"))
    if file_kind not in LAYERS:
        raise damage_error(path.name, f"it holds '{file_kind}'")
    if kind is not None and kind_of(path, kind) != file_kind:
        raise SpinemetError(f"The file {path.name} says that it holds {file_kind}, not {kind}.")
    return file_kind


def _affine_in(metadata: dict[str, Any], stack: TiffStack, name: str) -> AffineArray:
    """The position in our description, if it still belongs to the pixels."""
    try:
        shape = tuple(int(n) for n in metadata["shape"])
        affine = check_affine(metadata["affine"], f"the file {name}")
    except (KeyError, TypeError, ValueError) as error:
        raise damage_error(name, "its description is incomplete") from error
    if stack.values.shape != shape:
        raise SpinemetError(
            f"The file {name} has the shape {stack.values.shape} but was written as {shape}, so it "
            "was cropped or turned and its position is lost; edit the labels without that."
        )
    return affine


def _load_foreign(
    path: Path, stack: TiffStack, series: SagittalSeries, kind: str | None
) -> LabelFile:
    """Labels of a file that has no position, if they can only lie on this series."""
    file_kind = kind_of(path, kind)
    labels = whole_labels(stack.values, path.name)
    if labels.shape != series.shape:
        raise SpinemetError(
            f"The file {path.name} has the shape {labels.shape} and the series {series.shape} "
            "(slices, rows, columns), and it tells no position; export the labels at the size of "
            "the scan."
        )
    _check_spacing(stack.spacing_mm, series.spacing_mm, path.name)
    warning = (
        f"The file {path.name} tells no position, so its labels were taken as lying on this "
        "series slice by slice, from the patient's right to the left."
    )
    return LabelFile(path, file_kind, labels, warnings=(warning,))


def _check_spacing(
    file_spacing: Spacing, spacing_mm: tuple[float, float, float], name: str
) -> None:
    """Refuse a file whose spacing, where it gives one, is not that of the series."""
    for axis, file_mm, series_mm in zip(
        ("slices", "rows", "columns"), file_spacing, spacing_mm, strict=True
    ):
        if file_mm is not None and abs(file_mm - series_mm) > SPACING_TOLERANCE * series_mm:
            raise SpinemetError(
                f"In the file {name} the {axis} are {file_mm:.4g} mm apart, but {series_mm:.4g} mm "
                "in the series; export the labels on the grid of the scan."
            )


def _save(annotation: Annotation, series: SagittalSeries, kind: str, path: Path) -> None:
    """Write one stack."""
    labels: LabelArray = getattr(annotation, kind)
    metadata = {
        "program": PROGRAM,
        "kind": kind,
        "series_uid": series.series_uid or annotation.series_uid,
        "reader": annotation.reader,
        "shape": labels.shape,
        "crc32": _checksum(labels),
        "affine_axes": "slice, row, column to LPS mm",
        "affine": series.affine.tolist(),
    }
    if kind == "vertebrae":
        metadata["levels"] = {str(n): level for n, level in sorted(annotation.levels.items())}
    slice_mm, row_mm, column_mm = series.spacing_mm
    with silence_libraries():
        tifffile.imwrite(
            path,
            labels,
            imagej=True,
            compression="zlib",
            software=PROGRAM,
            resolution=(1 / column_mm, 1 / row_mm),
            metadata={
                "axes": "ZYX",
                "unit": "mm",
                "spacing": slice_mm,
                "Info": json.dumps(metadata, ensure_ascii=False),
            },
        )


def _checksum(labels: LabelArray) -> int:
    """Of the labels in order: each page has its own in the file, but their order has none."""
    return zlib.crc32(labels.astype("<u2").tobytes())
