"""Affines: checks, orientation, and the way from indices to the patient and back.

All affines take homogeneous array indices (slice, row, column, 1) to patient coordinates
in mm in DICOM's LPS system: x grows to the left, y to the back, z to the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError

AffineArray = npt.NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)

GRID_TOLERANCE_MM = 0.01
"""Grids whose corners lie closer than this are one grid: less than what files round away."""

_POSITIVE = ("L", "P", "H")
_NEGATIVE = ("R", "A", "F")


def check_affine(affine: npt.ArrayLike, of: str = "the series") -> AffineArray:
    """Return the affine as a fresh 4 x 4 float64 array, or say what is wrong with it.

    Parameters
    ----------
    affine : array-like
        Indices to patient LPS mm; anything that numpy makes an array of numbers from.
    of : str
        What the affine belongs to, for the sentence.

    Raises
    ------
    SpinemetError
        If it is no grid with steps at right angles.
    """
    matrix = np.array(affine, dtype=np.float64)
    subject = of[:1].upper() + of[1:]
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise SpinemetError(f"The position of {of} in the patient is missing or damaged.")
    if not np.allclose(matrix[3], (0, 0, 0, 1)):
        raise SpinemetError(f"The last row of the affine of {of} must be 0, 0, 0, 1.")
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    if (steps < 1e-6).any():
        raise SpinemetError(f"{subject} has a spacing of zero; export it again with its geometry.")
    directions = matrix[:3, :3] / steps
    if np.abs(directions.T @ directions - np.eye(3)).max() > 1e-3:
        raise SpinemetError(f"The axes of {of} are not at right angles; it cannot be shown true.")
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
    # Each axis by itself would take the same letter twice at 45 degrees.
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
            # The first voxel of a flipped axis is the one that was last.
            affine[:3, 3] += affine[:3, k] * (array.shape[k] - 1)
            affine[:3, k] *= -1
            array = np.flip(array, axis=k)
    return array, affine


def index_to_mm(affine: AffineArray, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Patient coordinates of array indices.

    Parameters
    ----------
    affine : numpy.ndarray
        4 x 4, indices to patient LPS mm.
    index : array-like
        One ``(3,)`` or many ``(n, 3)`` indices; they need be neither whole nor within the array.

    Returns
    -------
    numpy.ndarray
        float64, LPS mm, of the shape of ``index``.
    """
    points = np.asarray(index, dtype=np.float64)
    result: npt.NDArray[np.float64] = points @ affine[:3, :3].T + affine[:3, 3]
    return result


