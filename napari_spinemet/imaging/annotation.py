"""Contours of lesions and vertebrae."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError

LabelArray = npt.NDArray[np.uint16]


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
    reader, created : str
        Who drew them and when (ISO 8601); empty if not recorded.

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
