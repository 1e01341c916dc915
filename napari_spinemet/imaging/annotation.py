"""Contours of lesions and vertebrae."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError

LabelArray = npt.NDArray[np.uint16]
LAYERS = ("lesions", "vertebrae")


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
    uncertain : numpy.ndarray of bool or None
        Same shape: where nobody knows whether there is a lesion, so that nothing is learned there.
    mimics : numpy.ndarray of bool or None
        Same shape: what looks like a lesion, and of which a person has said that it is none.

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
    uncertain: npt.NDArray[np.bool_] | None = None
    mimics: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        lesions = _labels(self.lesions, "lesions")
        vertebrae = _labels(self.vertebrae, "vertebrae")
        if lesions.shape != vertebrae.shape:
            raise SpinemetError(
                f"Lesion contours have shape {lesions.shape} but vertebra contours "
                f"{vertebrae.shape}; both must lie on the grid of the series."
            )
        if self.uncertain is not None and self.uncertain.shape != lesions.shape:
            raise SpinemetError("What is uncertain must lie on the grid of the series.")
        if self.mimics is not None and self.mimics.shape != lesions.shape:
            raise SpinemetError("Mimics of lesions must lie on the grid of the series.")
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
    if values.dtype != np.uint16 and not np.array_equal(labels, values):
        raise SpinemetError(f"The {name} contours must be whole numbers from 0 to 65535.")
    labels.flags.writeable = False
    return labels
