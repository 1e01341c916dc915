"""A NIfTI file as values and an affine, with what the library repairs in silence refused."""

from __future__ import annotations

import gzip
import io
import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from ..dicom.library_messages import first_clause, silence_libraries
from ..errors import SpinemetError
from ..imaging.geometry import GRID_TOLERANCE_MM, AffineArray, corners_mm
from .label_files import MAX_VOXELS, read_whole

# The library's own annotations are partial.
NiftiImage = Any

RAS_OF_LPS = np.diag((-1.0, -1.0, 1.0, 1.0))
_GZIP_MARK = b"\x1f\x8b"
_NIFTI_2_HEADER_BYTES = 540
_MAX_BYTES = 8 * MAX_VOXELS
_ABOVE_ALL_LEVELS = logging.CRITICAL + 1
_SINGLE = 2.0**-23
"""Rounding of the sum of three squares in single precision, which the quaternion is stored in."""


def read_image(path: Path) -> NiftiImage:
    """The image with its header checked; its data are not looked at yet.

    Raises
    ------
    SpinemetError
        If there is no file, if it is damaged, too large or no NIfTI.
    """
    data = read_whole(path)
    try:
        if data[:2] == _GZIP_MARK:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                # To the end, where the checksum is.
                data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise SpinemetError(f"The file {path.name} is too large for contours; check it.")
        # The library repairs headers and says so; what becomes of positions is checked later.
        with silence_libraries(), _silence_log():
            # Either version begins with the size of its header, in the byte order of its writer.
            sizes = [int.from_bytes(data[:4], order) for order in ("little", "big")]
            is_second = _NIFTI_2_HEADER_BYTES in sizes
            image_class: Any = nib.nifti2.Nifti2Image if is_second else nib.nifti1.Nifti1Image
            image: NiftiImage = image_class.from_bytes(data)
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


def read_values(image: NiftiImage, name: str) -> npt.NDArray[np.generic]:
    """The array of three axes; a fourth one of length 1 is left out.

    Parameters
    ----------
    image : nibabel image
        From :func:`read_image`.
    name : str
        Of the file, for the sentences.

    Raises
    ------
    SpinemetError
        If it has other axes, or if the data are damaged or too large.
    """
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or 0 in shape:
        raise SpinemetError(
            f"The file {name} has the axes {image.shape}, but contours have three; save one volume."
        )
    # Of Python's own integers: those of the header's type would overflow unseen.
    if np.prod(shape, dtype=object) > MAX_VOXELS:
        raise SpinemetError(f"The file {name} is too large for contours; check it.")
    try:
        with silence_libraries():
            values: npt.NDArray[np.generic] = np.asanyarray(image.dataobj).reshape(shape)
    except Exception as error:
        raise SpinemetError(
            f"The file {name} is damaged ({first_clause(error)}); copy or export it again."
        ) from error
    return values


def ras_affine(image: NiftiImage, name: str) -> AffineArray:
    """The affine in RAS mm: the sform, else the qform, never a guess.

    Parameters
    ----------
    image : nibabel image
        From :func:`read_image`.
    name : str
        Of the file, for the sentences.

    Raises
    ------
    SpinemetError
        If the file has no position, or two that differ.
    """
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
    distance = grid_distance_mm(image.shape, sform, qform)
    # Not the other way round: a distance that is no number must be refused too.
    if not distance <= GRID_TOLERANCE_MM + _rounding_mm(image, sform):
        raise SpinemetError(
            f"The file {name} tells two positions that differ by {distance:.2g} mm (sform and "
            "qform), so where its contours lie is unknown; save it again with one of them."
        )
    return np.asarray(sform, dtype=np.float64)


def grid_distance_mm(shape: Sequence[int], first: AffineArray, second: AffineArray) -> float:
    """Largest distance between the corners of two grids.

    Parameters
    ----------
    shape : sequence of int
        Of both; axes after the third are not looked at.
    first, second : numpy.ndarray
        4 x 4 affines to the same space in mm.
    """
    offsets = corners_mm(shape[:3], first) - corners_mm(shape[:3], second)
    return float(np.linalg.norm(offsets, axis=1).max())


@contextmanager
def _silence_log() -> Iterator[None]:
    """Keep what the library logs off the user's terminal."""
    logger = nib.imageglobals.logger
    level = logger.level
    logger.setLevel(_ABOVE_ALL_LEVELS)
    try:
        yield
    finally:
        logger.setLevel(level)


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
