"""Components for a FROC, against the max-tree of higra and against labelling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_spinemet.detection import ComponentForest
from napari_spinemet.evaluation.fast_max_tree import flood
from napari_spinemet.imaging import LikelihoodMap

Values = npt.NDArray[np.float32]


def picture(rng: np.random.Generator, kind: str) -> Values:
    """Smooth, noisy, of few levels, with much of it at 0, or of one row."""
    smooth = ndimage.gaussian_filter(rng.random((61, 47)), 3)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    pictures = {
        "smooth": smooth,
        "noise": rng.random((40, 33)),
        "plateaus": np.round(smooth * 6) / 6,
        "mostly nothing": np.where(smooth > 0.6, smooth, 0),
        "checks": np.indices((12, 9)).sum(axis=0) % 2 * 0.5,
        "one row": rng.random((1, 30)),
        "nothing": np.zeros((5, 4)),
        "all alike": np.full((6, 7), 0.25),
    }
    return pictures[kind].astype(np.float32)


@pytest.mark.parametrize("connectivity", [8, 4])
@pytest.mark.parametrize(
    "kind",
    [
        "smooth",
        "noise",
        "plateaus",
        "mostly nothing",
        "checks",
        "one row",
        "nothing",
        "all alike",
    ],
)
def test_nodes_are_those_of_the_max_tree(kind: str, connectivity: int) -> None:
    """Interval of thresholds, area and centre of every node, to the last bit."""
    values = picture(np.random.default_rng(4), kind)
    likelihood = LikelihoodMap(values[None], np.eye(4), (0, values.shape[1]), (4.0, 1.0, 1.0))
    tree = ComponentForest(likelihood, connectivity).trees[0]
    nodes = flood(values, 0.0, connectivity)
    ends = np.r_[nodes.levels, np.float32(0)][nodes.end]
    ours = np.stack([nodes.levels[nodes.begin], ends, nodes.area, *nodes.centres.T])
    theirs = np.stack([tree.level, tree.parent_level, tree.area, tree.row, tree.column])
    np.testing.assert_array_equal(
        ours[:, np.lexsort(ours)], theirs.astype(float)[:, np.lexsort(theirs)]
    )
    assert (np.diff(nodes.levels) < 0).all()


@pytest.mark.parametrize("lowest", [0.3, 0.0])
def test_from_a_threshold_up_nothing_is_missing(lowest: float) -> None:
    """The components at each threshold are those that labelling finds."""
    values = picture(np.random.default_rng(5), "smooth")
    nodes = flood(values, lowest)
    for threshold in np.unique(values[values >= max(lowest, 0.01)])[::20]:
        labels, count = ndimage.label(values >= threshold, np.ones((3, 3)))
        centres = ndimage.center_of_mass(labels > 0, labels, range(1, count + 1))
        position = int(np.flatnonzero(nodes.levels >= threshold)[-1])
        alive = (nodes.begin <= position) & (position < nodes.end)
        components = sorted(zip(nodes.area[alive], map(tuple, nodes.centres[alive]), strict=True))
        expected = sorted(zip(np.bincount(labels.ravel())[1:], centres, strict=True))
        assert [a for a, _ in components] == [a for a, _ in expected]
        np.testing.assert_allclose([c for _, c in components], [c for _, c in expected], atol=1e-9)
    assert nodes.levels.min() >= lowest
