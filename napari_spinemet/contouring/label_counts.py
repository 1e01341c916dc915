"""How many pixels of each label there are in each slice, kept up while somebody draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class LabelCounts:
    """Pixels by label of each slice of a label array that changes.

    Only slices that differ from what was seen last are counted anew: finding them in 13
    slices of 512 x 512 takes half a millisecond, counting all of them takes tens.
    """

    def __init__(self) -> None:
        self._seen: npt.NDArray[np.unsignedinteger] = np.zeros((0, 0, 0), np.uint16)
        self._counts: list[dict[int, int]] = []
        self._centres: list[dict[int, tuple[float, float]]] = []

    def look(self, labels: npt.NDArray[np.unsignedinteger]) -> list[int]:
        """Count the slices that changed since the last look; gives which they were.

        Parameters
        ----------
        labels : numpy.ndarray
            ``(slice, row, column)``, possibly with another shape than before.
        """
        if labels.shape != self._seen.shape:
            self._seen = np.zeros_like(labels)
            self._counts = [{} for _ in labels]
            self._centres = [{} for _ in labels]
        changed = [int(k) for k in np.flatnonzero((labels != self._seen).any(axis=(1, 2)))]
        for index in changed:
            self._seen[index] = labels[index]
            rows, columns = np.nonzero(labels[index])
            values = labels[index][rows, columns]
            pixels = np.bincount(values)
            down, across = np.bincount(values, rows), np.bincount(values, columns)
            held = np.flatnonzero(pixels).tolist()
            self._counts[index] = {k: int(pixels[k]) for k in held}
            self._centres[index] = {
                k: (float(down[k] / pixels[k]), float(across[k] / pixels[k])) for k in held
            }
        return changed

    def pixels(self, index: int) -> int:
        """Labelled pixels of a slice."""
        return sum(self._counts[index].values()) if index < len(self._counts) else 0

    @property
    def centres(self) -> list[tuple[int, int, float, float, int]]:
        """(label, slice, row, column, pixels) of each label in each slice: centre of gravity."""
        return [
            (label, index, *centre, self._counts[index][label])
            for index, held in enumerate(self._centres)
            for label, centre in held.items()
        ]

    @property
    def slices(self) -> list[int]:
        """The slices that carry a label."""
        return [k for k, counted in enumerate(self._counts) if counted]

    @property
    def labels(self) -> set[int]:
        """The labels that there are."""
        return set().union(*self._counts)
