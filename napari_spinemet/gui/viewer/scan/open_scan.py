"""The series on the screen, with where it is from and what was drawn on it before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....imaging import Annotation, SagittalSeries
from ....study import Case


@dataclass(frozen=True, eq=False)
class OpenScan:
    """What is open; another scan, or another place of it, is another value.

    Attributes
    ----------
    series : SagittalSeries
    source : Path or None
        The files that it was read from, or their folder.
    case : Case or None
        Of the open study, if the scan is in it.
    annotation : Annotation or None
        Its contours as they were opened or last saved; None if there were none.
    """

    series: SagittalSeries
    source: Path | None = None
    case: Case | None = None
    annotation: Annotation | None = None

    def with_annotation(self, annotation: Annotation) -> OpenScan:
        """The same scan, its contours saved."""
        return replace(self, annotation=annotation)

    def with_case(self, case: Case | None) -> OpenScan:
        """The same scan as a case of a study, or of none."""
        return replace(self, case=case)

    @property
    def writable_case(self) -> Case | None:
        """The case, if its study takes what is drawn, found and said of it."""
        case = self.case
        return case if case is not None and case.database and case.database.writable else None

    def is_changed_in(self, contours: Annotation) -> bool:
        """Whether contours differ from those that were opened or saved."""
        if self.annotation is None or (self.case is not None and not self.case.has_contours):
            return not contours.empty
        return not have_same_labels(contours, self.annotation)


def have_same_labels(one: Annotation | None, other: Annotation | None) -> bool:
    """Whether two annotations hold the same labels.

    Parameters
    ----------
    one, other : Annotation or None
        Of the same series. None is the same as None only.
    """
    if one is None or other is None:
        return one is other
    return np.array_equal(one.lesions, other.lesions) and np.array_equal(
        one.vertebrae, other.vertebrae
    )
