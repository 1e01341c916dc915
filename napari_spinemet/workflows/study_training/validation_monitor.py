"""FROC on the validation cases while a network learns, and at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from ...detection.engines import map_series
from ...detection.map_settings import MapSettings
from ...errors import Cancelled, SpinemetError
from ...evaluation.froc import froc_curve
from ...imaging import Annotation, FrocCase, OperatingPoint, SagittalSeries
from ...jobs import UNATTENDED, Charted, JobContext
from ...network import SiameseNet, load_card
from ...training import TrainingConfig
from ...training.steps import network_of
from ..operating_points.by_regions import WEIGHTS, choose_operating_point

NamedCase = tuple[str, SagittalSeries, Annotation]
_AREA_CM2 = 2.0
_STRIDE = 4
"""Of the curves on the way, at a third of the cost: a region of 1 cm² still has six points."""
_MARGIN = 1.5
"""Of what validation took on one case: times differ by so much on a computer in use."""
_REST = 19
"""A curve is drawn again after so many times what the last one took: a twentieth of the time."""


class ValidationMonitor:
    """FROC on the validation cases, for a twentieth of the time after the first.

    Parameters
    ----------
    cases : sequence of (str, SagittalSeries, Annotation)
        With their names.
    config : TrainingConfig
    job : JobContext
        Gets the curves, see :class:`.Charted`.
    """

    def __init__(
        self, cases: Sequence[NamedCase], config: TrainingConfig, job: JobContext = UNATTENDED
    ) -> None:
        self._cases, self._config, self._job = cases, config, job
        self._cost, self._last_end = 0.0, time.perf_counter()

    def maps(self, model: SiameseNet, stride: int = 1) -> list[FrocCase]:
        """Plain maps of all validation cases.

        Parameters
        ----------
        model : SiameseNet
            In evaluation mode.
        stride : int
            Of the maps.
        """
        settings = MapSettings(stride=stride, device=self._config.device)
        result = []
        for number, (name, series, annotation) in enumerate(self._cases, 1):
            likelihood = map_series(series, model, settings, job=self._job.without_events())
            result.append(FrocCase(name, ((likelihood, annotation),)))
            total = len(self._cases)
            self._job.progress("validate", number, total, f"validating on {name}")
        return result

    def reserve_seconds(self) -> float:
        """How long validation at the end will take, by trying it on one case."""
        # Without a lesion there is no operating point to choose, and one map is as good.
        trial_cases = sorted(self._cases, key=lambda case: not case[2].lesions.any())[:1]
        if not trial_cases:
            return 0.0
        config = self._config
        _, series, annotation = trial_cases[0]
        network = network_of(config).eval()
        job = self._job.without_events()
        start_time = time.perf_counter()
        likelihood = map_series(series, network, MapSettings(device=config.device), job=job)
        map_seconds = time.perf_counter() - start_time
        if annotation.lesions.any():
            self._choose_once(FrocCase("", ((likelihood, annotation),)), job)
        choice_seconds = len(WEIGHTS) * (time.perf_counter() - start_time - map_seconds)
        return (map_seconds + choice_seconds) * len(self._cases) * _MARGIN

    @staticmethod
    def _choose_once(case: FrocCase, job: JobContext) -> None:
        """Choose an operating point for one weight, only to see how long that takes.

        Chance is as good as any map: a new network's has more regions than a trained one's.
        """
        try:
            choose_operating_point([case], max_fp_per_scan=np.inf, weights=WEIGHTS[:1], job=job)
        except Cancelled:
            raise
        except SpinemetError:  # a lesion of less than a pixel of the working grid
            return

    def after_epoch(self, model: SiameseNet, epoch: int) -> None:
        """Draw the curve, unless that was done a moment ago.

        Parameters
        ----------
        model : SiameseNet
            In evaluation mode.
        epoch : int
            Its number, from 1.
        """
        start_time = time.perf_counter()
        is_soon = start_time - self._last_end < _REST * self._cost
        if not self._cases or self._config.form != "dense" or is_soon:
            return
        weight = load_card().operating_point.weight
        point = OperatingPoint(min_area_cm2=_AREA_CM2, weight=weight)
        curve = froc_curve(self.maps(model, _STRIDE), point)
        order = np.argsort(curve.fp_sum)
        self._job.report(
            Charted(
                "train",
                "validation FROC",
                epoch,
                tuple(curve.fp_sum[order].tolist()),
                tuple(np.maximum.accumulate(curve.tp_rate[order]).tolist()),
            )
        )
        self._last_end = time.perf_counter()
        self._cost = self._last_end - start_time
