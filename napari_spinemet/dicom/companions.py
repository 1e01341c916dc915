"""The other sagittal series of an examination, which lie in the same space."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import SpinemetError
from ..imaging import SagittalSeries, SeriesSummary
from .series_readers import list_series, read_series

ORDER = ("T1", "T2", "STIR")
"""Which contrast helps most beside a fat-suppressed one; all others follow."""
LEAST_SLICES = 3
"""Fewer are there to plan others on."""


@dataclass(frozen=True)
class Companion:
    """A series, and where it is.

    Attributes
    ----------
    path : Path
        Folder, file or archive.
    summary : SeriesSummary
    """

    path: Path
    summary: SeriesSummary

    @property
    def name(self) -> str:
        """For a list: its contrast, and what the scanner calls it."""
        contrast, description = self.summary.contrast, self.summary.description
        if contrast in ("other", "") or contrast.casefold() in description.casefold():
            return description or contrast
        return f"{contrast}: {description}" if description else contrast

    def read_series(self) -> SagittalSeries:
        """Read it.

        Raises
        ------
        SpinemetError
            If it cannot be read.
        """
        return read_series(self.path, self.summary.series_uid, self.summary.stack)


def find_companions(paths: Iterable[Path], series: SagittalSeries) -> list[Companion]:
    """Series that can be looked at beside another one, the most useful first.

    Parameters
    ----------
    paths : iterable of Path
        Where to look; what is not there or cannot be read is passed over.
    series : SagittalSeries
        Others belong to it that are sagittal, of the same study and of the same frame of reference:
        a patient who left the table between two series has another one.
    """
    if not series.frame_of_reference_uid:
        return []
    companions: dict[tuple[str, int], Companion] = {}
    for path in paths:
        try:
            summaries = list_series(path) if path.exists() else []
        except SpinemetError:
            continue
        for summary in summaries:
            if _belongs(summary, series):
                companions.setdefault((summary.series_uid, summary.stack), Companion(path, summary))
    return sorted(
        companions.values(), key=lambda each: (_rank(each.summary), each.summary.series_uid)
    )


def _belongs(summary: SeriesSummary, series: SagittalSeries) -> bool:
    return (
        summary.plane == "sagittal"
        and summary.slices >= LEAST_SLICES
        and summary.spacing_mm is not None
        and summary.frame_of_reference_uid == series.frame_of_reference_uid
        and summary.study_uid == series.study_uid
        and (summary.series_uid, summary.stack) != series.identity
    )


def _rank(summary: SeriesSummary) -> int:
    return ORDER.index(summary.contrast) if summary.contrast in ORDER else len(ORDER)
