"""A coarse look over the whole width: where the spine runs, and how bright its marrow is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from ..imaging import SagittalSeries
from ..imaging.brightness.marrow_level import MarrowLevel
from ..imaging.grids import resample_image, working_shape
from ..jobs import JobContext
from .bone import bone_likelihood
from .corridor import CORRIDOR_RULE, CorridorRule, SpineCourse, looks_at, trace_course
from .map_settings import MapSettings
from .slice_engines import SliceScorer, slice_scorer
from .slice_images import SliceImages, compares_with_marrow

LESION, VERTEBRA = 1, 2
"""Outputs that know a lesion, and normal vertebra."""
CERTAIN_BONE = 0.75
"""Marrow lies where the network sees bone so surely."""
MARROW_REACH_MM = 20.0
"""And so near to the course."""
LEAST_POINTS = 20
"""Of marrow that tell its level at a place."""
SHARPENINGS = 1
"""How often the look is taken again, over the level of marrow that the one before has found."""

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CoarseLook:
    """What a coarse look has found.

    Attributes
    ----------
    course : SpineCourse or None
        None where no spine is seen.
    marrow : MarrowLevel or None
        None where no marrow is seen, or the network does not compare with it.
    """

    course: SpineCourse | None
    marrow: MarrowLevel | None


def take_coarse_look(
    images: SliceImages,
    settings: MapSettings,
    job: JobContext,
    rule: CorridorRule = CORRIDOR_RULE,
) -> CoarseLook:
    """By every so-many-th pixel of some slices over the whole width.

    A network that compares with the level of marrow looks over a guess first, and again over what
    it has found. Over the guess the middle slice is enough, if it shows the spine: more slices
    made the level no better (docs/decisions.md).

    Parameters
    ----------
    images : SliceImages
        Those of a network with three outputs.
    settings : MapSettings
    job : JobContext
        Polled at every slice.
    rule : CorridorRule
    """
    # In single precision on any device: where the corridor lies shall not depend on that.
    scorer = slice_scorer(
        images.model, replace(settings, stride=rule.stride), images.device, torch.float32
    )
    if not compares_with_marrow(images.model):
        return CoarseLook(_Planes.take(images, scorer, job, rule).course, None)
    planes = _Planes.take(images, scorer, job, replace(rule, looks=(1, *rule.looks)))
    marrow = planes.marrow(images.series)
    for _ in range(SHARPENINGS if marrow is not None else 0):
        planes = _Planes.take(images.over(marrow), scorer, job, rule)
        marrow = planes.marrow(images.series) or marrow
    return CoarseLook(planes.course, marrow)


@dataclass(frozen=True, eq=False)
class _Planes:
    """Probabilities ``(slice, output, row, column)`` at points of some slices."""

    slices: IndexArray
    rows: IndexArray
    columns: IndexArray
    probabilities: FloatArray
    course: SpineCourse | None

    @classmethod
    def take(
        cls, images: SliceImages, scorer: SliceScorer, job: JobContext, rule: CorridorRule
    ) -> _Planes:
        """Of few slices, and of more until enough of the spine is seen."""
        count, height, width = working_shape(images.series.shape, images.series.affine)
        rows, columns = lattice(height, rule.stride), lattice(width, rule.stride)
        slices: list[int] = []
        planes: list[FloatArray] = []
        course = None
        for look in looks_at(count, rule):
            for index in look:
                job.raise_if_cancelled()
                image = images.look_at(int(index))
                with torch.autocast(images.device.type, enabled=False):
                    planes.append(scorer(image, rows, columns, job))
                slices.append(int(index))
            course = trace_course(_bone(np.stack(planes)), rows, columns, rule)
            if course is not None and course.seen_share >= rule.seen_share:
                break
        if course is not None and course.seen_share * height < rule.least_mm:
            course = None
        return cls(np.array(slices), rows, columns, np.stack(planes), course)

    def marrow(self, series: SagittalSeries) -> MarrowLevel | None:
        """Its level where the network sees bone along the course."""
        if self.course is None:
            return None
        is_marrow = _bone(self.probabilities) > CERTAIN_BONE
        aside = np.abs(self.columns - self.course.at(self.rows)[:, None])
        is_marrow &= aside <= MARROW_REACH_MM
        low, high = series.value_range
        _, row_mm, column_mm = series.spacing_mm
        image = resample_image(
            np.clip(series.voxels[self.slices], low, high), (row_mm, column_mm), 1.0
        )
        at = np.ix_(
            np.arange(len(self.slices)),
            np.minimum(self.rows, image.shape[1] - 1),
            np.minimum(self.columns, image.shape[2] - 1),
        )
        rows_mm = self.rows[np.nonzero(is_marrow)[1]].astype(np.float64)
        height_mm = row_mm * series.shape[1]
        return MarrowLevel.measure(image[at][is_marrow], rows_mm, height_mm, LEAST_POINTS)


def _bone(probabilities: FloatArray) -> FloatArray:
    """``(slice, row, column)`` of ``(slice, output, row, column)``."""
    return bone_likelihood(probabilities[:, LESION], probabilities[:, VERTEBRA])


def lattice(size: int, stride: int) -> IndexArray:
    """Every so-many-th pixel, as far from the first border as from the last, about.

    Parameters
    ----------
    size, stride : int
        In pixels.
    """
    count = max(1, size // stride)
    return (size - 1 - stride * (count - 1)) // 2 + stride * np.arange(count)
