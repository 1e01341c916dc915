"""Contours as NIfTI files, one for the lesions and one for the vertebrae."""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from ..dicom.sources import first_clause, quiet
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.annotation import LabelArray
from ..imaging.geometry import GRID_TOLERANCE_MM, AffineArray, corners_mm, onto_grid
from .label_files import (
    MAX_VOXELS,
    LabelFile,
    check_writable,
    joined,
    kind_of,
    levels_from,
    other_series_warnings,
    read_whole,
    stem_of,
    whole_labels,
    write_together,
)

# The library's own annotations are partial.
NiftiImage = Any

_RAS_OF_LPS = np.diag((-1.0, -1.0, 1.0, 1.0))
_SCANNER = 1
_COMMENT = 6
_MAX_BYTES = 8 * MAX_VOXELS
_SINGLE = 2.0**-23
"""Rounding of the sum of three squares in single precision, which the quaternion is stored in."""


def write_nifti(
    annotation: Annotation, series: SagittalSeries, folder: str | os.PathLike[str], stem: str
) -> list[Path]:
    """Write contours as ``STEM_lesions.nii.gz`` and ``STEM_vertebrae.nii.gz``.

    If vertebrae have names, ``STEM_levels.json`` holds them. The arrays are stored as (column,
    row, slice), which is how other programs show them fastest.

    Parameters
    ----------
    annotation : Annotation
        On the grid of ``series``; at least one label.
    series : SagittalSeries
        Gives the affine, which is written as sform and qform in RAS mm.
    folder : path-like
        Made if it is missing.
    stem : str
        Start of the names.

    Returns
    -------
    list of Path
        What was written; all of it or nothing.

    Raises
    ------
    SpinemetError
        If there is nothing to write, if the contours lie on another grid, or if the files
        cannot be written.
    """
    check_writable(annotation, series, stem)
    place = Path(folder)
    note = {"series_uid": series.series_uid or annotation.series_uid, "reader": annotation.reader}
    contents = {
        place / f"{stem}_lesions.nii.gz": _packed(annotation.lesions, series, note),
        place / f"{stem}_vertebrae.nii.gz": _packed(annotation.vertebrae, series, note),
    }
    names = place / f"{stem}_levels.json"
    if annotation.levels:
        levels = {str(number): level for number, level in sorted(annotation.levels.items())}
        text = json.dumps({"levels": levels, **note}, indent=1, ensure_ascii=False) + "\n"
        contents[names] = text.encode()
    written = write_together([(path, partial(_put, data=data)) for path, data in contents.items()])
    if not annotation.levels:
        # Names from an earlier export would be taken for those of these vertebrae.
        with suppress(OSError):
            names.unlink(missing_ok=True)
    return written


