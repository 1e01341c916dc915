"""Affines: checks, orientation, and the way from indices to the patient and back.

All affines take homogeneous array indices (slice, row, column, 1) to patient coordinates
in mm in DICOM's LPS system: x grows to the left, y to the back, z to the head.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError

AffineArray = npt.NDArray[np.float64]

_POSITIVE = ("L", "P", "H")
_NEGATIVE = ("R", "A", "F")


def check_affine(affine: npt.ArrayLike) -> AffineArray:
    """Return the affine as a fresh 4 x 4 float64 array, or say what is wrong with it."""
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise SpinemetError("The position of the series in the patient is missing or damaged.")
    if not np.allclose(matrix[3], (0, 0, 0, 1)):
        raise SpinemetError("The last row of an affine must be 0, 0, 0, 1.")
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    if (steps < 1e-6).any():
        raise SpinemetError("The series has a spacing of zero; export it again with its geometry.")
    directions = matrix[:3, :3] / steps
    if np.abs(directions.T @ directions - np.eye(3)).max() > 1e-3:
        raise SpinemetError(
            "The axes of the series are not at right angles; it cannot be shown true."
        )
    return matrix


def spacing_of(affine: AffineArray) -> tuple[float, float, float]:
    """Distance in mm between neighbours along (slice, row, column)."""
    a, b, c = np.linalg.norm(affine[:3, :3], axis=0)
    return float(a), float(b), float(c)


def orientation_codes(affine: AffineArray) -> tuple[str, str, str]:
    """Letters of the patient directions that (slice, row, column) grow towards.

    Each array axis takes the patient axis it is closest to; for steps of 45 degrees and
    more the assignment with the greatest total agreement wins, so no letter is used twice.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    best = max(_PERMUTATIONS, key=lambda p: sum(abs(directions[p[k], k]) for k in range(3)))
    letters = [
        (_POSITIVE if directions[axis, k] > 0 else _NEGATIVE)[axis] for k, axis in enumerate(best)
    ]
    return letters[0], letters[1], letters[2]


_PERMUTATIONS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
_AXIS = {"L": 0, "R": 0, "P": 1, "A": 1, "H": 2, "F": 2}


def reorient(
    array: npt.NDArray[np.generic], affine: AffineArray, to: str = "LFP"
) -> tuple[npt.NDArray[np.generic], AffineArray]:
    """Transpose and flip an array so that its axes grow towards the letters in ``to``.

    No value is changed or interpolated: each voxel keeps its patient position.

    Parameters
    ----------
    array : numpy.ndarray
        Three-dimensional, axes in the order of the affine's columns.
    affine : numpy.ndarray
        4 x 4, indices to patient LPS mm.
    to : str
        Three letters, one of each pair L/R, A/P, H/F.

    Returns
    -------
    array, affine
        The re-ordered array (a view where possible) and the affine that belongs to it.
    """
    codes = orientation_codes(affine)
    order = [next(k for k in range(3) if _AXIS[codes[k]] == _AXIS[letter]) for letter in to]
    array = array.transpose(order)
    affine = affine.copy()
    affine[:3, :3] = affine[:3, :3][:, order]
    for k, letter in enumerate(to):
        if codes[order[k]] != letter:
            affine[:3, 3] += affine[:3, k] * (array.shape[k] - 1)
            affine[:3, k] *= -1
            array = np.flip(array, axis=k)
    return array, affine


def index_to_mm(affine: AffineArray, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Patient LPS coordinates in mm of one ``(3,)`` or many ``(n, 3)`` array indices."""
    points = np.asarray(index, dtype=np.float64)
    result: npt.NDArray[np.float64] = points @ affine[:3, :3].T + affine[:3, 3]
    return result


def mm_to_index(affine: AffineArray, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Array indices, not rounded, of one ``(3,)`` or many ``(n, 3)`` points in LPS mm."""
    points = np.asarray(points_mm, dtype=np.float64) - affine[:3, 3]
    solution = np.linalg.solve(affine[:3, :3], points.T).T
    return np.asarray(solution, dtype=np.float64)
