"""Connected regions at every threshold at once.

The max-tree of a slice holds each connected component of each of its upper level sets as a
node: the components at threshold ``t`` are the nodes whose own level reaches ``t`` while
their parent's does not. Areas, centres and sums are attributes of the nodes, so detections
at any threshold are a lookup, exact and without relabelling (Salembier et al., IEEE Trans.
Image Process. 7, 1998; built by higra).

Why a tree and not the threshold that is asked for: a slider moves through thresholds faster than
labels can be counted anew, and a FROC needs them all. What is built here knows the pixels of
each region; :mod:`~napari_spinemet.evaluation.fast_max_tree` gives a FROC the same regions
without them, faster.
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
    pixel_index : PixelIndex
        Which pixels the nodes have.
    """

    level: npt.NDArray[np.float32]
    parent_level: npt.NDArray[np.float32]
    area: IndexArray
    row: FloatArray
    column: FloatArray
    peak: npt.NDArray[np.float32]
    mean: FloatArray
    pixel_index: PixelIndex

    def components_at(self, threshold: float, min_pixels: float) -> IndexArray:
        """Nodes that are the components at a threshold with at least that area, top to bottom.

        Parameters
        ----------
        threshold : float
            Compared in float32, as the likelihoods are.
        min_pixels : float
            Smallest area, see :func:`min_pixels`.
        """
        t = np.float32(threshold)
        nodes = np.flatnonzero(
            (self.level >= t) & (self.parent_level < t) & (self.area >= min_pixels)
        )
        # The order in which people are shown regions, and which labels follow.
        return nodes[np.lexsort((self.column[nodes], self.row[nodes]))]

    def pixels(self, node: int) -> npt.NDArray[np.int32]:
        """Flat working-grid indices of a node's pixels."""
        start = self.pixel_index.start[node]
        return self.pixel_index.order[start : start + self.area[node]]


class _TreePixels(NamedTuple):
    """A tree and its pixels, before they are put in order."""

    tree: hg.Tree
    area: FloatArray
    inner: IndexArray
    flat: npt.NDArray[np.int32]


class _NodePixels(NamedTuple):
    """The pixels, those of each node next to each other."""

    start: IndexArray
    order: npt.NDArray[np.int32]


class PixelIndex:
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
        self._pixels: _TreePixels | _NodePixels = _TreePixels(tree, area, inner, flat)

    @property
    def start(self) -> IndexArray:
        """A node's pixels are ``order[start:start + area]``."""
        return self._sort().start

    @property
    def order(self) -> npt.NDArray[np.int32]:
        """Flat working-grid indices of all pixels, those of a node next to each other."""
        return self._sort().order

    def _sort(self) -> _NodePixels:
        pixels = self._pixels
        if isinstance(pixels, _TreePixels):
            # One assignment, which also lets the tree go: two threads may do the same twice.
            pixels = self._pixels = _sort_pixels(*pixels)
        return pixels


def _sort_pixels(
    tree: hg.Tree, area: FloatArray, inner: IndexArray, flat: npt.NDArray[np.int32]
) -> _NodePixels:
    """Put pixels in the order of a walk through the tree, in which every node's are one stretch."""
    parents = tree.parents()
    # Siblings lie next to each other: a node starts where its parent does, after the areas
    # of the siblings before it.
    by_parent = np.argsort(parents[:-1])
    start_in_row = np.cumsum(area[by_parent]) - area[by_parent]
    groups = parents[by_parent]
    is_first = np.r_[True, groups[1:] != groups[:-1]]
    offset = np.zeros(len(parents))
    offset[by_parent] = start_in_row - np.repeat(
        start_in_row[is_first], np.diff(np.r_[np.flatnonzero(is_first), len(is_first)])
    )
    add = hg.Accumulators.sum
    start = hg.propagate_sequential_and_accumulate(tree, offset, add).astype(np.int64)
    order = np.empty(len(flat), dtype=np.int32)
    order[start[: len(flat)]] = flat
    return _NodePixels(start[inner], order)


class Gate(Protocol):
    """A part of the picture."""

    def holds(self, row: npt.ArrayLike, column: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether working-grid points lie within.

        Parameters
        ----------
        row, column : array-like
            Of one shape, in working pixels.
        """


OUTSIDE = -1
"""Label of regions that lie outside a gate."""


def min_pixels(min_area_cm2: float) -> float:
    """Smallest area in pixels of 1 mm² that is not smaller than ``min_area_cm2``."""
    # 0.07 cm² times 100 is a little more than 7: a region of 7 pixels must not fail by that.
    return min_area_cm2 * 100 - 1e-9


class ComponentForest:
    """One max-tree for each slice of a likelihood map.

    Parameters
    ----------
    likelihood : LikelihoodMap
        Full maps only: a strided one must have been filled.
    connectivity : {8, 4}
        Whether pixels that touch at a corner are connected.

    Raises
    ------
    SpinemetError
        If pixels have another number of neighbours.

    Examples
    --------
    Two regions, of 6 x 6 and 4 x 5 mm, that a low threshold joins:

    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> values = np.full((1, 20, 30), 0.2, dtype=np.float32)
    >>> values[0, 2:8, 2:8] = 0.9
    >>> values[0, 12:16, 20:25] = 0.6
    >>> likelihood = spinemet.LikelihoodMap(values, np.eye(4), (0, 30), (3.0, 1.0, 1.0))
    >>> forest = spinemet.ComponentForest(likelihood)
    >>> [[round(d.area_cm2, 2) for d in forest.detections(t, 0.1)] for t in (0.8, 0.5, 0.1)]
    [[0.36], [0.36, 0.2], [6.0]]
    >>> forest.labels(0, threshold=0.5, min_area_cm2=0.3)[[4, 14], [4, 22]].tolist()
    [1, 0]
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
        return [
            self._detection(index, tree, int(node))
            for index, tree in enumerate(self.trees)
            for node in tree.components_at(threshold, smallest)
        ]

    def labels(
        self,
        slice_index: int,
        threshold: float,
        min_area_cm2: float,
        within: Gate | None = None,
    ) -> npt.NDArray[np.int32]:
        """``(row, column)`` label image of one slice; labels follow :meth:`detections`.

        Parameters
        ----------
        slice_index : int
        threshold : float
            In (0, 1], which the caller checks.
        min_area_cm2 : float
        within : Gate, optional
            Regions whose centre lies elsewhere are :data:`OUTSIDE`.
        """
        tree = self.trees[slice_index]
        shape = self.likelihood.values.shape[1:]
        image = np.zeros(shape[0] * shape[1], dtype=np.int32)
        nodes = tree.components_at(threshold, min_pixels(min_area_cm2))
        if within is not None:
            is_inside = within.holds(tree.row[nodes], tree.column[nodes])
            for node in nodes[~is_inside]:
                image[tree.pixels(int(node))] = OUTSIDE
            nodes = nodes[is_inside]
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
    # Leaves are single pixels, each a child of the node of its level: no components of their own.
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
        pixel_index=PixelIndex(
            tree, area, inner, (row * width + column + first_column).astype(np.int32)
        ),
    )
