"""The FROC curve on the screen, and what it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...evaluation.matching import PAPER_MATCHING, Matching
from ...imaging import Annotation, OperatingPoint
from ...study import Study
from ...study.map_identity import MapIdentity

if TYPE_CHECKING:
    from ...detection import DetectionResult
    from ...evaluation import FrocCurve
    from ...workflows.study_froc import CachedForests

THIS_SCAN = "this scan alone"
"""Name of a curve of the open scan."""


@dataclass(frozen=True, eq=False)
class DisplayedFroc:
    """A FROC curve and what it was made of.

    Attributes
    ----------
    curve : FrocCurve
    name : str
        Of whom, for its title.
    point : OperatingPoint
        Its minimum area, weight and gate; the threshold does not matter.
    identity : MapIdentity
        Of the maps that were judged.
    study : Study or None
        None for the open scan alone.
    forests : CachedForests or None
        What the study's curve was drawn from.
    matching : Matching
        Within which distance a detection finds a region.
    validated_point : OperatingPoint or None
        Chosen on cases that the networks were validated on.
    """

    curve: FrocCurve
    name: str
    point: OperatingPoint
    identity: MapIdentity
    study: Study | None = None
    forests: CachedForests | None = None
    matching: Matching = PAPER_MATCHING
    validated_point: OperatingPoint | None = None

    def has_settings(self, point: OperatingPoint, matching: Matching) -> bool:
        """Whether the curve is one of these settings.

        Parameters
        ----------
        point : OperatingPoint
            At whatever threshold.
        matching : Matching
        """
        return self.point.differs_in_threshold_only(point) and self.matching == matching


def draw_scan_froc(
    result: DetectionResult,
    contours: Annotation | None,
    point: OperatingPoint,
    matching: Matching = PAPER_MATCHING,
) -> DisplayedFroc | None:
    """The curve of the open scan against its own contours; None where it has no lesion.

    Parameters
    ----------
    result : DetectionResult
        Whose map is judged.
    contours : Annotation or None
    point : OperatingPoint
    matching : Matching
    """
    from ...workflows.study_froc import scan_curve

    curve = scan_curve(result.plain, contours, point, matching)
    if curve is None:
        return None
    identity = MapIdentity.parse(result.plain.model)
    return DisplayedFroc(curve, THIS_SCAN, point, identity, matching=matching)
