"""Contours as TIFF stacks, which ImageJ and napari open.

A TIFF tells no position in the patient. Ours carries it, with all else that is to be known, as
JSON where ImageJ keeps its own remarks on an image; ImageJ shows that text and keeps it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from ..dicom.sources import first_clause, quiet
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.annotation import LAYERS, LabelArray
from ..imaging.geometry import check_affine, onto_grid, spacing_of
from .label_files import (
    MAX_VOXELS,
    LabelFile,
    check_writable,
    joined,
    kind_of,
    levels_from,
    other_series_warnings,
    read_whole,
    whole_labels,
    write_together,
)

_PROGRAM = "napari-spinemet"
SPACING_TOLERANCE = 0.01
"""Share by which a foreign file's spacing may differ: other programs round it."""
_DEFAULT_DPI = (72.0, 96.0)
"""What programs put that know nothing of the size of a pixel."""
_MM = {
    "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "cm": 10.0, "centimeter": 10.0, "m": 1000.0,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "\\u00b5m": 1e-3, "micron": 1e-3, "micrometer": 1e-3,
    "inch": 25.4, "in": 25.4,
}  # fmt: skip
_RESOLUTION_UNIT_MM = {2: 25.4, 3: 10.0}

# Without a handler of its own, what the library logs would land on the user's terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def write_label_tiff(
    annotation: Annotation, series: SagittalSeries, folder: str | os.PathLike[str], stem: str
) -> list[Path]:
    """Write contours as ``STEM_lesions.tif`` and ``STEM_vertebrae.tif``.

    Parameters
    ----------
    annotation : Annotation
        On the grid of ``series``; at least one label.
    series : SagittalSeries
        Gives spacing, affine and identifier.
    folder : path-like
        Made if it is missing.
    stem : str
        Start of the names.

    Returns
    -------
    list of Path
        What was written; both or nothing. uint16 stacks (slice, row, column) of ImageJ's kind,
        each page deflated.

    Raises
    ------
    SpinemetError
        If there is nothing to write, if the contours lie on another grid, or if the files
        cannot be written.
    """
    check_writable(annotation, series, stem)
    return write_together(
        [
            (Path(folder) / f"{stem}_{kind}.tif", partial(_save, annotation, series, kind))
            for kind in LAYERS
        ]
    )


def read_label_tiff(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    series: SagittalSeries,
    kind: str | None = None,
) -> Annotation:
    """Read contours onto the grid of a series.

    Parameters
    ----------
    path : path-like or sequence of path-like
        One file, or the lesions and the vertebrae of one reader.
    series : SagittalSeries
    kind : str, optional
        ``"lesions"`` or ``"vertebrae"``; without it the file or its name says it.

    Returns
    -------
    Annotation
        A layer without a file is empty. Labels of a file that tells no position are taken slice
        by slice from the patient's right to the left, with a warning.

    Raises
    ------
    SpinemetError
        If a file cannot be read, holds other values than whole numbers from 0 to 65535, or does
        not lie on the grid of the series; if it tells no position and has another shape or
        spacing; or if it is of another series with another grid.
    """
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    return joined([load_label_tiff(Path(p), series, kind) for p in paths], series)