def read_nifti(
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
        ``"lesions"`` or ``"vertebrae"``; without it the name of each file says it.

    Returns
    -------
    Annotation
        A layer without a file is empty.

    Raises
    ------
    SpinemetError
        If a file cannot be read, holds other values than whole numbers from 0 to 65535, tells no
        position or two, or does not lie on the grid of the series, see
        :func:`~napari_spinemet.imaging.geometry.onto_grid`.
    """
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    return joined([load_nifti(Path(p), series, kind) for p in paths], series)


def load_nifti(path: Path, series: SagittalSeries, kind: str | None = None) -> LabelFile:
    """One file on the grid of the series; see :func:`read_nifti`."""
    sort = kind_of(path, kind)
    image = _image(path)
    affine = _RAS_OF_LPS @ _affine(image, path.name)
    labels = whole_labels(_values(image, path.name), path.name)
    own, beside = _note(image), _levels_file(path)
    told = str(own.get("series_uid") or beside.get("series_uid") or "")
    if told and str(beside.get("series_uid") or told) != told:
        raise SpinemetError(
            f"The levels beside {path.name} are those of another series; remove {stem_of(path)}"
            "_levels.json or put the right one there."
        )
    warnings = other_series_warnings(path.name, told, labels.shape, affine, series)
    return LabelFile(
        path,
        sort,
        onto_grid(labels, affine, series.shape, series.affine, name=path.name),
        levels=beside.get("levels", {}) if sort == "vertebrae" else {},
        reader=str(own.get("reader") or beside.get("reader") or ""),
        other_series=bool(warnings),
        warnings=warnings,
    )


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _packed(labels: LabelArray, series: SagittalSeries, note: Mapping[str, str]) -> bytes:
    """The bytes of a compressed file, the same each time."""
    # The axes are reversed, and so are the columns of the affine.
    ras = (_RAS_OF_LPS @ series.affine)[:, [2, 1, 0, 3]]
    make: Any = nib.nifti1.Nifti1Image
    image = make(labels.transpose(2, 1, 0), ras, dtype=np.uint16)
    image.header.set_xyzt_units("mm")
    image.header.set_intent("label")
    image.set_sform(ras, code=_SCANNER)
    image.set_qform(ras, code=_SCANNER)
    if _apart_mm(image.shape, image.get_qform(), image.get_sform()) > GRID_TOLERANCE_MM:
        # A quaternion cannot tell axes that are not quite at right angles.
        image.set_qform(None, code=0)
    text = json.dumps({"napari-spinemet": note}, ensure_ascii=False).encode()
    image.header.extensions.append(nib.nifti1.Nifti1Extension(_COMMENT, text))
    packed = io.BytesIO()
    # Without name and time, so that the same contours give the same file.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=6, mtime=0) as stream:
        stream.write(image.to_bytes())
    return packed.getvalue()


def _image(path: Path) -> NiftiImage:
    """The image with its header checked; its data are not looked at yet."""
    data = read_whole(path)
    try:
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                # To the end, where the checksum is.
                data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise SpinemetError(f"The file {path.name} is too large for contours; check it.")
        # The library repairs headers and says so; what becomes of positions is checked below.
        with quiet(), _unlogged():
            second = 540 in (int.from_bytes(data[:4], order) for order in ("little", "big"))
            kind: Any = nib.nifti2.Nifti2Image if second else nib.nifti1.Nifti1Image
            image: NiftiImage = kind.from_bytes(data)
    except SpinemetError:
        raise
    except (EOFError, zlib.error, OSError) as error:
        raise SpinemetError(
            f"The file {path.name} is damaged ({first_clause(error)}); copy or export it again."
        ) from error
    except Exception as error:
        raise SpinemetError(
            f"The file {path.name} is no NIfTI file or damaged ({first_clause(error)}); copy or "
            "export it again."
        ) from error
    return image


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep what the library logs off the user's terminal."""
    logger = nib.imageglobals.logger
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _values(image: NiftiImage, name: str) -> npt.NDArray[np.generic]:
    """The array of three axes; a fourth one of length 1 is left out."""
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or 0 in shape:
        raise SpinemetError(
            f"The file {name} has the axes {image.shape}, but contours have three; save one volume."
        )
    if np.prod(shape, dtype=object) > MAX_VOXELS:
        raise SpinemetError(f"The file {name} is too large for contours; check it.")
    try:
        with quiet():
            values: npt.NDArray[np.generic] = np.asanyarray(image.dataobj).reshape(shape)
    except Exception as error:
        raise SpinemetError(
            f"The file {name} is damaged ({first_clause(error)}); copy or export it again."
        ) from error
    return values


def _affine(image: NiftiImage, name: str) -> AffineArray:
    """The affine in RAS mm: the sform, else the qform, never a guess."""
    try:
        sform, _ = image.header.get_sform(coded=True)
        qform, _ = image.header.get_qform(coded=True)
    except Exception as error:
        raise SpinemetError(
            f"The position in the file {name} is damaged ({first_clause(error)}); export it again."
        ) from error
    if sform is None and qform is None:
        raise SpinemetError(
            f"The file {name} tells no position in the patient (neither sform nor qform), so its "
            "contours could lie anywhere; export it again with its position."
        )
    if sform is None or qform is None:
        return np.asarray(qform if sform is None else sform, dtype=np.float64)
    apart = _apart_mm(image.shape, sform, qform)
    if not apart <= GRID_TOLERANCE_MM + _rounding_mm(image, sform):
        raise SpinemetError(
            f"The file {name} tells two positions that differ by {apart:.2g} mm (sform and qform), "
            "so where its contours lie is unknown; save it again with one of them."
        )
    return np.asarray(sform, dtype=np.float64)


def _apart_mm(shape: Sequence[int], one: AffineArray, other: AffineArray) -> float:
    """Largest distance between the corners of two grids."""
    apart = corners_mm(shape[:3], one) - corners_mm(shape[:3], other)
    return float(np.linalg.norm(apart, axis=1).max())


def _rounding_mm(image: NiftiImage, affine: AffineArray) -> float:
    """How far the stored quaternion's rounding may move a corner.

    Its first number is not stored but follows from the sum of the squares of the others, so near
    half a turn, where it is close to 0, its root turns the eighth digit into the fourth.
    """
    b, c, d = (float(image.header[f"quatern_{k}"]) for k in "bcd")
    square = 1 - (b * b + c * c + d * d)
    error = np.sqrt(max(square, 0) + _SINGLE) - np.sqrt(max(square - _SINGLE, 0))
    extent = affine[:3, :3] @ (np.array(image.shape[:3]) - 1)
    return float(2 * error * np.linalg.norm(extent))


def _note(image: NiftiImage) -> dict[str, Any]:
    """What this program wrote into the header of a file: its series and reader."""
    for extension in image.header.extensions:
        with suppress(Exception):  # other programs put what they like there
            told = json.loads(extension.get_content().rstrip(b"\0"))["napari-spinemet"]
            if isinstance(told, dict):
                return told
    return {}


def _levels_file(path: Path) -> dict[str, Any]:
    """Levels, series and reader from the file beside the labels; empty if there is none."""
    beside = path.with_name(f"{stem_of(path)}_levels.json")
    if not beside.is_file():
        return {}
    try:
        told = json.loads(read_whole(beside))
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise SpinemetError(
            f"The file {beside.name} is damaged, so the levels are unknown; mend it or remove it."
        )
    return {**told, "levels": levels_from(told.get("levels", {}), beside.name)}
