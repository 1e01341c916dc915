"""Every connected region at every threshold of a picture: areas and centres alone.

Pixels are flooded from the brightest down. A pixel joins the regions that it touches; a
region that had its last pixel at a brighter level has been, from there to here, a component
of the upper level sets, which is a node of the max-tree of the picture. The union-find is that of
Tarjan (J. ACM 22, 1975) as Najman and Couprie use it (IEEE Trans. Image Process. 15, 2006).

What :mod:`~napari_spinemet.detection.components` builds knows the pixels of each node too, and
keeps nodes in the order of a tree. A FROC of a cohort needs neither, and is drawn anew while
somebody turns a knob.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Nodes:
    """The components of one picture at any threshold.

    Attributes
    ----------
    area : numpy.ndarray
        int32, pixels.
    centres : numpy.ndarray
        ``(n, 2)``, centre of gravity as (row, column) in pixels.
    levels : numpy.ndarray
        float32, falling: the distinct values of the picture.
    begin, end : numpy.ndarray
        int32. A node is a component from the position of its own level in ``levels`` up to, and
        not at, that at which it grows; the number of levels if it never does.
    """

    area: npt.NDArray[np.int32]
    centres: npt.NDArray[np.float64]
    levels: npt.NDArray[np.float32]
    begin: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]


def _compiled(function: Any) -> Any:
    """Compile, and keep what was compiled for the next start if there is a place to write to."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)


def flood(values: npt.NDArray[np.float32], lowest: float = 0.0, connectivity: int = 8) -> Nodes:
    """All components of a picture above 0 and from a threshold up.

    Parameters
    ----------
    values : numpy.ndarray
        ``(row, column)``, float32, not below 0.
    lowest : float
        Pixels below do not count: the components at thresholds from here up are those of
        the whole picture, and lower thresholds have none of their own.
    connectivity : {8, 4}

    Returns
    -------
    Nodes
    """
    rows, columns = values.shape
    flat = np.ascontiguousarray(values, dtype=np.float32).ravel()
    places = np.flatnonzero((flat > 0) & (flat >= np.float32(lowest)))
    # The bits of positive numbers rise as they do, so that one sort of integers does for both.
    keys = flat[places].view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= places.astype(np.uint64)
    keys.sort()
    area, row, column, begin, end, bits = _flooded(keys, rows, columns, connectivity == 8)
    return Nodes(
        area, np.stack([row / area, column / area], axis=1), bits.view(np.float32), begin, end
    )


@_compiled
def _flooded(keys, rows, columns, eight):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Nodes of sorted keys, which hold a value's bits above and a place below."""
    count = len(keys)
    parent = np.empty(count, np.int32)
    size = np.empty(count, np.int32)
    down = np.empty(count, np.int64)
    right = np.empty(count, np.int64)
    born = np.empty(count, np.int32)
    bits = np.empty(count, np.uint32)
    # One node at most for each pixel: that of its level when it has been flooded.
    area = np.empty(count, np.int32)
    row = np.empty(count, np.int64)
    column = np.empty(count, np.int64)
    begin = np.empty(count, np.int32)
    end = np.empty(count, np.int32)
    width = columns + 2  # a border of pixels that are never flooded
    order = np.full((rows + 2) * width, -1, np.int32)
    around = np.array([-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1])
    neighbours = 8 if eight else 4
    nodes, level = 0, -1
    for k in range(count):
        key = keys[count - 1 - k]
        value = np.uint32(key >> np.uint64(32))
        place = np.int64(key & np.uint64(0xFFFFFFFF))
        if level < 0 or value != bits[level]:
            level += 1
            bits[level] = value
        r = place // columns
        c = place - r * columns
        here = (r + 1) * width + c + 1
        order[here] = k
        parent[k], size[k], down[k], right[k], born[k] = k, 1, r, c, level
        root = k
        for n in range(neighbours):
            other = order[here + around[n]]
            if other < 0:
                continue
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]
            if other == root:
                continue
            if born[other] < level:
                area[nodes], row[nodes], column[nodes] = size[other], down[other], right[other]
                begin[nodes], end[nodes] = born[other], level
                nodes += 1
            if size[other] < size[root]:
                other, root = root, other
            parent[root] = other
            size[other] += size[root]
            down[other] += down[root]
            right[other] += right[root]
            born[other] = level
            root = other
    for k in range(count):
        if parent[k] == k:
            area[nodes], row[nodes], column[nodes] = size[k], down[k], right[k]
            begin[nodes], end[nodes] = born[k], level + 1
            nodes += 1
    return (
        area[:nodes].copy(),
        row[:nodes],
        column[:nodes],
        begin[:nodes].copy(),
        end[:nodes].copy(),
        bits[: level + 1].copy(),
    )
