"""How far two readers agree on the contours of one scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.geometry import index_to_mm


@dataclass(frozen=True)
class MatchedRegion:
    """One lesion or vertebra that both readers have contoured.

    Attributes
    ----------
    one, other : int
        Its label with either reader.
    dice : float
        Twice the common volume over the sum of both.
    distance_mm : float
        Between the centres of gravity.
    """

    one: int
    other: int
    dice: float
    distance_mm: float


@dataclass(frozen=True)
class Agreement:
    """Agreement of two readers on one kind of contour.

    Attributes
    ----------
    dice : float
        Of all that either has contoured, whatever its label; not a number where neither has
        contoured anything.
    matches : tuple of MatchedRegion
        Regions that overlap, one with one so that as much as possible is common to them.
    only_one, only_other : tuple of int
        Labels that found no partner.
    """

    dice: float
    matches: tuple[MatchedRegion, ...]
    only_one: tuple[int, ...]
    only_other: tuple[int, ...]

    @property
    def distance_mm(self) -> float:
        """Mean distance between the centres of matched regions; not a number without any."""
        return float(np.mean([m.distance_mm for m in self.matches])) if self.matches else np.nan


def compare_readers(
    one: Annotation, other: Annotation, series: SagittalSeries
) -> dict[str, Agreement]:
    """Compare the contours of two readers.

    Parameters
    ----------
    one, other : Annotation
        On the grid of ``series``.
    series : SagittalSeries

    Returns
    -------
    dict of str to Agreement
        By ``"lesions"`` and ``"vertebrae"``.

    Raises
    ------
    SpinemetError
        If either lies on another grid.
    """
    if not one.lesions.shape == other.lesions.shape == series.shape:
        raise SpinemetError(
            f"The contours have the shapes {one.lesions.shape} and {other.lesions.shape} and the "
            f"scan {series.shape}; compare contours of the same scan."
        )
    return {
        "lesions": _agreement(one.lesions, other.lesions, series.affine),
        "vertebrae": _agreement(one.vertebrae, other.vertebrae, series.affine),
    }


def _agreement(
    one: npt.NDArray[np.uint16], other: npt.NDArray[np.uint16], affine: npt.NDArray[np.float64]
) -> Agreement:
    either, both = int((one > 0).sum() + (other > 0).sum()), int(((one > 0) & (other > 0)).sum())
    sizes, partner_sizes = _sizes(one), _sizes(other)
    labels, partners = list(sizes), list(partner_sizes)
    common = np.zeros((len(labels), len(partners)))
    pairs, counts = np.unique(
        np.stack([one, other])[:, (one > 0) & (other > 0)], axis=1, return_counts=True
    )
    for (label, partner), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        common[labels.index(label), partners.index(partner)] = count
    matches = []
    for row, column in zip(*linear_sum_assignment(-common), strict=True):
        if common[row, column]:
            label, partner = labels[row], partners[column]
            step_mm = index_to_mm(affine, _centre(one == label)) - index_to_mm(
                affine, _centre(other == partner)
            )
            matches.append(
                MatchedRegion(
                    label,
                    partner,
                    2 * float(common[row, column]) / (sizes[label] + partner_sizes[partner]),
                    float(np.linalg.norm(step_mm)),
                )
            )
    return Agreement(
        2 * both / either if either else float("nan"),
        tuple(matches),
        tuple(sorted(set(labels) - {m.one for m in matches})),
        tuple(sorted(set(partners) - {m.other for m in matches})),
    )


def _sizes(labels: npt.NDArray[np.uint16]) -> dict[int, int]:
    numbers, sizes = np.unique(labels[labels > 0], return_counts=True)
    return dict(zip(numbers.tolist(), sizes.tolist(), strict=True))


def _centre(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    return np.asarray(np.argwhere(mask).mean(axis=0))
