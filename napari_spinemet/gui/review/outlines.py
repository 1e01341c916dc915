"""What review outlines: regions at the threshold, or these with their outlines fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from ...imaging import OperatingPoint
from ...jobs import CancelToken, EventCallback

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
    fitted()
        Fitted outlines for the operating point have come.
    """

    fitted = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._point = OperatingPoint()
        self._refine = False
        self._known: tuple[DetectionResult, OperatingPoint, DetectionResult] | None = None
        """What was fitted last: to which result, at which point, and what came of it."""

    def set_point(self, point: OperatingPoint) -> None:
        """Outline what is found at another operating point; its weight is that of the result."""
        self._point = point

    def set_refined(self, refine: bool) -> None:
        """Choose between thresholded and fitted outlines."""
        self._refine = refine
        if not refine:
            self._session.redraw.cancel(REFINE)

    @property
    def refined(self) -> DetectionResult | None:
        """The result with fitted outlines, if it is known for this operating point."""
        if not self._refine or self._known is None:
            return None
        result, point, fitted = self._known
        same = result is self._session.result and point == self._at()
        return fitted if same else None

    def _at(self) -> OperatingPoint:
        result = self._session.result
        assert result is not None
        return replace(self._point, weight=result.operating_point.weight)

    def current(self) -> DetectionResult:
        """The result at this operating point, with the outlines that are shown."""
        result = self._session.result
        assert result is not None
        return self.refined or result.at(self._at())

    def outside(self) -> int:
        """How many regions the gate drops, which are shown dimmed."""
        result, point = self._session.result, self._point
        assert result is not None
        if not point.gate or result.curve is None:
            return 0
        found = result.forest.detections(point.threshold, point.min_area_cm2)
        return sum(not result.curve.keeps(d) for d in found)

    def labels(self, index: int) -> npt.NDArray[np.int32]:
        """``(row, column)`` labels of a slice; regions that the gate drops are ``OUTSIDE``."""
        result, point = self._session.result, self._point
        assert result is not None
        curve = result.curve if point.gate else None
        labels = result.forest.labels(index, point.threshold, point.min_area_cm2, curve)
        refined = self.refined
        if refined is not None:
            labels[labels > 0] = 0
            here = (d for d in refined.detections if d.slice == index)
            for number, detection in enumerate(here, 1):
                labels[tuple(detection.pixels.T)] = number
        return labels

    def settle(self) -> None:
        """Fit the outlines, where that is wanted and not done yet; :attr:`fitted` tells."""
        session, result = self._session, self._session.result
        if not self._refine or result is None or session.series is None or self.refined:
            return
        session.redraw.cancel(REFINE)  # for an operating point that has been left
        series, point = session.series, self._at()

        def work(on_event: EventCallback, cancel: CancelToken) -> Any:
            return result.at(point).refined(series, cancel=cancel)

        def done(fitted: DetectionResult) -> None:
            self._known = (result, point, fitted)
            if self.refined is not None:
                self.fitted.emit()

        session.redraw.start(REFINE, work, done)
