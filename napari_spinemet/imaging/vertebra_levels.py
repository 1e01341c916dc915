"""Levels of vertebrae: their names, in the order of the spine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..errors import SpinemetError

FloatArray = npt.NDArray[np.float64]

LEVELS = (
    *(f"C{k}" for k in range(1, 8)),
    *(f"T{k}" for k in range(1, 13)),
    *(f"L{k}" for k in range(1, 6)),
    *(f"S{k}" for k in range(1, 6)),
)
"""From head to feet, as most people have them."""
SUPERNUMERARY = ("T13", "L6")
"""Some people have one more: a thirteenth with ribs, or a sixth lumbar one, which is often a
transitional vertebra, grown to the sacrum."""
NAMES = tuple(
    name for level in LEVELS for name in (level, *{"T12": ("T13",), "L5": ("L6",)}.get(level, ()))
)
"""All names there are, from head to feet."""


def vertebra_centres(vertebrae: npt.NDArray[np.unsignedinteger]) -> dict[int, FloatArray]:
    """Mean index of the voxels of each label.

    Parameters
    ----------
    vertebrae : numpy.ndarray
        ``(slice, row, column)`` labels; 0 is none.

    Returns
    -------
    dict of int to numpy.ndarray
        ``(slice, row, column)`` by label, float64, in ascending order of the labels.
    """
    centres = {}
    for label, box in enumerate(ndimage.find_objects(vertebrae), 1):
        if box is not None:
            first = [side.start for side in box]
            centres[label] = (np.argwhere(vertebrae[box] == label) + first).mean(axis=0)
    return centres


def order_vertebrae(vertebrae: npt.NDArray[np.unsignedinteger]) -> list[int]:
    """The labels of an array ``(slice, row, column)``, from head to feet by their centres."""
    heights = {label: centre[1] for label, centre in vertebra_centres(vertebrae).items()}
    return sorted(heights, key=lambda label: (heights[label], label))


def assign_levels(
    order: list[int], label: int, level: str, former: Mapping[int, str] | None = None
) -> dict[int, str]:
    """The levels of all vertebrae by that of one of them.

    A supernumerary level is counted where it is given now, or was given to another vertebra.

    Parameters
    ----------
    order : list of int
        Labels from head to feet, none of them missing between two others.
    label : int
        The one whose level is given; must be in ``order``, checked here.
    level : str
        Its level, one of :data:`NAMES`; checked here.
    former : mapping of int to str, optional
        Levels that the vertebrae had before.

    Returns
    -------
    dict of int to str
        Level by label.

    Raises
    ------
    SpinemetError
        If there is no such label or level, or there are more vertebrae above or below than a
        spine has.
    """
    if label not in order:
        raise SpinemetError("There is no vertebra at that place; click inside an outline.")
    if level not in NAMES:
        raise SpinemetError(f"There is no level {level}; choose one from C1 to S5.")
    others = {} if former is None else former
    used_levels = {level, *(others[k] for k in order if k != label and k in others)}
    spine = [name for name in NAMES if name not in SUPERNUMERARY or name in used_levels]
    first = spine.index(level) - order.index(label)
    if first < 0 or first + len(order) > len(spine):
        side = "above" if first < 0 else "below"
        raise SpinemetError(
            f"That vertebra cannot be {level}: more are contoured {side} it than a spine has."
        )
    return {number: spine[first + k] for k, number in enumerate(order)}


def relabel_vertebrae(
    vertebrae: npt.NDArray[np.unsignedinteger],
    levels: Mapping[int, str],
    new_levels: Mapping[int, str],
) -> tuple[npt.NDArray[np.uint16], dict[int, str]]:
    """Give vertebrae other levels by giving them other numbers.

    What a number stands for never changes, so that taking the change of numbers back takes
    back all of it.

    Parameters
    ----------
    vertebrae : numpy.ndarray
        ``(slice, row, column)``.
    levels : mapping of int to str
        What the numbers stand for; of two numbers for one level the smaller is used.
    new_levels : mapping of int to str
        Level by label, for those that change or are named; no level twice.

    Returns
    -------
    vertebrae : numpy.ndarray
        uint16, with the numbers of the new levels. A vertebra that had one of these levels and
        is not itself renamed gets a number without a level.
    levels : dict of int to str
        The old ones, and new ones where a level had no number yet.
    """
    all_levels = dict(levels)
    # From the greatest down, so that of several numbers for one level the smallest remains.
    number_of = {level: number for number, level in sorted(all_levels.items(), reverse=True)}
    free = max([int(vertebrae.max(initial=0)), *all_levels], default=0) + 1
    for level in new_levels.values():
        if level not in number_of:
            all_levels[free] = level
            number_of[level] = free
            free += 1
    target = {label: number_of[level] for label, level in new_levels.items()}
    for label in np.unique(vertebrae[vertebrae > 0]).tolist():
        if label not in target and label in target.values():
            target[label] = free
            free += 1
    table = np.arange(max(free, int(vertebrae.max(initial=0)) + 1), dtype=np.uint16)
    for label, number in target.items():
        table[label] = number
    return table[vertebrae], all_levels
