"""How fast a device detects and trains, in the dense form and window by window."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median

import torch

from ..detection.engines import map_series
from ..detection.map_settings import MapSettings
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.evaluated_region import CENTRE
from ..jobs import UNATTENDED, Event, Finished, JobContext, Progressed, Started
from ..network import SiameseNet
from ..network.devices import choose_device
from ..phantom.case import CALIBRATED, make_case
from ..training import TrainingConfig
from ..training.loop import train_network

TASK = "benchmark"
EPOCH = 85_503
"""Samples of the paper's epoch (section 3.1)."""


@dataclass(frozen=True)
class Measurement:
    """One thing that was timed.

    Attributes
    ----------
    name : str
    amount : int
        Locations evaluated or samples learned from.
    seconds : float
    whole : int
        Locations of the whole case or samples of the paper's epoch.
    """

    name: str
    amount: int
    seconds: float
    whole: int

    @property
    def rate(self) -> float:
        """Locations or samples a second."""
        return self.amount / self.seconds

    @property
    def whole_seconds(self) -> float:
        """Time of the whole case or epoch at this rate."""
        return self.whole / self.rate

    def to_dict(self) -> dict[str, str | int | float]:
        """Plain values."""
        return {**asdict(self), "rate": self.rate, "whole_seconds": self.whole_seconds}


def describe_device(device: str = "auto") -> str:
    """The device in words, with the number of threads where it is a processor."""
    torch_device = choose_device(device)
    name = (
        torch.cuda.get_device_name(torch_device)
        if torch_device.type == "cuda"
        else f"{torch_device.type}, {torch.get_num_threads()} threads"
    )
    return f"{name}, torch {torch.__version__}"


@dataclass(frozen=True)
class SpeedSettings:
    """What is timed, and how much of it.

    Attributes
    ----------
    device, precision : str
        As for :class:`.MapSettings` and :class:`.TrainingConfig`.
    samples : int
        To train on; the paper's epoch by default.
    stride : int
        Window by window, every so-many-th pixel is evaluated; 1 for the whole case.
    repeats : int
        Dense detections, after one that warms up; their median counts.

    Raises
    ------
    SpinemetError
        If one of the numbers is below 1.
    """

    device: str = "auto"
    precision: str = "auto"
    samples: int = EPOCH
    stride: int = 1
    repeats: int = 3

    def __post_init__(self) -> None:
        if min(self.samples, self.stride, self.repeats) < 1:
            raise SpinemetError("Samples, stride and repeats are at least 1.")


def measure_speed(
    model: SiameseNet,
    settings: SpeedSettings | None = None,
    *,
    config: TrainingConfig | None = None,
    job: JobContext = UNATTENDED,
) -> list[Measurement]:
    """Time detection of a phantom case and training on phantoms, each in both ways.

    Parameters
    ----------
    model : SiameseNet
        In dense form.
    settings : SpeedSettings, optional
    config : TrainingConfig, optional
        Other settings of the training.
    job : JobContext

    Returns
    -------
    list of Measurement
        Detection dense, detection by windows, training on blocks, training on windows.

    Raises
    ------
    SpinemetError
        If the model has the patch form.
    """
    settings = settings or SpeedSettings()
    if model.form != "dense":
        raise SpinemetError("Only the dense form has both engines; choose a model of that form.")
    job.report(Started(TASK, 4))
    cases = [make_case((2017, k), generator=CALIBRATED) for k in range(3)]
    series = cases[0].series
    timings = [
        _time_detection(series, model, settings, "dense", 1, job)
        for _ in range(settings.repeats + 1)
    ][1:]
    _, amount, whole = timings[0]
    seconds = median(t[0] for t in timings)
    results = [Measurement("detection, dense", amount, seconds, whole)]
    job.progress(TASK, 1, 4, results[-1].name)
    seconds, amount, whole = _time_detection(series, model, settings, "patch", settings.stride, job)
    results.append(Measurement("detection, window by window", amount, seconds, whole))
    job.progress(TASK, 2, 4, results[-1].name)
    base = config or TrainingConfig()
    for step, method in enumerate(("blocks", "windows"), 3):
        training = replace(
            base,
            method=method,
            device=settings.device,
            precision=settings.precision,
            epochs=1,
            batches_per_epoch=max(1, settings.samples // base.batch_size),
            learning_rate=None,
        )
        results.append(_time_training(training, [(c.series, c.annotation) for c in cases], job))
        job.progress(TASK, step, 4, results[-1].name)
    job.report(Finished(TASK, sum(m.seconds for m in results)))
    return results


def _time_detection(
    series: SagittalSeries,
    model: SiameseNet,
    settings: SpeedSettings,
    engine: str,
    stride: int,
    job: JobContext,
) -> tuple[float, int, int]:
    """Seconds of a map, locations that were evaluated, and locations of the whole case."""
    map_settings = MapSettings(
        engine=engine,
        stride=stride,
        columns=CENTRE,  # as many locations whatever the model sees in the scan
        device=settings.device,
        precision=settings.precision,
    )
    start_time = time.perf_counter()
    likelihood = map_series(series, model, map_settings, job=job.without_events())
    seconds = time.perf_counter() - start_time
    slices, rows, _ = likelihood.values.shape
    columns = likelihood.columns[1] - likelihood.columns[0]
    # The last row and column are evaluated in any case.
    picks = [(n - 1) // stride + 1 + ((n - 1) % stride > 0) for n in (rows, columns)]
    return seconds, slices * picks[0] * picks[1], slices * rows * columns


def _time_training(
    config: TrainingConfig,
    cases: Sequence[tuple[SagittalSeries, Annotation]],
    job: JobContext,
) -> Measurement:
    start_time = 0.0
    device = choose_device(config.device)
    timings = []

    def listen(event: Event) -> None:
        nonlocal start_time
        if isinstance(event, Started):
            start_time = time.perf_counter()
        elif isinstance(event, Progressed) and event.done == event.total:
            if device.type == "cuda":  # work there is only queued until somebody waits for it
                torch.cuda.synchronize(device)
            timings.append(time.perf_counter() - start_time)

    train_network(cases, config, job=JobContext(listen, job.cancel))
    amount = config.batch_size * (config.batches_per_epoch or 1)
    return Measurement(f"training on {config.method}", amount, timings[0], EPOCH)