def mm_to_index(affine: AffineArray, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Array indices of points in the patient, the way back of :func:`index_to_mm`.

    Parameters
    ----------
    affine : numpy.ndarray
        4 x 4, indices to patient LPS mm.
    points_mm : array-like
        One ``(3,)`` or many ``(n, 3)`` points in LPS mm.

    Returns
    -------
    numpy.ndarray
        float64, not rounded, of the shape of ``points_mm``.
    """
    points = np.asarray(points_mm, dtype=np.float64) - affine[:3, 3]
    solution = np.linalg.solve(affine[:3, :3], points.T).T
    return np.asarray(solution, dtype=np.float64)


MOST_TURNED = 0.5
"""Degrees; a series that is turned by more does not fit below outlines of another."""


class Placement(NamedTuple):
    """Where the pixels of one grid lie along the axes of another, which run alike.

    Attributes
    ----------
    scale, translate : tuple of float
        Distance of the pixels, and place of the first, along (slice, row, column): mm from the
        first pixel of the other grid.
    """

    scale: tuple[float, float, float]
    translate: tuple[float, float, float]


def turn_degrees(one: AffineArray, other: AffineArray) -> float:
    """By how much the axes of two grids are turned against each other, at most.

    Parameters
    ----------
    one, other : numpy.ndarray
        4 x 4, indices to patient LPS mm.
    """
    directions = [
        affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0) for affine in (one, other)
    ]
    cosines = np.clip((directions[0] * directions[1]).sum(axis=0), -1, 1)
    return float(np.degrees(np.arccos(cosines)).max())


def placement_in(affine: AffineArray, other: AffineArray) -> Placement:
    """Where the pixels of a grid lie along the axes of another; both must run alike.

    Parameters
    ----------
    affine : numpy.ndarray
        4 x 4 of the grid, indices to patient LPS mm.
    other : numpy.ndarray
        Of the grid whose axes they are placed along.
    """
    first = mm_to_index(other, affine[:3, 3]) * np.array(spacing_of(other))
    a, b, c = first.tolist()
    return Placement(spacing_of(affine), (a, b, c))


def corners_mm(shape: Sequence[int], affine: AffineArray) -> npt.NDArray[np.float64]:
    """Patient coordinates of the centres of the eight corner voxels of a grid.

    Parameters
    ----------
    shape : sequence of int
        Number of voxels along each of the three axes, each at least 1.
    affine : numpy.ndarray
        4 x 4, indices to patient LPS mm.

    Returns
    -------
    numpy.ndarray
        ``(8, 3)`` float64 in mm.
    """
    return index_to_mm(affine, list(product(*((0, n - 1) for n in shape))))


def onto_grid(
    labels: npt.NDArray[Scalar],
    affine: npt.ArrayLike,
    shape: Sequence[int],
    target_affine: npt.ArrayLike,
    *,
    name: str = "",
    tolerance_mm: float = GRID_TOLERANCE_MM,
) -> npt.NDArray[Scalar]:
    """Bring a label array onto another grid without changing where any voxel lies.

    Axes are permuted and flipped, and whole voxels are added or cut off at the edges. Nothing
    is resampled: a contour that is moved by part of a voxel is another contour.

    Parameters
    ----------
    labels : numpy.ndarray
        Three-dimensional, any dtype; 0 is no label. Axes in the order of the affine's columns.
    affine : array-like
        4 x 4, indices of ``labels`` to patient LPS mm.
    shape : sequence of int
        ``(slice, row, column)`` of the target.
    target_affine : array-like
        4 x 4, indices of the target to patient LPS mm.
    name : str
        File of the labels, for the message.
    tolerance_mm : float
        How far a corner of ``labels`` may lie from the voxel it is taken for.

    Returns
    -------
    numpy.ndarray
        A fresh array of the target's shape and the dtype of ``labels``.

    Raises
    ------
    SpinemetError
        If the spacing or the directions differ, if the grids are shifted by part of a voxel,
        or if a label lies outside the target; the sentence says which.
    ValueError
        If ``labels`` or the target are not three-dimensional.
    """
    if labels.ndim != 3 or len(shape) != 3:
        raise ValueError("labels and target must have three axes")
    source = check_affine(affine, f"the file {name}" if name else "the contours' grid")
    target = check_affine(target_affine)
    order, signs = _match_axes(source, target)
    # The axes of the source become those of the target by a turn that keeps whole numbers whole.
    turn = np.zeros((3, 3))
    turn[range(3), order] = signs
    # The middle decides which voxel meets which: an error of direction is smallest there.
    middle = (np.array(labels.shape) - 1) / 2
    offset = mm_to_index(target, index_to_mm(source, middle)) - turn @ middle
    whole = np.rint(offset)
    lattice = target.copy()
    lattice[:3, :3] = target[:3, :3] @ turn
    lattice[:3, 3] = index_to_mm(target, whole)
    difference = _grid_difference(source, lattice, labels.shape, order, tolerance_mm)
    result = np.zeros(tuple(shape), dtype=labels.dtype)
    if not difference:
        aligned_labels = labels.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
        # Index in the target of the first voxel, which was the last one before a flip.
        starts = [
            int(whole[k]) - (aligned_labels.shape[k] - 1 if signs[k] < 0 else 0) for k in range(3)
        ]
        _copy_overlap(aligned_labels, result, starts)
        outside = int(np.count_nonzero(labels)) - int(np.count_nonzero(result))
        if outside:
            difference = f"{outside:,} labelled voxels lie outside of it"
    if difference:
        raise SpinemetError(
            f"The contours{f' in {name}' if name else ''} do not lie on the grid of this series "
            f"({difference}), and contours are not resampled; export them on the grid of the scan."
        )
    return result


def _copy_overlap(
    source: npt.NDArray[Scalar], target: npt.NDArray[Scalar], starts: Sequence[int]
) -> None:
    """Copy what lies within the target, whose index of the source's first voxel is ``starts``."""
    source_part, target_part = [], []
    for n, size, start in zip(source.shape, target.shape, starts, strict=True):
        low = max(start, 0)
        high = max(min(start + n, size), low)
        target_part.append(slice(low, high))
        source_part.append(slice(low - start, high - start))
    target[tuple(target_part)] = source[tuple(source_part)]


def _match_axes(
    source: AffineArray, target: AffineArray
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """For each target axis the source axis closest to it, and whether it runs backwards."""
    cosines = (target[:3, :3] / spacing_of(target)).T @ (source[:3, :3] / spacing_of(source))
    order = max(_PERMUTATIONS, key=lambda p: sum(abs(cosines[k, p[k]]) for k in range(3)))
    a, b, c = (-1 if cosines[k, order[k]] < 0 else 1 for k in range(3))
    return order, (a, b, c)


def _grid_difference(
    source: AffineArray,
    lattice: AffineArray,
    shape: Sequence[int],
    order: tuple[int, int, int],
    tolerance_mm: float,
) -> str:
    """What keeps one lattice from being the other, both by the source's index; empty if nothing.

    Spacing comes first, then direction, then position: each would show as those after it.
    """
    own, other = np.array(spacing_of(source)), np.array(spacing_of(lattice))
    # One voxel has no neighbour, but it still has a size.
    steps = np.maximum(np.array(shape) - 1, 1)
    if (np.abs(own - other) * steps > tolerance_mm).any():
        own_text, other_text = (
            " x ".join(f"{spacing[k]:.6g}" for k in order) for spacing in (own, other)
        )
        return f"their spacing is {own_text} mm and that of the series {other_text} mm"
    corner_gaps = corners_mm(shape, source) - corners_mm(shape, lattice)
    gap_mm = np.linalg.norm(corner_gaps, axis=1).max()
    if gap_mm <= tolerance_mm:
        return ""
    cosines = ((source[:3, :3] / own) * (lattice[:3, :3] / other)).sum(axis=0)
    angle = float(np.arccos(np.clip(cosines, -1, 1)).max())
    if angle * np.linalg.norm(own * steps) > tolerance_mm:
        return f"they are turned by {np.rad2deg(angle):.2g} degrees, {gap_mm:.2g} mm at the edge"
    middle = (np.array(shape) - 1) / 2
    shift = np.linalg.norm(index_to_mm(source, middle) - index_to_mm(lattice, middle))
    return f"they are shifted by {shift:.2g} mm, which is no whole number of voxels"
