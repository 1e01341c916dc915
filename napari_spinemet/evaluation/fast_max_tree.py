"""Every connected region at every threshold of a picture: areas and centres alone.

Pixels are flooded from the brightest down. A pixel joins the regions that it touches; a
region that had its last pixel at a brighter level has been, from there to here, a component
of the upper level sets, which is a node of the max-tree of the picture. The union-find is that of
Tarjan (J. ACM 22, 1975) as Najman and Couprie use it (IEEE Trans. Image Process. 15, 2006).

What :mod:`~napari_spinemet.detection.components` builds knows the pixels of each node too, and
keeps nodes in the order of a tree. A FROC of a cohort needs neither, and is drawn anew while
somebody turns a knob.

What holds between any two pixels of :func:`_flood_pixels`:

- Every flooded pixel belongs to one tree of ``parent``, which is one region; its root holds the
  region's area and the sums of its rows and columns.
- ``last_level`` of a root is the level at which its region last grew. While pixels of that level
  are flooded it may still grow, so a node is written only when a pixel of a darker level joins
  its region: then it was a component from ``last_level`` up to, and not at, the darker one.
- What is a root at the end never merged, and is a component down to 0.

Sums are of whole numbers, so that neither the order of pixels nor of unions changes them.
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


def _compile(function: Any) -> Any:
    """Compile, and store the machine code for the next start if a folder can be written to."""
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
    pixels = np.flatnonzero((flat > 0) & (flat >= np.float32(lowest)))
    # The bits of positive numbers rise as they do, so that one sort of integers does for both.
    keys = flat[pixels].view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= pixels.astype(np.uint64)
    keys.sort()
    area, row, column, begin, end, bits = _flood_pixels(keys, rows, columns, connectivity == 8)
    return Nodes(
        area, np.stack([row / area, column / area], axis=1), bits.view(np.float32), begin, end
    )


@_compile
def _flood_pixels(keys, rows, columns, eight):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Nodes of sorted keys, which hold a value's bits above and the number of its pixel below."""
    count = len(keys)
    # Of flooded pixels, in the order in which they are flooded; all but parent count for roots.
    parent = np.empty(count, np.int32)
    size = np.empty(count, np.int32)
    row_sum = np.empty(count, np.int64)
    column_sum = np.empty(count, np.int64)
    last_level = np.empty(count, np.int32)
    bits = np.empty(count, np.uint32)
    # One node at most for each pixel: that of its level when it has been flooded.
    area = np.empty(count, np.int32)
    row = np.empty(count, np.int64)
    column = np.empty(count, np.int64)
    begin = np.empty(count, np.int32)
    end = np.empty(count, np.int32)
    # When a pixel was flooded, -1 for not yet; with a border of pixels that never are, so that
    # no neighbour need be asked whether it lies in the picture.
    width = columns + 2
    order = np.full((rows + 2) * width, -1, np.int32)
    steps = np.array([-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1])
    neighbours = 8 if eight else 4
    nodes, level = 0, -1
    for k in range(count):
        key = keys[count - 1 - k]
        value = np.uint32(key >> np.uint64(32))
        pixel = np.int64(key & np.uint64(0xFFFFFFFF))
        if level < 0 or value != bits[level]:
            level += 1
            bits[level] = value
        r = pixel // columns
        c = pixel - r * columns
        index = (r + 1) * width + c + 1
        order[index] = k
        parent[k], size[k], row_sum[k], column_sum[k], last_level[k] = k, 1, r, c, level
        root = k
        for n in range(neighbours):
            other = order[index + steps[n]]
            if other < 0:
                continue
            while parent[other] != other:
                # Halve the path on the way: the next search is shorter.
                parent[other] = parent[parent[other]]
                other = parent[other]
            if other == root:
                continue
            if last_level[other] < level:
                # It grows at a darker level for the first time: what it was is a node.
                area[nodes] = size[other]
                row[nodes], column[nodes] = row_sum[other], column_sum[other]
                begin[nodes], end[nodes] = last_level[other], level
                nodes += 1
            # The smaller hangs below the larger, which keeps the trees flat.
            if size[other] < size[root]:
                other, root = root, other
            parent[root] = other
            size[other] += size[root]
            row_sum[other] += row_sum[root]
            column_sum[other] += column_sum[root]
            last_level[other] = level
            root = other
    for k in range(count):
        if parent[k] == k:
            area[nodes], row[nodes], column[nodes] = size[k], row_sum[k], column_sum[k]
            begin[nodes], end[nodes] = last_level[k], level + 1
            nodes += 1
    # Copies, so that the room for a node of every pixel does not stay with the few there are.
    return (
        area[:nodes].copy(),
        row[:nodes],
        column[:nodes],
        begin[:nodes].copy(),
        end[:nodes].copy(),
        bits[: level + 1].copy(),
    )
