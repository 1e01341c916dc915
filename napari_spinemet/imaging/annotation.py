"""Contours of lesions and vertebrae."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError

LabelArray = npt.NDArray[np.uint16]
LAYERS = ("lesions", "vertebrae")

_MAX_REASONS = 3
"""Refused files whose reasons an error gives."""


class OtherSeriesError(SpinemetError):
    """Contours say that they belong to another series than the one they are wanted for."""


@dataclass(frozen=True, eq=False)
class Annotation:
    """Lesions and vertebrae of one series, as two label arrays on the series grid.

    They are two arrays, since a lesion lies inside a vertebra.

    Attributes
    ----------
    lesions : numpy.ndarray
        ``(slice, row, column)`` uint16; 0 is none, each other number one lesion.
    vertebrae : numpy.ndarray
        Same shape and dtype; each number one vertebra.
    levels : mapping of int to str
        Name of each vertebra by its number, such as ``"L1"``.
    series_uid : str
        The series that these contours belong to.
    holds : tuple of str
        Which of the two they speak of: a file of lesions does not say that there are no vertebrae.
    reader, created : str
        Who drew them and when (ISO 8601); empty if not recorded.
    warnings : tuple of str
        What had to be decided when they were read, one sentence each.

    Raises
    ------
    SpinemetError
        If the two arrays differ in shape or hold negative or fractional labels.
    """

    lesions: LabelArray
    vertebrae: LabelArray
    levels: Mapping[int, str] = field(default_factory=dict)
    series_uid: str = ""
    reader: str = ""
    created: str = ""
    holds: tuple[str, ...] = LAYERS
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lesions = _labels(self.lesions, "lesions")
        vertebrae = _labels(self.vertebrae, "vertebrae")
        if lesions.shape != vertebrae.shape:
            raise SpinemetError(
                f"Lesion contours have shape {lesions.shape} but vertebra contours "
                f"{vertebrae.shape}; both must lie on the grid of the series."
            )
        object.__setattr__(self, "lesions", lesions)
        object.__setattr__(self, "vertebrae", vertebrae)

    @property
    def lesion_slices(self) -> npt.NDArray[np.intp]:
        """Indices of the slices that carry a lesion."""
        return np.flatnonzero(self.lesions.any(axis=(1, 2)))

    @property
    def empty(self) -> bool:
        """Whether nothing at all has been contoured."""
        return not (self.lesions.any() or self.vertebrae.any())

    def over(self, other: Annotation) -> Annotation:
        """What this speaks of, and what only the other does."""
        layers: dict[str, Any] = {
            layer: getattr(self if layer in self.holds else other, layer) for layer in LAYERS
        }
        levels = (self if "vertebrae" in self.holds else other).levels
        holds = tuple(layer for layer in LAYERS if layer in self.holds or layer in other.holds)
        return replace(self, **layers, levels=levels, holds=holds)


def _labels(array: npt.ArrayLike, name: str) -> LabelArray:
    given = np.asarray(array)
    if given.ndim != 3:
        raise SpinemetError(f"The {name} contours must be a (slice, row, column) array.")
    with np.errstate(invalid="ignore"):  # what does not fit shows in the comparison
        labels = given.astype(np.uint16)
    if not np.array_equal(labels, given):
        raise SpinemetError(f"The {name} contours must be whole numbers from 0 to 65535.")
    labels.flags.writeable = False
    return labels


def of_this_series(
    found: Sequence[tuple[Annotation, bool]],
    refused: Sequence[SpinemetError],
    path: str | os.PathLike[str],
) -> list[Annotation]:
    """Choose among the contours of a place those of one series.

    Parameters
    ----------
    found : sequence of (Annotation, bool)
        Contours that lie on the grid of the series, and whether they say to be of another one:
        of the same scan, such as a T1 beside its STIR. They are taken only if there are no
        others.
    refused : sequence of SpinemetError
        Why the other files of the place were not taken.
    path : path-like
        The place, for the sentences.

    Returns
    -------
    list of Annotation
        By reader, then by time of creation.

    Raises
    ------
    SpinemetError
        If nothing was found, with the first reasons.
    """
    chosen = [a for a, other in found if not other] or [a for a, _ in found]
    if not chosen:
        if len(refused) == 1:
            raise refused[0]
        reasons = ", ".join(_reason(error) for error in refused[:_MAX_REASONS])
        more = " and so on" if len(refused) > _MAX_REASONS else ""
        raise SpinemetError(
            f"None of the {len(refused)} sets of contours in {path} can be used with this "
            f"series: {reasons}{more}; choose those that were drawn on it."
        )
    faults = [_reason(error) for error in refused if not isinstance(error, OtherSeriesError)]
    if faults:
        note = (
            f"Of the contours in {path} {len(faults)} could not be used and "
            f"{'was' if len(faults) == 1 else 'were'} passed over: {faults[0]}"
            f"{'' if len(faults) == 1 else ' and so on'}."
        )
        chosen = [replace(a, warnings=(*a.warnings, note)) for a in chosen]
    return sorted(chosen, key=lambda a: (a.reader, a.created))


def _reason(error: SpinemetError) -> str:
    """What is wrong, without the way to mend it, for use inside a sentence."""
    text = str(error).split(";")[0].rstrip(".")
    return text[:1].lower() + text[1:]
