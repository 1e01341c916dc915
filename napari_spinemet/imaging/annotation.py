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

    Examples
    --------
    >>> import numpy as np
    >>> from napari_spinemet import Annotation
    >>> vertebrae = np.zeros((2, 4, 4), dtype=np.uint16)
    >>> vertebrae[1, 1:3, 1:3] = 1
    >>> annotation = Annotation(np.zeros_like(vertebrae), vertebrae, levels={1: "L1"})
    >>> annotation.empty, annotation.levels[1]
    (False, 'L1')
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
    def empty(self) -> bool:
        """Whether nothing at all has been contoured."""
        return not (self.lesions.any() or self.vertebrae.any())

    def complete_from(self, other: Annotation) -> Annotation:
        """The same, with the layers of another where only that one speaks of them."""
        layers: dict[str, Any] = {
            layer: getattr(self if layer in self.holds else other, layer) for layer in LAYERS
        }
        levels = (self if "vertebrae" in self.holds else other).levels
        holds = tuple(layer for layer in LAYERS if layer in self.holds or layer in other.holds)
        return replace(self, **layers, levels=levels, holds=holds)


def _labels(array: npt.ArrayLike, name: str) -> LabelArray:
    """A copy as uint16 that cannot be written to; ``name`` is the layer, for the sentence."""
    values = np.asarray(array)
    if values.ndim != 3:
        raise SpinemetError(f"The {name} contours must be a (slice, row, column) array.")
    with np.errstate(invalid="ignore"):  # what does not fit shows in the comparison
        labels = values.astype(np.uint16)
    if not np.array_equal(labels, values):
        raise SpinemetError(f"The {name} contours must be whole numbers from 0 to 65535.")
    labels.flags.writeable = False
    return labels


def of_this_series(
    candidates: Sequence[tuple[Annotation, bool]],
    refusals: Sequence[SpinemetError],
    path: str | os.PathLike[str],
) -> list[Annotation]:
    """Choose among the contours of a file or folder those of one series.

    Parameters
    ----------
    candidates : sequence of (Annotation, bool)
        Contours that lie on the grid of the series, and whether they say to be of another one:
        of the same scan, such as a T1 beside its STIR. They are taken only if there are no
        others.
    refusals : sequence of SpinemetError
        Why the other contours were not taken; not empty if there are no candidates.
    path : path-like
        The file or folder, for the sentences.

    Returns
    -------
    list of Annotation
        By reader, then by time of creation.

    Raises
    ------
    SpinemetError
        If there are no candidates, with the first reasons.
    """
    annotations = [a for a, other in candidates if not other] or [a for a, _ in candidates]
    if not annotations:
        if len(refusals) == 1:
            raise refusals[0]
        reasons = ", ".join(_reason(error) for error in refusals[:_MAX_REASONS])
        suffix = " and so on" if len(refusals) > _MAX_REASONS else ""
        raise SpinemetError(
            f"None of the {len(refusals)} sets of contours in {path} can be used with this "
            f"series: {reasons}{suffix}; choose those that were drawn on it."
        )
    # That a folder holds contours of other series too is no fault.
    faults = [_reason(error) for error in refusals if not isinstance(error, OtherSeriesError)]
    if faults:
        note = (
            f"Of the contours in {path} {len(faults)} could not be used and "
            f"{'was' if len(faults) == 1 else 'were'} passed over: {faults[0]}"
            f"{'' if len(faults) == 1 else ' and so on'}."
        )
        annotations = [replace(a, warnings=(*a.warnings, note)) for a in annotations]
    return sorted(annotations, key=lambda a: (a.reader, a.created))


def _reason(error: SpinemetError) -> str:
    """What is wrong, without the way to mend it, for use inside a sentence."""
    text = str(error).split(";")[0].rstrip(".")
    return text[:1].lower() + text[1:]
