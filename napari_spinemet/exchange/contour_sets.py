"""Sets of contours as a format reads them, and the choice of those that are of one series."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..errors import SpinemetError
from ..imaging import Annotation

_MAX_REASONS = 3
"""Refused files whose reasons an error gives."""


class OtherSeriesError(SpinemetError):
    """Contours say that they belong to another series than the one they are read for."""


@dataclass
class ContourSets:
    """What the files of one format hold for a series, one set for each case and reader.

    Attributes
    ----------
    annotations : list of Annotation
        Sets that lie on the grid of the series and do not say that they are of another one.
    same_grid : list of Annotation
        Sets that say to be of another series with the same grid: of the same scan, such as a T1
        beside its STIR.
    refusals : list of SpinemetError
        Why the other sets cannot be used.
    """

    annotations: list[Annotation] = field(default_factory=list)
    same_grid: list[Annotation] = field(default_factory=list)
    refusals: list[SpinemetError] = field(default_factory=list)

    def add(self, annotation: Annotation, *, is_of_other_series: bool) -> None:
        """Add a set that lies on the grid of the series.

        Parameters
        ----------
        annotation : Annotation
            With a warning if it is of another series.
        is_of_other_series : bool
            Whether its file says so.
        """
        (self.same_grid if is_of_other_series else self.annotations).append(annotation)


def select_annotations(sets: ContourSets, path: str | os.PathLike[str]) -> list[Annotation]:
    """Choose among the contours of a file or folder those of one series.

    Parameters
    ----------
    sets : ContourSets
        At least one set or refusal. Sets of another series with the same grid are taken only if
        there are no others.
    path : path-like
        The file or folder, for the sentences.

    Returns
    -------
    list of Annotation
        By reader, then by time of creation.

    Raises
    ------
    SpinemetError
        If there is no set, with the first reasons.
    """
    annotations = sets.annotations or sets.same_grid
    if not annotations:
        raise _no_set_error(sets.refusals, path)
    # That a folder holds contours of other series too is no fault.
    faults = [_reason(error) for error in sets.refusals if not isinstance(error, OtherSeriesError)]
    if faults:
        note = (
            f"Of the contours in {path} {len(faults)} could not be used and "
            f"{'was' if len(faults) == 1 else 'were'} passed over: {faults[0]}"
            f"{'' if len(faults) == 1 else ' and so on'}."
        )
        annotations = [replace(a, warnings=(*a.warnings, note)) for a in annotations]
    return sorted(annotations, key=lambda a: (a.reader, a.created))


def _no_set_error(refusals: Sequence[SpinemetError], path: str | os.PathLike[str]) -> SpinemetError:
    if len(refusals) == 1:
        return refusals[0]
    reasons = ", ".join(_reason(error) for error in refusals[:_MAX_REASONS])
    tail = " and so on" if len(refusals) > _MAX_REASONS else ""
    return SpinemetError(
        f"None of the {len(refusals)} sets of contours in {path} can be used with this "
        f"series: {reasons}{tail}; choose those that were drawn on it."
    )


def _reason(error: SpinemetError) -> str:
    """What is wrong, without the way to mend it, for use inside a sentence."""
    text = str(error).split(";")[0].rstrip(".")
    return text[:1].lower() + text[1:]
