"""Which part of each slice a network was evaluated on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError
from .grids import central_columns

IndexArray = npt.NDArray[np.intp]

SPINE, CENTRE, WHOLE_WIDTH = "spine", "centre", "all"
KINDS = (SPINE, CENTRE, WHOLE_WIDTH)
"""What the columns follow: the spine, the paper's central half, or nothing."""


@dataclass(frozen=True, eq=False)
class EvaluatedRegion:
    """An interval of columns in each row of the working grid, the same in all slices.

    Beyond it no likelihood is computed: a lesion there cannot be found, and nothing can be
    taken for one. It is the same in all slices, so that neighbouring slices can be averaged.

    Attributes
    ----------
    first, last : numpy.ndarray of int
        ``(row,)``: first evaluated column and one past the last.
    width : int
        Columns of the working grid.
    kind : {"spine", "centre", "all"}
        What was asked for: a corridor along the spine, the central half of the columns, or all.
    stands_in : str
        Why the central half stands in for a corridor that could not be laid; else empty.

    Raises
    ------
    SpinemetError
        If an interval is empty or leaves the grid.
    """

    first: IndexArray
    last: IndexArray
    width: int
    kind: str
    stands_in: str = ""

    def __post_init__(self) -> None:
        first, last = (np.asarray(v, dtype=np.intp) for v in (self.first, self.last))
        if first.ndim != 1 or first.shape != last.shape or not len(first):
            raise SpinemetError("An evaluated region has a first and a last column in each row.")
        if (first < 0).any() or (first >= last).any() or (last > self.width).any():
            raise SpinemetError("The evaluated columns must lie within the picture.")
        if self.kind not in KINDS:
            raise SpinemetError(f"Evaluated are {', '.join(KINDS)}, not '{self.kind}'.")
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "last", last)

    @classmethod
    def of_columns(
        cls, columns: tuple[int, int], shape: tuple[int, int], kind: str = ""
    ) -> EvaluatedRegion:
        """The same columns in every row.

        Parameters
        ----------
        columns : tuple of int
            First and one past the last.
        shape : tuple of int
            (rows, columns) of the working grid.
        kind : str
            Told from the columns if empty: a band that is not the whole width is a centre.
        """
        first, last = columns
        kind = kind or (WHOLE_WIDTH if (first, last) == (0, shape[1]) else CENTRE)
        return cls(np.full(shape[0], first), np.full(shape[0], last), shape[1], kind)

    @classmethod
    def central(cls, shape: tuple[int, int]) -> EvaluatedRegion:
        """The central half of the columns (paper, section 2.5) of (rows, columns)."""
        return cls.of_columns(central_columns(shape[1]), shape, CENTRE)

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> EvaluatedRegion:
        """All of (rows, columns)."""
        return cls.of_columns((0, shape[1]), shape, WHOLE_WIDTH)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EvaluatedRegion):
            return NotImplemented
        names = (self.width, self.kind, self.stands_in)
        return names == (other.width, other.kind, other.stands_in) and np.array_equal(
            self.pack(), other.pack()
        )

    __hash__ = None  # type: ignore[assignment]  # it is compared by its arrays

    @property
    def columns(self) -> tuple[int, int]:
        """First column that is evaluated in any row, and one past the last."""
        return int(self.first.min()), int(self.last.max())

    @property
    def pixels(self) -> int:
        """How many are evaluated in each slice; a working pixel has 1 mm²."""
        return int((self.last - self.first).sum())

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """``(row, column)``: True where a likelihood is computed."""
        columns = np.arange(self.width)
        return (columns >= self.first[:, None]) & (columns < self.last[:, None])

    def bands(self) -> list[tuple[slice, slice]]:
        """The region as rectangles, (rows, columns) each, from head to feet."""
        changes = np.flatnonzero(np.diff(self.first) | np.diff(self.last)) + 1
        edges = [0, *map(int, changes), len(self.first)]
        return [
            (slice(a, b), slice(int(self.first[a]), int(self.last[a])))
            for a, b in itertools.pairwise(edges)
        ]

    def borders_at(self, rows: npt.ArrayLike) -> tuple[IndexArray, IndexArray]:
        """First and last evaluated column of rows, where more of the picture lies beyond.

        Parameters
        ----------
        rows : array-like of int

        Returns
        -------
        tuple of numpy.ndarray
            A border that is that of the picture lies infinitely far off: nothing is beyond.
        """
        index = np.asarray(rows, dtype=np.intp)
        far = 10 * self.width
        front = np.where(self.first[index] > 0, self.first[index], -far)
        back = np.where(self.last[index] < self.width, self.last[index] - 1, self.width + far)
        return front, back

    @property
    def description(self) -> str:
        """In words, for a report."""
        if self.kind == WHOLE_WIDTH:
            return "the whole width"
        if self.kind == CENTRE:
            return "the central half of the columns"
        if self.stands_in:
            return f"the central half of the columns, since {self.stands_in}"
        widths = self.last - self.first
        narrow, wide = int(widths.min()), int(widths.max())
        extent = f"{narrow} mm" if narrow == wide else f"{narrow} to {wide} mm"
        return f"a corridor along the spine, {extent} wide"

    def to_dict(self) -> dict[str, Any]:
        """Kind, description and hull, for a report."""
        return {
            "kind": self.kind,
            "description": self.description,
            "columns": list(self.columns),
            "pixels": self.pixels,
        }

    def pack(self) -> npt.NDArray[np.int32]:
        """``(row, 2)`` first and last column, for a file."""
        return np.stack([self.first, self.last], axis=1).astype(np.int32)

    @classmethod
    def unpack(
        cls, intervals: npt.ArrayLike, width: int, kind: str, stands_in: str = ""
    ) -> EvaluatedRegion:
        """What :meth:`pack` gave.

        Parameters
        ----------
        intervals : array-like
            ``(row, 2)``.
        width : int
            Columns of the working grid.
        kind, stands_in : str
        """
        first, last = np.asarray(intervals, dtype=np.intp).T
        return cls(first, last, width, kind, stands_in)
