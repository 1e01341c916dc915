"""How fast a device detects and trains, in the dense form and window by window."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median

import torch

from ..detection import likelihood_map
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..jobs import CancelToken, Event, EventCallback, Finished, Progressed, Started
from ..jobs.events import ignore
from ..network import SiameseNet
from ..network.devices import choose_device
from ..phantom.case import make_case
from ..training import TrainingConfig, train

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
    where = choose_device(device)
    name = (
        torch.cuda.get_device_name(where)
        if where.type == "cuda"
        else f"{where.type}, {torch.get_num_threads()} threads"
    )
    return f"{name}, torch {torch.__version__}"


def measure_speed(
    model: SiameseNet,
    *,
    device: str = "auto",
    precision: str = "auto",
    samples: int = EPOCH,
    stride: int = 1,
    repeats: int = 3,
    config: TrainingConfig | None = None,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> list[Measurement]:
    """Time detection of a phantom case and training on phantoms, each in both ways.

    Parameters
    ----------
    model : SiameseNet
        In dense form.
    device, precision : str
        As for :func:`.likelihood_map` and :class:`.TrainingConfig`.
    samples : int
        To train on; the paper's epoch by default.
    stride : int
        Window by window, every so-many-th pixel is evaluated; 1 for the whole case.
    repeats : int
        Dense detections, after one that warms up; their median counts.
    config : TrainingConfig, optional
        Other settings of the training.
    on_event : callable, optional
    cancel : CancelToken, optional

    Returns
    -------
    list of Measurement
        Detection dense, detection by windows, training on blocks, training on windows.
    """
    if min(samples, stride, repeats) < 1:
        raise SpinemetError("Samples, stride and repeats are at least 1.")
    if model.form != "dense":
        raise SpinemetError("Only the dense form has both engines; choose a model of that form.")
    on_event(Started(TASK, 4))
    cases = [make_case((2017, k)) for k in range(3)]
    series = cases[0].series

    def detection(engine: str, step: int) -> tuple[float, int, int]:
        started = time.perf_counter()
        made = likelihood_map(
            series,
            model,
            engine=engine,
            stride=step,
            device=device,
            precision=precision,
            cancel=cancel,
        )
        seconds = time.perf_counter() - started
        slices, rows, _ = made.values.shape
        columns = made.columns[1] - made.columns[0]
        # The last row and column are evaluated in any case.
        picked = [(n - 1) // step + 1 + ((n - 1) % step > 0) for n in (rows, columns)]
        return seconds, slices * picked[0] * picked[1], slices * rows * columns

    dense = [detection("dense", 1) for _ in range(repeats + 1)][1:]
    results = [
        Measurement("detection, dense", dense[0][1], median(d[0] for d in dense), dense[0][2])
    ]
    on_event(Progressed(TASK, 1, 4, results[-1].name))
    seconds, evaluated, whole = detection("patch", stride)
    results.append(Measurement("detection, window by window", evaluated, seconds, whole))
    on_event(Progressed(TASK, 2, 4, results[-1].name))
    base = config or TrainingConfig()
    for done, method in enumerate(("blocks", "windows"), 3):
        settings = replace(
            base,
            method=method,
            device=device,
            precision=precision,
            epochs=1,
            batches_per_epoch=max(1, samples // base.batch_size),
            learning_rate=None,
        )
        results.append(_training(settings, [(c.series, c.annotation) for c in cases], cancel))
        on_event(Progressed(TASK, done, 4, results[-1].name))
    on_event(Finished(TASK, sum(m.seconds for m in results)))
    return results


def _training(
    config: TrainingConfig,
    cases: Sequence[tuple[SagittalSeries, Annotation]],
    cancel: CancelToken | None,
) -> Measurement:
    started = 0.0
    device = choose_device(config.device)
    spent = []

    def listen(event: Event) -> None:
        nonlocal started
        if isinstance(event, Started):
            started = time.perf_counter()
        elif isinstance(event, Progressed) and event.done == event.total:
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            spent.append(time.perf_counter() - started)

    train(cases, config, on_event=listen, cancel=cancel)
    amount = config.batch_size * (config.batches_per_epoch or 1)
    return Measurement(f"training on {config.method}", amount, spent[0], EPOCH)
