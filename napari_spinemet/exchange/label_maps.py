"""Label maps of other programs: which numbers are vertebrae, and of which level.

A file of labels does not say what its numbers stand for. Three conventions are in wide use, and
where only one of them fits what lies where, the numbers are read by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..imaging.annotation import LabelArray
from ..imaging.vertebra_levels import order_vertebrae

CERVICAL = [f"C{k}" for k in range(1, 8)]
THORACIC = [f"T{k}" for k in range(1, 13)]
LUMBAR = [f"L{k}" for k in range(1, 6)]
SACRUM = "Sacrum"
LEAST_VERTEBRAE = 3
"""Fewer fit any convention."""


@dataclass(frozen=True)
class LabelMap:
    """A convention.

    Attributes
    ----------
    name : str
        Of the program.
    levels : mapping of int to str
        Of vertebrae and sacrum, from head to feet.
    others : frozenset of int
        What else the program labels: cord, canal, discs, organs.
    variants : frozenset of int
        Of the levels, those that few people have.
    """

    name: str
    levels: Mapping[int, str]
    others: frozenset[int]
    variants: frozenset[int] = frozenset()

    def fits(self, labels: LabelArray) -> bool:
        """Whether every number is one of it, and the vertebrae lie in its order, none left out.

        Parameters
        ----------
        labels : numpy.ndarray
            ``(slice, row, column)``.
        """
        present = set(np.unique(labels[labels > 0]).tolist())
        if not present <= self.levels.keys() | self.others:
            return False
        bodies = np.where(np.isin(labels, list(self.levels)), labels, 0)
        order = order_vertebrae(bodies)
        own_order = [k for k in self.levels if k not in self.variants or k in present]
        ranks = [own_order.index(label) for label in order]
        return len(order) >= LEAST_VERTEBRAE and ranks == list(range(ranks[0], ranks[-1] + 1))


TOTALSPINESEG = LabelMap(
    "TotalSpineSeg",
    {
        **dict(zip(range(11, 18), CERVICAL, strict=True)),
        **dict(zip(range(21, 33), THORACIC, strict=True)),
        **dict(zip(range(41, 46), LUMBAR, strict=True)),
        50: SACRUM,
    },
    frozenset([1, 2, *range(63, 68), *range(71, 83), *range(91, 96), 100]),
)
VERSE = LabelMap(
    "VerSe (SPINEPS)",
    {
        **dict(enumerate([*CERVICAL, *THORACIC], 1)),
        28: "T13",
        **dict(enumerate([*LUMBAR, "L6"], 20)),
        26: SACRUM,
    },
    frozenset([27, *range(100, 300)]),
    variants=frozenset([25, 28]),
)
TOTALSEGMENTATOR = LabelMap(
    "TotalSegmentator",
    {
        **dict(zip(range(50, 26, -1), [*CERVICAL, *THORACIC, *LUMBAR], strict=True)),
        26: "S1",
        25: SACRUM,
    },
    frozenset([*range(1, 25), *range(51, 118)]),
)
TOTALSEGMENTATOR_MR = LabelMap(
    "TotalSegmentator (vertebrae_mr)",
    {
        **dict(zip(range(25, 1, -1), [*CERVICAL, *THORACIC, *LUMBAR], strict=True)),
        1: SACRUM,
    },
    frozenset(),
)
LABEL_MAPS = (TOTALSPINESEG, VERSE, TOTALSEGMENTATOR, TOTALSEGMENTATOR_MR)


def read_label_map(
    labels: LabelArray, name: str
) -> tuple[LabelArray, dict[int, str], tuple[str, ...]]:
    """Labels of vertebrae without names, with their levels where a convention tells them.

    Parameters
    ----------
    labels : numpy.ndarray
        ``(slice, row, column)`` uint16.
    name : str
        Of the file, for the sentences.

    Returns
    -------
    labels : numpy.ndarray
        Vertebrae alone, where a convention was recognised; else as they were.
    levels : dict of int to str
        Empty where none was.
    warnings : tuple of str
        What was done, or what must be looked at.
    """
    present = np.unique(labels[labels > 0]).tolist()
    if len(present) < LEAST_VERTEBRAE:
        return labels, {}, ()
    fitting_maps = [label_map for label_map in LABEL_MAPS if label_map.fits(labels)]
    # Whoever numbers bodies from one end, from 1 on, has no convention in mind.
    is_counted = present == list(range(1, len(present) + 1))
    if len(fitting_maps) == 1 and not is_counted:
        label_map = fitting_maps[0]
        levels = {k: level for k, level in label_map.levels.items() if k in present}
        left_out_count = len(present) - len(levels)
        vertebrae = np.where(np.isin(labels, list(levels)), labels, 0).astype(np.uint16)
        names = list(levels.values())
        left_out = f"; {left_out_count} other structures were left out" if left_out_count else ""
        sentence = (
            f"The numbers in {name} are those of {label_map.name}: {names[0]} to {names[-1]}"
            f"{left_out}. Check one level."
        )
        return vertebrae, levels, (sentence,)
    if is_counted and len(present) <= len(CERVICAL + THORACIC + LUMBAR):
        return labels, {}, ()
    names_text = " or ".join(label_map.name for label_map in fitting_maps)
    reason = f"they may be those of {names_text}" if names_text else "no known convention fits them"
    sentence = (
        f"What the numbers in {name} stand for is not known ({reason}), so that all "
        f"{len(present)} were taken as vertebrae; remove what is none, and name one level."
    )
    return labels, {}, (sentence,)