def load_label_tiff(path: Path, series: SagittalSeries, kind: str | None = None) -> LabelFile:
    """One file on the grid of the series; see :func:`read_label_tiff`."""
    values, told, spacing_mm, saved_by_us = _opened(path)
    if told is None and saved_by_us:
        raise _damaged(path.name, "its description cannot be read")
    if told is None:
        sort = kind_of(path, kind)
        labels = whole_labels(values, path.name)
        note = (
            f"The file {path.name} tells no position, so its labels were taken as lying on this "
            "series slice by slice, from the patient's right to the left."
        )
        placed = _slice_by_slice(labels, spacing_mm, series, path.name)
        return LabelFile(path, sort, placed, warnings=(note,))
    sort = str(told.get("kind"))
    if sort not in LAYERS:
        raise _damaged(path.name, f"it holds '{sort}'")
    if kind is not None and kind_of(path, kind) != sort:
        raise SpinemetError(f"The file {path.name} says that it holds {sort}, not {kind}.")
    try:
        shape = tuple(int(n) for n in told["shape"])
        affine = check_affine(told["affine"], f"the file {path.name}")
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path.name, "its description is incomplete") from error
    if values.shape != shape:
        raise SpinemetError(
            f"The file {path.name} has the shape {values.shape} but was written as {shape}, so it "
            "was cropped or turned and its position is lost; edit the labels without that."
        )
    labels = whole_labels(values, path.name)
    # What another program painted is meant; before that, any difference is damage.
    if saved_by_us and told.get("crc32") != _checksum(labels):
        raise _damaged(path.name, "its labels are not those that were written")
    _check_spacing(spacing_mm, spacing_of(affine), path.name)
    uid = str(told.get("series_uid") or "")
    foreign = other_series_warnings(path.name, uid, shape, affine, series)
    warnings = foreign
    if not saved_by_us:
        note = (
            f"The file {path.name} was saved by another program; if it was flipped there, its "
            "labels lie in the wrong place."
        )
        warnings += (note,)
    return LabelFile(
        path,
        sort,
        onto_grid(labels, affine, series.shape, series.affine, name=path.name),
        levels=levels_from(told.get("levels", {}), path.name) if sort == "vertebrae" else {},
        reader=str(told.get("reader") or ""),
        other_series=bool(foreign),
        warnings=warnings,
    )


def _save(annotation: Annotation, series: SagittalSeries, kind: str, path: Path) -> None:
    """Write one stack."""
    labels: LabelArray = getattr(annotation, kind)
    told = {
        "program": _PROGRAM,
        "kind": kind,
        "series_uid": series.series_uid or annotation.series_uid,
        "reader": annotation.reader,
        "shape": labels.shape,
        "crc32": _checksum(labels),
        "affine_axes": "slice, row, column to LPS mm",
        "affine": series.affine.tolist(),
    }
    if kind == "vertebrae":
        told["levels"] = {str(n): level for n, level in sorted(annotation.levels.items())}
    slice_mm, row_mm, column_mm = series.spacing_mm
    with quiet():
        tifffile.imwrite(
            path,
            labels,
            imagej=True,
            compression="zlib",
            software=_PROGRAM,
            resolution=(1 / column_mm, 1 / row_mm),
            metadata={
                "axes": "ZYX",
                "unit": "mm",
                "spacing": slice_mm,
                "Info": json.dumps(told, ensure_ascii=False),
            },
        )


_Spacing = tuple[float | None, float | None, float | None]


def _opened(
    path: Path,
) -> tuple[npt.NDArray[np.generic], dict[str, Any] | None, _Spacing, bool]:
    """Values (slice, row, column), our description, spacing, and whether we saved it last."""
    data = read_whole(path)
    try:
        # OME's XML may send the library to other files.
        with quiet(), tifffile.TiffFile(io.BytesIO(data), is_ome=False) as stack:
            pages = [page.aspage() for page in stack.pages]
            for page in pages:
                # The library reads zeros where a file has been cut off.
                for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
                    if count == 0 or start + count > len(data):
                        raise _damaged(path.name, "it has been cut off")
            first = stack.series[0].dataoffset if stack.series else None
            if first is not None and first + stack.series[0].nbytes > len(data):
                raise _damaged(path.name, "it has been cut off")
            if len(stack.series) != 1:
                raise SpinemetError(
                    f"The file {path.name} holds {len(stack.series)} stacks of images; save the "
                    "labels alone."
                )
            if stack.series[0].size > MAX_VOXELS:
                raise SpinemetError(f"The file {path.name} is too large for contours; check it.")
            values = stack.series[0].asarray()
            imagej = stack.imagej_metadata or {}
            told = _description(imagej.get("Info"))
            saved_by_us = pages[0].software == _PROGRAM
            spacing = _spacing(pages[0], imagej)
    except SpinemetError:
        raise
    except Exception as error:
        raise _damaged(path.name, first_clause(error)) from error
    while values.ndim > 3 and 1 in values.shape:
        values = values.squeeze(axis=values.shape.index(1))
    if values.ndim == 2:
        values = values[None]
    return values, told, spacing, saved_by_us


