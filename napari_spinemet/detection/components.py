"""Connected regions at every threshold at once.

The max-tree of a slice holds each connected component of each of its upper level sets as a
node: the components at threshold ``t`` are the nodes whose own level reaches ``t`` while
their parent's does not. Areas, centres and sums are attributes of the nodes, so detections
at any threshold are a lookup, exact and without relabelling (Salembier et al., IEEE Trans.
Image Process. 7, 1998; built by higra).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import higra as hg
import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError
from ..imaging import Detection, LikelihoodMap
from ..imaging.geometry import index_to_mm

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SliceTree:
    """The nodes of one slice's max-tree above likelihood 0.

    All arrays have one entry a node.

    Attributes
    ----------
    level, parent_level : numpy.ndarray
        float32. The node is a component for thresholds ``parent_level < t <= level``.
    area : numpy.ndarray
        Pixels of 1 mm².
    row, column : numpy.ndarray
        Centre of gravity on the working grid.
    peak, mean : numpy.ndarray
        Largest and mean likelihood.
    places : PixelPlaces
        Where the pixels of the nodes are.
    """

    level: npt.NDArray[np.float32]
    parent_level: npt.NDArray[np.float32]
    area: IndexArray
    row: FloatArray
    column: FloatArray
    peak: npt.NDArray[np.float32]
    mean: FloatArray
    places: PixelPlaces

    def alive(self, threshold: float, min_pixels: float) -> IndexArray:
        """Nodes that are the components at a threshold with at least that area."""
        t = np.float32(threshold)
        chosen = (self.level >= t) & (self.parent_level < t) & (self.area >= min_pixels)
        return np.flatnonzero(chosen)

    def pixels(self, node: int) -> npt.NDArray[np.int32]:
        """Flat working-grid indices of a node's pixels."""
        start = self.places.start[node]
        return self.places.order[start : start + self.area[node]]


class _Unsorted(NamedTuple):
    tree: hg.Tree
    area: FloatArray
    inner: IndexArray
    flat: npt.NDArray[np.int32]


class _Sorted(NamedTuple):
    start: IndexArray
    order: npt.NDArray[np.int32]


class PixelPlaces:
    """The pixels of the nodes, put in order when they are asked for the first time.

    A FROC asks for centres and areas only, and this is a third of the work.

    Parameters
    ----------
    tree : higra.Tree
    area : numpy.ndarray
        Of all nodes, the pixels included.
    inner : numpy.ndarray
        The nodes that can be asked for.
    flat : numpy.ndarray
        int32. Flat working-grid index of each pixel.
    """

    def __init__(
        self, tree: hg.Tree, area: FloatArray, inner: IndexArray, flat: npt.NDArray[np.int32]
    ) -> None:
        self._known: _Unsorted | _Sorted = _Unsorted(tree, area, inner, flat)

    @property
    def start(self) -> IndexArray:
        """A node's pixels are ``order[start:start + area]``."""
        return self._sort().start

    @property
    def order(self) -> npt.NDArray[np.int32]:
        """Flat working-grid indices of all pixels, those of a node next to each other."""
        return self._sort().order

    def _sort(self) -> _Sorted:
        known = self._known
        if isinstance(known, _Unsorted):
            # One assignment, which also lets the tree go: two threads may do the same twice.
            known = self._known = _sorted(*known)
        return known


def _sorted(
    tree: hg.Tree, area: FloatArray, inner: IndexArray, flat: npt.NDArray[np.int32]
) -> _Sorted:
    parents = tree.parents()
    # Siblings lie next to each other: a node starts where its parent does, after the areas
    # of the siblings before it.
    by_parent = np.argsort(parents[:-1])
    before = np.cumsum(area[by_parent]) - area[by_parent]
    groups = parents[by_parent]
    new = np.r_[True, groups[1:] != groups[:-1]]
    offset = np.zeros(len(parents))
    offset[by_parent] = before - np.repeat(
        before[new], np.diff(np.r_[np.flatnonzero(new), len(new)])
    )
    add = hg.Accumulators.sum
    start = hg.propagate_sequential_and_accumulate(tree, offset, add).astype(np.int64)
    order = np.empty(len(flat), dtype=np.int32)
    order[start[: len(flat)]] = flat
    return _Sorted(start[inner], order)


