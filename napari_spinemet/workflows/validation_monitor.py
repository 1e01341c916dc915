"""FROC on the validation cases while a network learns, and at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from ..detection import likelihood_map
from ..errors import Cancelled, SpinemetError
from ..evaluation import froc
from ..imaging import Annotation, FrocCase, SagittalSeries
from ..jobs import CancelToken, Charted, EventCallback, Progressed
from ..network import SiameseNet, load_card
from ..training import TrainingConfig
from ..training.steps import network_of
from .operating_point_choice import WEIGHTS, choose_operating_point

Named = tuple[str, SagittalSeries, Annotation]
_AREA_CM2 = 2.0
_STRIDE = 4
"""Of the curves on the way, at a third of the cost: a region of 1 cm² still has six points."""


_MARGIN = 1.5
"""Of what validation took on one case: times differ by so much on a computer in use."""


class ValidationMonitor:
    """FROC on the validation cases, for a twentieth of the time after the first.

    Parameters
    ----------
    cases : sequence of (str, SagittalSeries, Annotation)
        With their names.
    config : TrainingConfig
    on_event : callable
        Gets the curves, see :class:`.Charted`.
    cancel : CancelToken, optional
    """

    def __init__(
        self,
        cases: Sequence[Named],
        config: TrainingConfig,
        on_event: EventCallback,
        cancel: CancelToken | None,
    ) -> None:
        self._cases, self._config = cases, config
        self._on_event, self._cancel = on_event, cancel
        self._cost, self._last = 0.0, time.perf_counter()

    def maps(self, model: SiameseNet, stride: int = 1) -> list[FrocCase]:
        """Plain maps of all validation cases."""
        found = []
        for number, (name, series, annotation) in enumerate(self._cases, 1):
            made = likelihood_map(
                series, model, stride=stride, device=self._config.device, cancel=self._cancel
            )
            found.append(FrocCase(name, ((made, annotation),)))
            self._on_event(
                Progressed("validate", number, len(self._cases), f"validating on {name}")
            )
        return found

    def reserve(self) -> float:
        """Seconds that validation at the end will take, by trying it on one case."""
        # Without a lesion there is no operating point to choose, and one map is as good.
        tried = sorted(self._cases, key=lambda case: not case[2].lesions.any())[:1]
        if not tried:
            return 0.0
        config = self._config
        _, series, annotation = tried[0]
        network = network_of(config).eval()
        began = time.perf_counter()
        made = likelihood_map(series, network, device=config.device, cancel=self._cancel)
        mapped = time.perf_counter() - began
        if annotation.lesions.any():
            # Chance is as good as any map: a new network's has more regions than a trained one's.
            try:
                choose_operating_point(
                    [FrocCase("", ((made, annotation),))],
                    max_fp_per_scan=np.inf,
                    weights=WEIGHTS[:1],
                    cancel=self._cancel,
                )
            except Cancelled:
                raise
            except SpinemetError:  # a lesion of less than a pixel of the working grid
                pass
        chosen = len(WEIGHTS) * (time.perf_counter() - began - mapped)
        return (mapped + chosen) * len(self._cases) * _MARGIN

    def after_epoch(self, model: SiameseNet, epoch: int) -> None:
        """Draw the curve, unless that was done a moment ago."""
        now = time.perf_counter()
        if not self._cases or self._config.form != "dense" or now - self._last < 19 * self._cost:
            return
        curve = froc(
            self.maps(model, _STRIDE),
            min_area_cm2=_AREA_CM2,
            weight=load_card().operating_point.weight,
        )
        order = np.argsort(curve.fp_sum)
        self._on_event(
            Charted(
                "train",
                "validation FROC",
                epoch,
                tuple(curve.fp_sum[order].tolist()),
                tuple(np.maximum.accumulate(curve.tp_rate[order]).tolist()),
            )
        )
        self._last = time.perf_counter()
        self._cost = self._last - now
