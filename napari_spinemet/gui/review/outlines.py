"""What review outlines: regions at the threshold, or these with their outlines fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from ...imaging import OperatingPoint
from ...jobs import JobContext

if TYPE_CHECKING:
    from ...detection import DetectionResult
    from ..viewer.session import Session

REFINE = "refine"


class Outlines(QObject):
    """The outlines of the open scan's detections at one operating point.

    Thresholded regions are there at once. Fitted ones (paper, section 5.2) take a moment: they
    are asked for by :meth:`settle`, once the threshold rests, and replace the others when they
    come. What is shown always belongs to the operating point that was set last.

    Signals
    -------
    fit_arrived()
        Fitted outlines for the operating point have come.
    """

    fit_arrived = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._point = OperatingPoint()
        self._is_refined = False
        self._last_fit: tuple[DetectionResult, OperatingPoint, DetectionResult] | None = None
        """Which result was fitted last, at which point, and what came of it."""

    def set_point(self, point: OperatingPoint) -> None:
        """Outline the regions of another operating point; its weight is that of the result."""
        self._point = point

    def set_refined(self, is_refined: bool) -> None:
        """Choose between thresholded and fitted outlines."""
        self._is_refined = is_refined
        if not is_refined:
            self._session.jobs.display.cancel(REFINE)

    @property
    def refined_result(self) -> DetectionResult | None:
        """The result with fitted outlines, if it is known for this operating point."""
        if not self._is_refined or self._last_fit is None:
            return None
        result, point, refined_result = self._last_fit
        is_current = result is self._session.result and point == self._point_of_result()
        return refined_result if is_current else None

    def _point_of_result(self) -> OperatingPoint:
        result = self._session.result
        assert result is not None
        # Others are computed in the background; until then the outlines are of these likelihoods.
        shown = result.operating_point
        return replace(self._point, weight=shown.weight, second_look=shown.second_look)

    def current(self) -> DetectionResult:
        """The result at this operating point, with the outlines that are shown."""
        result = self._session.result
        assert result is not None
        return self.refined_result or result.at(self._point_of_result())

    def count_outside(self) -> int:
        """How many regions the gate drops, which are shown dimmed."""
        result, point = self._session.result, self._point
        assert result is not None
        if not point.gate or result.spine is None:
            return 0
        detections = result.forest.detections(point.threshold, point.min_area_cm2)
        return sum(not result.spine.keeps(detection) for detection in detections)

    def labels(self, index: int) -> npt.NDArray[np.int32]:
        """``(row, column)`` labels of a slice; regions that the gate drops are ``OUTSIDE``."""
        result, point = self._session.result, self._point
        assert result is not None
        spine = result.spine if point.gate else None
        labels = result.forest.labels(index, point.threshold, point.min_area_cm2, spine)
        refined_result = self.refined_result
        if refined_result is not None:
            labels[labels > 0] = 0  # those outside the spine are below zero, and stay
            in_slice = (d for d in refined_result.detections if d.slice == index)
            for number, detection in enumerate(in_slice, 1):
                labels[tuple(detection.pixels.T)] = number
        return labels

    def settle(self) -> None:
        """Fit the outlines, where that is wanted and not done yet; :attr:`fit_arrived` tells."""
        session, result = self._session, self._session.result
        if not self._is_refined or result is None or session.series is None or self.refined_result:
            return
        session.jobs.display.cancel(REFINE)  # for an operating point that has been left
        series, point = session.series, self._point_of_result()

        def work(job: JobContext) -> DetectionResult:
            return result.at(point).refine(series, job=job)

        def on_refined(refined_result: DetectionResult) -> None:
            self._last_fit = (result, point, refined_result)
            if self.refined_result is not None:
                self.fit_arrived.emit()

        session.jobs.display.start(REFINE, work, on_refined)
