"""How many pixels of each label there are in each slice, brought up to date while one draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class LabelCounts:
    """Pixels by label of each slice of a label array that changes.

    Only slices that differ from the last update are counted anew: finding them in 13 slices of
    512 x 512 takes half a millisecond, counting all of them takes tens.
    """

    def __init__(self) -> None:
        # A copy of the last labels, to compare with: napari changes its array in place.
        self._labels: npt.NDArray[np.unsignedinteger] = np.zeros((0, 0, 0), np.uint16)
        self._counts: list[dict[int, int]] = []
        self._centres: list[dict[int, tuple[float, float]]] = []

    def update(self, labels: npt.NDArray[np.unsignedinteger]) -> list[int]:
        """Count the slices that changed since the last update; gives which they were.

        Parameters
        ----------
        labels : numpy.ndarray
            ``(slice, row, column)``, possibly with another shape than before.
        """
        if labels.shape != self._labels.shape:
            self._labels = np.zeros_like(labels)
            self._counts = [{} for _ in labels]
            self._centres = [{} for _ in labels]
        differences = (labels != self._labels).any(axis=(1, 2))
        changed_slices = [int(k) for k in np.flatnonzero(differences)]
        for index in changed_slices:
            self._labels[index] = labels[index]
            rows, columns = np.nonzero(labels[index])
            values = labels[index][rows, columns]
            pixels = np.bincount(values)
            row_sums, column_sums = np.bincount(values, rows), np.bincount(values, columns)
            present = np.flatnonzero(pixels).tolist()
            self._counts[index] = {k: int(pixels[k]) for k in present}
            self._centres[index] = {
                k: (float(row_sums[k] / pixels[k]), float(column_sums[k] / pixels[k]))
                for k in present
            }
        return changed_slices

    def pixels(self, index: int) -> int:
        """Labelled pixels of a slice."""
        return sum(self._counts[index].values()) if index < len(self._counts) else 0

    @property
    def centres(self) -> list[tuple[int, int, float, float, int]]:
        """(label, slice, row, column, pixels) of each label in each slice: centre of gravity."""
        return [
            (label, index, *centre, self._counts[index][label])
            for index, centres in enumerate(self._centres)
            for label, centre in centres.items()
        ]

    @property
    def slices(self) -> list[int]:
        """The slices that carry a label."""
        return [k for k, counts in enumerate(self._counts) if counts]

    @property
    def labels(self) -> set[int]:
        """The labels that there are."""
        return set().union(*self._counts)
