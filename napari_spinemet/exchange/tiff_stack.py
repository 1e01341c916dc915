"""A TIFF file as values, spacing and our description, with damage refused."""

from __future__ import annotations

import io
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from ..dicom.library_messages import first_clause, silence_libraries
from ..errors import SpinemetError
from .label_files import MAX_VOXELS, read_whole

Spacing = tuple[float | None, float | None, float | None]
"""Distance of (slice, row, column) neighbours in mm, each None where a file gives none."""

PROGRAM = "napari-spinemet"
_DEFAULT_DPI = (72.0, 96.0)
"""What programs put that know nothing of the size of a pixel."""
_MM = {
    "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "cm": 10.0, "centimeter": 10.0, "m": 1000.0,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "\\u00b5m": 1e-3, "micron": 1e-3, "micrometer": 1e-3,
    "inch": 25.4, "in": 25.4,
}  # fmt: skip
_INCH_MM = 25.4
_RESOLUTION_UNIT_MM = {2: _INCH_MM, 3: 10.0}

# Without a handler of its own, what the library logs would land on the user's terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True, eq=False)
class TiffStack:
    """What is in a TIFF file.

    Attributes
    ----------
    values : numpy.ndarray
        ``(slice, row, column)``, of any dtype.
    metadata : dict or None
        Our description; None if the file is not ours.
    spacing_mm : Spacing
        As the file gives it in whichever way.
    is_saved_by_us : bool
        Whether this program saved it last: another one may have kept our description.
    """

    values: npt.NDArray[np.generic]
    metadata: dict[str, Any] | None
    spacing_mm: Spacing
    is_saved_by_us: bool


def read_stack(path: Path) -> TiffStack:
    """Read a file.

    Raises
    ------
    SpinemetError
        If it cannot be read, is damaged or too large, or holds several stacks.
    """
    data = read_whole(path)
    try:
        # OME's XML may send the library to other files.
        with silence_libraries(), tifffile.TiffFile(io.BytesIO(data), is_ome=False) as file:
            pages = [page.aspage() for page in file.pages]
            _check_complete(file, pages, len(data), path.name)
            if len(file.series) != 1:
                raise SpinemetError(
                    f"The file {path.name} holds {len(file.series)} stacks of images; save the "
                    "labels alone."
                )
            if file.series[0].size > MAX_VOXELS:
                raise SpinemetError(f"The file {path.name} is too large for contours; check it.")
            values = file.series[0].asarray()
            imagej = file.imagej_metadata or {}
            return TiffStack(
                _three_axes(values),
                _own_metadata(imagej.get("Info")),
                _spacing(pages[0], imagej),
                pages[0].software == PROGRAM,
            )
    except SpinemetError:
        raise
    except Exception as error:
        raise damage_error(path.name, first_clause(error)) from error


def damage_error(name: str, reason: str) -> SpinemetError:
    """The error of a file that cannot be what it should be.

    Parameters
    ----------
    name : str
        Of the file.
    reason : str
        A clause.
    """
    return SpinemetError(
        f"The file {name} is no TIFF of labels or is damaged ({reason}); save it again, without "
        "compression if that is what is wrong."
    )


def _check_complete(
    file: tifffile.TiffFile, pages: list[tifffile.TiffPage], size: int, name: str
) -> None:
    """Refuse a file of ``size`` bytes whose pixels should lie beyond its end."""
    # The library reads zeros where a file has been cut off.
    for page in pages:
        for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            if count == 0 or start + count > size:
                raise damage_error(name, "it has been cut off")
    # ImageJ writes one page for a whole stack whose pixels follow each other.
    offset = file.series[0].dataoffset if file.series else None
    if offset is not None and offset + file.series[0].nbytes > size:
        raise damage_error(name, "it has been cut off")


def _three_axes(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Channels and times of length 1 are left out; a single image is a stack of one."""
    while values.ndim > 3 and 1 in values.shape:
        values = values.squeeze(axis=values.shape.index(1))
    return values[None] if values.ndim == 2 else values


def _own_metadata(info: object) -> dict[str, Any] | None:
    """Our description of a stack, if it is one of ours."""
    try:
        metadata = json.loads(str(info))
    except ValueError:
        # ImageJ puts lines of its own around the text.
        match = re.search(r"^\{.*\}$", str(info), re.MULTILINE)
        try:
            metadata = json.loads(match[0]) if match else None
        except ValueError:
            return None
    is_own = isinstance(metadata, dict) and metadata.get("program") == PROGRAM
    return metadata if is_own else None


def _spacing(page: tifffile.TiffPage, imagej: dict[str, Any]) -> Spacing:
    """From OME's words, else from ImageJ's, else from the resolution of the page."""
    description = page.description
    if "<OME" in description:
        z, y, x = (_ome_mm(description, axis) for axis in "ZYX")
        return z, y, x
    row_step, column_step = (_step(page, name) for name in ("YResolution", "XResolution"))
    if imagej:
        unit = _MM.get(str(imagej.get("unit", "")).strip().lower())
        if unit is None:
            return None, None, None
        depth = imagej.get("spacing")
        return (
            float(depth) * unit if isinstance(depth, (int, float)) else None,
            None if row_step is None else row_step * unit,
            None if column_step is None else column_step * unit,
        )
    unit = _RESOLUTION_UNIT_MM.get(int(page.resolutionunit))
    if unit is None or row_step is None or column_step is None:
        return None, None, None
    if unit == _INCH_MM and any(abs(1 / column_step - dpi) < 0.01 for dpi in _DEFAULT_DPI):
        return None, None, None
    return None, row_step * unit, column_step * unit


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