class Gate(Protocol):
    """A part of the picture."""

    def holds(self, row: npt.ArrayLike, column: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether working-grid points lie within."""


OUTSIDE = -1
"""Label of regions that lie outside a gate."""


def min_pixels(min_area_cm2: float) -> float:
    """Smallest area in pixels of 1 mm² that is not smaller than ``min_area_cm2``."""
    return min_area_cm2 * 100 - 1e-9


class ComponentForest:
    """One max-tree for each slice of a likelihood map.

    Parameters
    ----------
    likelihood : LikelihoodMap
        Full maps only: a strided one must have been filled.
    connectivity : {8, 4}
        Whether pixels that touch at a corner are connected.
    """

    def __init__(self, likelihood: LikelihoodMap, connectivity: int = 8) -> None:
        if connectivity not in (4, 8):
            raise SpinemetError(f"Pixels have 4 or 8 neighbours, not {connectivity}.")
        self.likelihood = likelihood
        self.connectivity = connectivity
        first, last = likelihood.columns
        width = likelihood.values.shape[2]
        self.trees = [
            _slice_tree(values[:, first:last], first, width, connectivity)
            for values in likelihood.values
        ]

    def detections(self, threshold: float, min_area_cm2: float) -> list[Detection]:
        """The regions at a threshold, by slice and then from head to feet.

        Parameters
        ----------
        threshold : float
            In (0, 1]; a pixel belongs if its float32 likelihood reaches it.
        min_area_cm2 : float
            Smaller regions are dropped; one of exactly this area is kept.
        """
        if not 0 < threshold <= 1:
            raise SpinemetError(f"The threshold must lie above 0 and up to 1, not at {threshold}.")
        smallest = min_pixels(min_area_cm2)
        found = []
        for index, tree in enumerate(self.trees):
            nodes = tree.alive(threshold, smallest)
            for node in nodes[np.lexsort((tree.column[nodes], tree.row[nodes]))]:
                found.append(self._detection(index, tree, int(node)))
        return found

    def labels(
        self,
        slice_index: int,
        threshold: float,
        min_area_cm2: float,
        within: Gate | None = None,
    ) -> npt.NDArray[np.int32]:
        """``(row, column)`` label image of one slice; labels follow :meth:`detections`.

        Regions whose centre ``within`` does not hold are :data:`OUTSIDE`.
        """
        tree = self.trees[slice_index]
        shape = self.likelihood.values.shape[1:]
        image = np.zeros(shape[0] * shape[1], dtype=np.int32)
        nodes = tree.alive(threshold, min_pixels(min_area_cm2))
        nodes = nodes[np.lexsort((tree.column[nodes], tree.row[nodes]))]
        if within is not None:
            held = within.holds(tree.row[nodes], tree.column[nodes])
            for node in nodes[~held]:
                image[tree.pixels(int(node))] = OUTSIDE
            nodes = nodes[held]
        for label, node in enumerate(nodes, 1):
            image[tree.pixels(int(node))] = label
        return image.reshape(shape)

    def _detection(self, index: int, tree: SliceTree, node: int) -> Detection:
        row, column = float(tree.row[node]), float(tree.column[node])
        _, row_mm, column_mm = self.series_spacing_mm
        x, y, z = (float(v) for v in index_to_mm(self.likelihood.affine, (index, row, column)))
        pixels = np.stack(np.divmod(tree.pixels(node), self.likelihood.values.shape[2]), axis=1)
        return Detection(
            slice=index,
            area_cm2=float(tree.area[node]) / 100,
            centre_working=(row, column),
            centre_index=(float(index), row / row_mm, column / column_mm),
            centre_mm=(x, y, z),
            peak=float(tree.peak[node]),
            mean=float(tree.mean[node]),
            pixels=pixels.astype(np.int32),
        )

    @property
    def series_spacing_mm(self) -> tuple[float, float, float]:
        """Spacing of the series that the map was made from."""
        return self.likelihood.series_spacing_mm


def _slice_tree(
    values: npt.NDArray[np.float32], first_column: int, width: int, connectivity: int
) -> SliceTree:
    """Build the tree of the evaluated part of one slice."""
    values = np.ascontiguousarray(values)
    rows, columns = values.shape
    # The implicit graph names its neighbours when asked: half the time of one with all edges.
    adjacency = (
        hg.get_8_adjacency_implicit_graph
        if connectivity == 8
        else hg.get_4_adjacency_implicit_graph
    )
    tree, levels = hg.component_tree_max_tree(adjacency((rows, columns)), values)
    leaves = tree.num_leaves()
    row, column = np.divmod(np.arange(leaves), columns)
    leaf_values = np.stack([np.ones(leaves), row, column, values.ravel()], axis=1)
    add = hg.Accumulators.sum
    area, *sums = hg.accumulate_sequential(tree, leaf_values, add).T
    peak = hg.accumulate_sequential(tree, values.ravel(), hg.Accumulators.max)
    parent_level = levels[tree.parents()].astype(np.float32)
    parent_level[-1] = 0  # thresholds lie above 0, so the root is a component from there
    inner = np.flatnonzero(levels[leaves:] > 0) + leaves
    size = area[inner]
    return SliceTree(
        level=levels[inner].astype(np.float32),
        parent_level=parent_level[inner],
        area=size.astype(np.int64),
        row=sums[0][inner] / size,
        column=sums[1][inner] / size + first_column,
        peak=peak[inner].astype(np.float32),
        mean=sums[2][inner] / size,
        places=PixelPlaces(
            tree, area, inner, (row * width + column + first_column).astype(np.int32)
        ),
    )