def _checksum(labels: LabelArray) -> int:
    return zlib.crc32(labels.astype("<u2").tobytes())


def _damaged(name: str, why: str) -> SpinemetError:
    return SpinemetError(
        f"The file {name} is no TIFF of labels or is damaged ({why}); save it again, without "
        "compression if that is what is wrong."
    )


def _description(info: object) -> dict[str, Any] | None:
    """Our description of a stack, if it is one of ours."""
    try:
        told = json.loads(str(info))
    except ValueError:
        # ImageJ puts lines of its own around the text.
        found = re.search(r"^\{.*\}$", str(info), re.MULTILINE)
        try:
            told = json.loads(found[0]) if found else None
        except ValueError:
            return None
    return told if isinstance(told, dict) and told.get("program") == _PROGRAM else None


def _spacing(page: tifffile.TiffPage, imagej: dict[str, Any]) -> _Spacing:
    """Distance of (slice, row, column) neighbours in mm, each None where the file gives none."""
    description = page.description
    if "<OME" in description:
        z, y, x = (_ome_mm(description, axis) for axis in "ZYX")
        return z, y, x
    down, across = (_step(page, name) for name in ("YResolution", "XResolution"))
    if imagej:
        unit = _MM.get(str(imagej.get("unit", "")).strip().lower())
        if unit is None:
            return None, None, None
        depth = imagej.get("spacing")
        return (
            float(depth) * unit if isinstance(depth, (int, float)) else None,
            None if down is None else down * unit,
            None if across is None else across * unit,
        )
    unit = _RESOLUTION_UNIT_MM.get(int(page.resolutionunit))
    if unit is None or down is None or across is None:
        return None, None, None
    if unit == 25.4 and any(abs(1 / across - dpi) < 0.01 for dpi in _DEFAULT_DPI):
        return None, None, None
    return None, down * unit, across * unit


def _step(page: tifffile.TiffPage, name: str) -> float | None:
    """The inverse of a resolution, in its unit."""
    tag = page.tags.get(name)
    pixels, per = tag.value if tag is not None else (0, 0)
    return per / pixels if pixels and per else None


def _ome_mm(description: str, axis: str) -> float | None:
    size = re.search(rf'PhysicalSize{axis}="([0-9.eE+-]+)"', description)
    unit = re.search(rf'PhysicalSize{axis}Unit="([^"]*)"', description)
    scale = _MM.get(unit[1].lower() if unit else "um")
    return float(size[1]) * scale if size and scale else None


def _slice_by_slice(
    labels: LabelArray, spacing_mm: _Spacing, series: SagittalSeries, name: str
) -> LabelArray:
    """Labels of a file that tells no position, if they can only lie on this series."""
    if labels.shape != series.shape:
        raise SpinemetError(
            f"The file {name} has the shape {labels.shape} and the series {series.shape} (slices, "
            "rows, columns), and it tells no position; export the labels at the size of the scan."
        )
    _check_spacing(spacing_mm, series.spacing_mm, name)
    return labels


def _check_spacing(told_mm: _Spacing, wanted_mm: tuple[float, float, float], name: str) -> None:
    for axis, told, wanted in zip(("slices", "rows", "columns"), told_mm, wanted_mm, strict=True):
        if told is not None and abs(told - wanted) > SPACING_TOLERANCE * wanted:
            raise SpinemetError(
                f"In the file {name} the {axis} are {told:.4g} mm apart, but {wanted:.4g} mm in "
                "the series; export the labels on the grid of the scan."
            )
