"""A scan of one's own as adaptation takes it: its bodies, and what of it nobody can vouch for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ...errors import SpinemetError
from ...evaluation.lesion_scores import Truth
from ...imaging import Annotation, SagittalSeries
from ...imaging.vertebra_levels import order_vertebrae
from ...jobs import UNATTENDED, JobContext
from ...phantom import implant_lesion
from ...phantom.implants.lesion_implant import LOBED, MODERATE
from ...study.verdicts import Position

TrainingCase = tuple[SagittalSeries, Annotation]
LESIONS_A_COPY = 2
_TRAIN, _TRIAL = 1, 2
"""Streams of random numbers: what a network is judged by is none of what it learned from."""


@dataclass(frozen=True, eq=False)
class OwnScan:
    """One scan.

    Attributes
    ----------
    name : str
        Of its case.
    series : SagittalSeries
    annotation : Annotation
        Its bodies, found or contoured; its lesions, if a person drew or accepted any.
    rejected : mapping of tuple of float to str
        Where, in patient LPS mm, a person has said that something marked is normal, and why.
    note : str
        What of it was not learned, and why, as a sentence; empty if all was.
    """

    name: str
    series: SagittalSeries
    annotation: Annotation
    rejected: Mapping[Position, str] = field(default_factory=dict)
    note: str = ""

    @property
    def is_free(self) -> bool:
        """Whether it is held to have no lesion."""
        return not self.annotation.lesions.any()

    @property
    def truth(self) -> Truth:
        """What whatever is marked in it is held against."""
        count = int(self.annotation.lesions.max())
        return Truth(self.annotation, [{} for _ in range(count)])

    def training_copies(
        self, count: int, seed: int, *, job: JobContext = UNATTENDED
    ) -> list[TrainingCase]:
        """Copies with implants, to learn from.

        Parameters
        ----------
        count : int
        seed : int
        job : JobContext
            Polled before each.
        """
        return [case for case, _ in self._copies(count, (seed, _TRAIN), job)]

    def trial_copies(
        self, count: int, seed: int, *, job: JobContext = UNATTENDED
    ) -> list[tuple[SagittalSeries, Truth]]:
        """Other copies, to judge a network by.

        Parameters
        ----------
        count : int
        seed : int
        job : JobContext
            Polled before each.
        """
        return [
            (series, Truth(annotation, facts))
            for (series, annotation), facts in self._copies(count, (seed, _TRIAL), job)
        ]

    def _copies(
        self, count: int, seed: tuple[int, int], job: JobContext
    ) -> list[tuple[TrainingCase, Sequence[dict[str, object]]]]:
        """Bodies take turns, and contrasts are spread evenly; none where none has room."""
        labels = order_vertebrae(self.annotation.vertebrae)
        copies: list[tuple[TrainingCase, Sequence[dict[str, object]]]] = []
        for number in range(count):
            job.raise_if_cancelled()
            rng = np.random.default_rng((*seed, number, *mark_of(self.series)))
            series, annotation = self.series, self.annotation
            facts: list[dict[str, object]] = [{} for _ in range(int(annotation.lesions.max()))]
            for turn in range(LESIONS_A_COPY):
                step = number + turn * (len(labels) // LESIONS_A_COPY) + seed[1]
                label = labels[step % len(labels)]
                share = (number + rng.random()) / count
                contrast = MODERATE[0] + (MODERATE[1] - MODERATE[0]) * ((share + turn / 2) % 1)
                try:
                    series, annotation, implant = implant_lesion(
                        series, annotation, label, rng, contrast=contrast, family=LOBED
                    )
                except SpinemetError:  # a small body has no room, or its canal is not seen
                    continue
                facts.append({"level": implant.level, "contrast": contrast, "site": "body"})
            if len(facts) > int(self.annotation.lesions.max()):
                copies.append(((series, annotation), facts))
        return copies

    def without(self, uncertain: npt.NDArray[np.bool_]) -> OwnScan:
        """The same, with nothing to be learned where it is not known what there is.

        Parameters
        ----------
        uncertain : numpy.ndarray of bool
            ``(slice, row, column)`` on the grid of the series.
        """
        former = self.annotation.uncertain
        both = uncertain if former is None else uncertain | former
        return replace(self, annotation=replace(self.annotation, uncertain=both))


def mark_of(series: SagittalSeries) -> tuple[int, ...]:
    """Another for each scan, so that not all get the same lesions."""
    middle = series.voxels[len(series.voxels) // 2]
    return (*series.shape, int(np.abs(middle).sum(dtype=np.float64)) % 2**31)
