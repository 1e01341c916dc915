"""FROC at every threshold (paper, section 3.3).

A region is found if some detection's centre of gravity lies within 20 mm of its own in the
same slice; a detection near no region is a false positive. Rates are averaged over the
slices of a sequence, the sequences of a case and the cases, in that order. False positives
have two readings, which differ by the number of slices: their mean over slices, and their
sum over the slices of a scan; both are always computed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..detection.components import min_pixels
from ..detection.gate import Spine, predict_spine
from ..errors import SpinemetError
from ..imaging import Aggregation, Annotation, FrocCase, LikelihoodMap, OperatingPoint
from ..imaging.aggregation import NoAggregation, refuse_aggregated
from ..imaging.grids import resample_labels
from .case_tables import CaseTable, FloatArray, SliceDetections, case_table, count_slice
from .curve import FrocCurve, curve_of
from .fast_max_tree import Nodes, flood
from .matching import DEFAULT_DISTANCE_MM, PAPER_MATCHING, Matching


def region_centres(
    annotation: Annotation, spacing_mm: tuple[float, float, float]
) -> list[FloatArray]:
    """Centres of the annotated regions of each slice, (row, column) in mm.

    A region is a connected component (8 neighbours) of the lesion mask on the working grid.

    Parameters
    ----------
    annotation : Annotation
    spacing_mm : tuple of float
        (slice, row, column) of its grid.
    """
    masks = resample_labels(annotation.lesions, (spacing_mm[1], spacing_mm[2])) > 0
    result = []
    for mask in masks:
        if not mask.any():
            result.append(np.zeros((0, 2)))
            continue
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        centres = ndimage.center_of_mass(mask, labels, range(1, count + 1))
        result.append(np.array(centres, dtype=float).reshape(-1, 2))
    return result


@dataclass(frozen=True, eq=False)
class _Sequence:
    """What of a sequence is the same with every aggregation weight.

    Attributes
    ----------
    plain : numpy.ndarray
        ``(slice, row, column)`` of the evaluated columns; aggregated maps as they are.
    first_column : int
        Of these.
    weight : float or None
        Of a map that has been aggregated.
    regions : list of numpy.ndarray
        Centres for each slice.
    spine : Spine or None
    """

    plain: npt.NDArray[np.float32]
    first_column: int
    weight: float | None
    regions: list[FloatArray]
    spine: Spine | None

    @classmethod
    def of(
        cls, case_id: str, likelihood: LikelihoodMap, annotation: Annotation, *, second_look: bool
    ) -> _Sequence:
        regions = region_centres(annotation, likelihood.series_spacing_mm)
        if len(regions) != len(likelihood.values):
            raise SpinemetError(
                f"The contours of {case_id} have {len(regions)} slices and its "
                f"likelihood map {len(likelihood.values)}; they are of different series."
            )
        first, last = likelihood.columns
        looked = likelihood.after_second_look() if second_look else likelihood
        plain = np.ascontiguousarray(looked.values[:, :, first:last])
        return cls(plain, first, likelihood.weight, regions, predict_spine(likelihood))

    def nodes(self, aggregation: Aggregation, lowest: float, connectivity: int) -> list[Nodes]:
        """The components of each slice, in pixels of the whole working grid."""
        refuse_aggregated(self.weight, aggregation)
        slices = [flood(image, lowest, connectivity) for image in aggregation.combine(self.plain)]
        for nodes in slices:
            nodes.centres[:, 1] += self.first_column
        return slices


def _detections(
    nodes: Nodes, regions: FloatArray, min_area_cm2: float, spine: Spine | None
) -> SliceDetections:
    """The components of a slice that are large enough and within the spine."""
    large = np.flatnonzero(nodes.area >= min_pixels(min_area_cm2))
    centres = nodes.centres[large]
    if spine is not None:
        is_inside = spine.holds(*centres.T)
        large, centres = large[is_inside], centres[is_inside]
    return SliceDetections(regions, centres, nodes.levels, nodes.begin[large], nodes.end[large])


@dataclass(frozen=True)
class TreeSettings:
    """How the components of likelihood maps are built.

    Attributes
    ----------
    aggregation : Aggregation
        Of plain maps, before; maps are taken as they are without it.
    connectivity : {8, 4}
        Neighbours of a pixel.
    lowest : float
        Rates are exact at thresholds from here up; below, they stay as they are here.
    second_look : bool
        Take the likelihoods that a map's comparison leads to, where it has one.

    Raises
    ------
    SpinemetError
        If pixels have another number of neighbours.
    """

    aggregation: Aggregation = NoAggregation()  # noqa: RUF009  a frozen value without fields
    connectivity: int = 8
    lowest: float = 0.0
    second_look: bool = False

    @classmethod
    def of_point(cls, point: OperatingPoint) -> TreeSettings:
        """Those of an operating point, for all thresholds."""
        return cls(point.aggregation, second_look=point.second_look)

    def __post_init__(self) -> None:
        if self.connectivity not in (4, 8):
            raise SpinemetError(f"Pixels have 4 or 8 neighbours, not {self.connectivity}.")


class CaseForests:
    """All components of one case, from which its rates follow at any setting.

    Parameters
    ----------
    case : FrocCase
    settings : TreeSettings

    Raises
    ------
    SpinemetError
        If the contours of a sequence are not those of its map's series.
    """

    def __init__(self, case: FrocCase, settings: TreeSettings) -> None:
        self.case_id = case.case_id
        self._settings = settings
        self._sequences = [
            _Sequence.of(case.case_id, *sequence, second_look=settings.second_look)
            for sequence in case.sequences
        ]
        self._nodes = self._build_nodes(settings)

    def _build_nodes(self, settings: TreeSettings) -> list[list[Nodes]]:
        return [
            s.nodes(settings.aggregation, settings.lowest, settings.connectivity)
            for s in self._sequences
        ]

    def with_aggregation(self, aggregation: Aggregation) -> CaseForests:
        """The same case with its plain maps aggregated in another way."""
        other = copy.copy(self)
        other._settings = replace(self._settings, aggregation=aggregation)
        other._nodes = self._build_nodes(other._settings)
        return other

    def table(self, point: OperatingPoint, matching: Matching = PAPER_MATCHING) -> CaseTable:
        """Rates of the case at every threshold.

        Parameters
        ----------
        point : OperatingPoint
            Its minimum area and gate; threshold and weight have no part in it.
        matching : Matching
        """
        return case_table(
            self.case_id,
            [
                [
                    count_slice(
                        _detections(
                            nodes,
                            regions,
                            point.min_area_cm2,
                            sequence.spine if point.gate else None,
                        ),
                        matching,
                    )
                    for nodes, regions in zip(slices, sequence.regions, strict=True)
                ]
                for slices, sequence in zip(self._nodes, self._sequences, strict=True)
            ],
        )


class CohortForests:
    """All components of a cohort: the curve at other settings without reading it again.

    Parameters
    ----------
    cases : iterable of FrocCase
        Read one at a time; of the maps the evaluated columns are kept.
    settings : TreeSettings
    """

    def __init__(self, cases: Iterable[FrocCase], settings: TreeSettings) -> None:
        self.settings = settings
        self.cases = [CaseForests(case, settings) for case in cases]

    def with_aggregation(self, aggregation: Aggregation) -> CohortForests:
        """The same cohort with its plain maps aggregated in another way."""
        other = copy.copy(self)
        other.settings = replace(self.settings, aggregation=aggregation)
        other.cases = [case.with_aggregation(aggregation) for case in self.cases]
        return other

    def curve(self, point: OperatingPoint, matching: Matching = PAPER_MATCHING) -> FrocCurve:
        """The curve at other settings.

        Parameters
        ----------
        point : OperatingPoint
            Its minimum area and gate.
        matching : Matching
        """
        return curve_of([case.table(point, matching) for case in self.cases])


def froc(
    cases: Iterable[FrocCase],
    *,
    max_distance_mm: float = DEFAULT_DISTANCE_MM,
    min_area_cm2: float = 5.0,
    weight: float | None = None,
    gate: bool = False,
    connectivity: int = 8,
    one_to_one: bool = False,
    lowest: float = 0.0,
    second_look: bool = False,
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
    lowest : float
        The curve ends at this threshold.
    second_look : bool
        Take the likelihoods that a map's comparison leads to, where it has one.

    Returns
    -------
    FrocCurve

    Examples
    --------
    A lesion of 6 x 6 mm that the map finds at 0.9, and another region of 4 x 4 at 0.5:

    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> lesions = np.zeros((1, 60, 60), dtype=np.uint16)
    >>> lesions[0, 5:11, 5:11] = 1
    >>> values = np.where(lesions > 0, 0.9, 0.1).astype(np.float32)
    >>> values[0, 50:54, 50:54] = 0.5
    >>> likelihood = spinemet.LikelihoodMap(values, np.eye(4), (0, 60), (3.0, 1.0, 1.0))
    >>> annotation = spinemet.Annotation(lesions, 0 * lesions)
    >>> case = spinemet.FrocCase("one", ((likelihood, annotation),))
    >>> curve = spinemet.froc([case], min_area_cm2=0.1, lowest=0.2)
    >>> [tuple(map(float, curve.at(threshold))) for threshold in (0.9, 0.5)]
    [(1.0, 0.0, 0.0), (1.0, 1.0, 1.0)]
    """
    # No threshold has a part in a curve of all thresholds.
    point = OperatingPoint(1.0, min_area_cm2, weight, gate, second_look)
    trees = TreeSettings(point.aggregation, connectivity, lowest, second_look)
    return froc_curve(cases, point, Matching(max_distance_mm, one_to_one), trees)


