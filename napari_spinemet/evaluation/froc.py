"""FROC at every threshold (paper, section 3.3).

A region is found if some detection's centre of gravity lies within 20 mm of its own in the
same slice; a detection near no region is a false positive. Rates are averaged over the
slices of a sequence, the sequences of a case and the cases, in that order. False positives
have two readings, which differ by the number of slices: their mean over slices, and their
sum over the slices of a scan; both are always computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..detection import ComponentForest, aggregate
from ..detection.components import min_pixels
from ..detection.gate import SpineCurve, spine_curve
from ..errors import SpinemetError
from ..imaging import Annotation, FrocCase, LikelihoodMap
from ..imaging.grids import resample_labels
from .counting import FloatArray, Marks, case_table, slice_steps
from .curve import FrocCurve, curve_of


def region_centres(
    annotation: Annotation, spacing_mm: tuple[float, float, float]
) -> list[FloatArray]:
    """Centres of the annotated regions of each slice, (row, column) in mm.

    A region is a connected component (8 neighbours) of the lesion mask on the working grid.
    """
    masks = resample_labels(annotation.lesions, (spacing_mm[1], spacing_mm[2])) > 0
    result = []
    for mask in masks:
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        centres = ndimage.center_of_mass(mask, labels, range(1, count + 1))
        result.append(np.array(centres, dtype=float).reshape(-1, 2))
    return result


def forest_marks(
    forest: ComponentForest,
    regions: Sequence[FloatArray],
    min_area_cm2: float,
    curve: SpineCurve | None = None,
) -> list[Marks]:
    """The nodes of each slice's tree that are large enough, as marks."""
    smallest = min_pixels(min_area_cm2)
    result = []
    for tree, centres in zip(forest.trees, regions, strict=True):
        chosen = tree.area >= smallest
        if curve is not None:
            chosen &= curve.holds(tree.row, tree.column)
        lower = tree.parent_level[chosen]
        result.append(
            Marks(
                centres,
                np.stack([tree.row[chosen], tree.column[chosen]], axis=1),
                tree.level[chosen],
                np.where(lower > 0, lower, np.float32(-np.inf)),
            )
        )
    return result


def froc(
    cases: Iterable[FrocCase],
    *,
    max_distance_mm: float = 20.0,
    min_area_cm2: float = 5.0,
    weight: float | None = None,
    gate: bool = False,
    connectivity: int = 8,
    one_to_one: bool = False,
) -> FrocCurve:
    """FROC of likelihood maps against annotations, exact at every threshold.

    Parameters
    ----------
    cases : iterable of FrocCase
        Read one at a time; a generator keeps memory at one case.
    max_distance_mm : float
        Largest in-plane distance of the centres of a detection and the region it finds.
    min_area_cm2 : float
        Smaller detections are dropped.
    weight : float, optional
        Aggregate plain maps with this weight first; maps are taken as they are without it.
    gate : bool
        Drop detections outside the predicted spine, where the map has a third output.
    connectivity : {8, 4}
    one_to_one : bool
        A detection finds one region at most (the most that can be matched).

    Returns
    -------
    FrocCurve
    """
    tables = []
    for case in cases:
        sequences = []
        for likelihood, annotation in case.sequences:
            regions = region_centres(annotation, likelihood.series_spacing_mm)
            if len(regions) != len(likelihood.values):
                raise SpinemetError(
                    f"The contours of {case.case_id} have {len(regions)} slices and its "
                    f"likelihood map {len(likelihood.values)}; they are of different series."
                )
            forest = ComponentForest(_prepared(likelihood, weight), connectivity)
            curve = spine_curve(likelihood) if gate else None
            marks = forest_marks(forest, regions, min_area_cm2, curve)
            sequences.append([slice_steps(m, max_distance_mm, one_to_one) for m in marks])
        tables.append(case_table(case.case_id, sequences))
    return curve_of(tables)


def _prepared(likelihood: LikelihoodMap, weight: float | None) -> LikelihoodMap:
    return likelihood if weight is None else aggregate(likelihood, weight)


def froc_from_detections(
    cases: Iterable[Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]],
    *,
    max_distance_mm: float = 20.0,
    one_to_one: bool = False,
) -> FrocCurve:
    """FROC of fixed lists of scored detections.

    Parameters
    ----------
    cases : iterable
        For each case, for each slice: region centres ``(r, 2)`` in mm, and detections
        ``(d, 3)`` as (row, column, score). A detection is present at every threshold up to
        its score.

    Returns
    -------
    FrocCurve
    """
    tables = []
    for number, slices in enumerate(cases):
        steps = []
        for regions, detections in slices:
            found = np.asarray(detections, dtype=float).reshape(-1, 3)
            marks = Marks(
                np.asarray(regions, dtype=float).reshape(-1, 2),
                found[:, :2],
                found[:, 2],
                np.full(len(found), -np.inf),
            )
            steps.append(slice_steps(marks, max_distance_mm, one_to_one))
        tables.append(case_table(f"case-{number + 1:03d}", [steps]))
    return curve_of(tables)
