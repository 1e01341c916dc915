"""Edges of a straightened spine, and the best paths along them."""

from __future__ import annotations

import numpy as np

from napari_spinemet.contouring.spine_edges import find_best_paths


def test_the_best_path_is_the_best_of_all() -> None:
    """Against trying each of the paths through 5 x 4 scores."""
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(20, 5, 4))
    options = [
        option
        for option in np.stack(np.meshgrid(*[range(4)] * 5), axis=-1).reshape(-1, 5)
        if np.abs(np.diff(option)).max() <= 1
    ]
    for score, path in zip(scores, find_best_paths(scores, 0.4)):
        values = [
            score[range(5), option].sum() - 0.4 * np.abs(np.diff(option)).sum()
            for option in options
        ]
        np.testing.assert_array_equal(path, options[int(np.argmax(values))])