def froc_curve(
    cases: Iterable[FrocCase],
    point: OperatingPoint,
    matching: Matching = PAPER_MATCHING,
    trees: TreeSettings | None = None,
) -> FrocCurve:
    """What :func:`froc` does, with its settings as values.

    Parameters
    ----------
    cases : iterable of FrocCase
        Read one at a time; a generator keeps memory at one case.
    point : OperatingPoint
        Its minimum area, aggregation and gate.
    matching : Matching
    trees : TreeSettings, optional
        By default those of the point's aggregation, 8 neighbours, all thresholds.
    """
    trees = trees or TreeSettings.of_point(point)
    return curve_of([CaseForests(case, trees).table(point, matching) for case in cases])


def froc_from_detections(
    cases: Iterable[Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]],
    *,
    max_distance_mm: float = DEFAULT_DISTANCE_MM,
    one_to_one: bool = False,
) -> FrocCurve:
    """FROC of fixed lists of scored detections.

    Parameters
    ----------
    cases : iterable
        For each case, for each slice: region centres ``(r, 2)`` in mm, and detections
        ``(d, 3)`` as (row, column, score). A detection is present at every threshold up to
        its score.
    max_distance_mm : float
        Largest distance of the centres of a detection and the region it finds.
    one_to_one : bool
        A detection finds one region at most.

    Returns
    -------
    FrocCurve

    Raises
    ------
    SpinemetError
        If a place or a score is no finite number: there is no rank for it.

    Examples
    --------
    One slice with a region, found at 0.8, and a false positive at 0.6:

    >>> import napari_spinemet as spinemet
    >>> slices = [([(10.0, 10.0)], [(12.0, 10.0, 0.8), (80.0, 90.0, 0.6)])]
    >>> curve = spinemet.froc_from_detections([slices])
    >>> [tuple(map(float, curve.at(threshold))) for threshold in (0.7, 0.6)]
    [(1.0, 0.0, 0.0), (1.0, 1.0, 1.0)]
    """
    matching = Matching(max_distance_mm, one_to_one)
    tables = []
    for number, slices in enumerate(cases):
        counts = []
        for regions, detections in slices:
            rows = np.asarray(detections, dtype=float).reshape(-1, 3)
            centres = np.asarray(regions, dtype=float).reshape(-1, 2)
            if not (np.isfinite(rows).all() and np.isfinite(centres).all()):
                raise SpinemetError(
                    f"Case {number + 1} has a detection or a region whose place or score is no "
                    "number; leave it out, or give it one."
                )
            scores = SliceDetections.from_scores(centres, rows[:, :2], rows[:, 2])
            counts.append(count_slice(scores, matching))
        tables.append(case_table(f"case-{number + 1:03d}", [counts]))
    return curve_of(tables)
