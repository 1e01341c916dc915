"""The vertebral bodies of a scan that nobody has contoured, outlined by what the network sees."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from ...contouring.vertebra_proposal import propose_vertebrae
from ...detection.comparison.bodies import Bodies, body_likelihood, find_bodies
from ...errors import SpinemetError
from ...imaging import Annotation, LikelihoodMap, SagittalSeries
from ...imaging.grids import resample_labels

LEAST_BODIES = 3
"""With fewer no spine was recognised that could be learned from."""
LEAST_BONE = 0.4
"""Mean likelihood of bone within an outline; less, and it is around something else."""
_HALF_MM = 6
"""The middle of a body is looked for in a square of so much to each side."""


def find_vertebrae(
    series: SagittalSeries, likelihood: LikelihoodMap, name: str = "the scan"
) -> Annotation:
    """Outline the vertebral bodies; there are no lesions in what is given.

    Bodies are told apart by the network's own outputs (:func:`.find_bodies`); their outlines
    follow the edges of the picture (:func:`.propose_vertebrae`).

    Parameters
    ----------
    series : SagittalSeries
    likelihood : LikelihoodMap
        Plain, of that series and a network with three outputs.
    name : str
        Of the scan, for messages.

    Returns
    -------
    Annotation
        On the grid of the series.

    Raises
    ------
    SpinemetError
        If fewer than three bodies are recognised.
    """
    bodies = find_bodies(likelihood)
    bone = body_likelihood(likelihood)
    labels = np.zeros(series.shape, dtype=np.uint16)
    if bodies is not None and bone is not None:
        with suppress(SpinemetError):  # it speaks of clicks, and nobody has clicked
            labels = propose_vertebrae(series, _middles(series, bodies, bone))
        on_working_grid = resample_labels(labels, series.spacing_mm[1:])
        for label in range(1, int(labels.max()) + 1):
            inside = bone[on_working_grid == label]
            if not inside.size or inside.mean() < LEAST_BONE:
                labels[labels == label] = 0
    if len(np.unique(labels)) - 1 < LEAST_BODIES:
        raise SpinemetError(
            f"Fewer than {LEAST_BODIES} vertebral bodies were recognised in {name}, so that "
            "nothing can be learned from it; contour them under Annotate, or leave it out."
        )
    return Annotation(np.zeros_like(labels), labels, series_uid=series.series_uid)


def _middles(
    series: SagittalSeries, bodies: Bodies, bone: np.ndarray
) -> list[tuple[float, float, float]]:
    """(slice, row, column) of the middle of each body, on the grid of the series."""
    result = []
    _, row_mm, column_mm = series.spacing_mm
    for first, last in bodies.borders:
        row = int(np.clip(round((first + last) / 2), 0, bone.shape[1] - 1))
        column = round(float(bodies.middle[row]))
        rows = slice(max(0, row - _HALF_MM), row + _HALF_MM + 1)
        columns = slice(max(0, column - _HALF_MM), column + _HALF_MM + 1)
        shares = bone[:, rows, columns].mean(axis=(1, 2))
        # The middle of the slices that show it: the outermost show its edge alone.
        weights = np.where(shares > 0.5 * shares.max(), shares, 0)
        middle = float(np.average(np.arange(len(shares)), weights=weights + 1e-9))
        result.append((round(middle), row / row_mm, column / column_mm))
    return [
        (float(s), min(r, series.shape[1] - 1.0), min(c, series.shape[2] - 1.0))
        for s, r, c in result
    ]
