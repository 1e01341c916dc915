"""Whether a graphics card does all that the program asks of one: at most eight minutes.

Run: ``make gpu-check``, or ``python benchmarks/gpu_check.py [--device cuda] [--write]``. Detection
in float16 beside float32 and beside the processor, an epoch of training, a training that is
cancelled and goes on, and one that runs out of memory. Each is a claim that holds or does not; the
exit status says whether all did. ``--write`` puts the table, with the name of the device and the
date, into ``docs/benchmarks.md``. On ``--device cpu`` it is a rehearsal: no claim about a card.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from napari_spinemet.detection.engines import map_series
from napari_spinemet.detection.map_settings import MapSettings
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.errors import Cancelled, OutOfMemory, SpinemetError
from napari_spinemet.imaging import LikelihoodMap
from napari_spinemet.jobs import CancelToken, Event, JobContext, Progressed
from napari_spinemet.network import load_card, load_model
from napari_spinemet.phantom import make_case
from napari_spinemet.training import TrainingConfig
from napari_spinemet.training.loop import train_network
from napari_spinemet.training.result import RunOptions
from napari_spinemet.workflows.speed import describe_device

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
FIRST, LAST = "<!-- gpu-check -->", "<!-- /gpu-check -->"
LONGEST_WAIT_S = 5.0
"""After a training is told to stop."""
CLOSE = 0.01
"""Likelihoods in float16 may differ from float32 by so much in the mean."""
SEED = 27_900


@dataclass(frozen=True)
class Check:
    """One claim.

    Attributes
    ----------
    name, outcome : str
    holds : bool
    seconds : float
    """

    name: str
    outcome: str
    holds: bool
    seconds: float


class _Checks:
    """All claims on one device."""

    def __init__(self, device: str, batches: int, samples: int) -> None:
        self._device, self._batches, self._samples = device, batches, samples
        self._model, self._card = load_model(), load_card()
        self._cases = [make_case((SEED, k)) for k in range(3)]
        self._pairs = [(case.series, case.annotation) for case in self._cases]
        self.done: list[Check] = []

    def run(self) -> None:
        for name, check in (
            ("detection in float32 beside the processor", self._detect_exactly),
            ("detection in float16 beside float32", self._detect_reduced),
            ("an epoch of training", self._train),
            ("cancelled within a batch, and gone on with", self._resume),
            ("out of memory is said in a sentence", self._run_out),
        ):
            self._try(name, check)

    def _try(self, name: str, check: Callable[[], tuple[str, bool]]) -> None:
        start_time = time.perf_counter()
        try:
            outcome, holds = check()
        except (SpinemetError, RuntimeError) as error:  # of the card's own library too
            outcome, holds = str(error), False
        self.done.append(Check(name, outcome, holds, time.perf_counter() - start_time))
        print(self.done[-1], flush=True)

    def _map(self, device: str, precision: str) -> tuple[LikelihoodMap, float]:
        series, times = self._cases[0].series, []
        for _ in range(2):  # the first one warms up
            start_time = time.perf_counter()
            result = map_series(
                series, self._model, MapSettings("auto", device=device, precision=precision)
            )
            times.append(time.perf_counter() - start_time)
        return result, times[-1]

    def _detect_exactly(self) -> tuple[str, bool]:
        here, seconds = self._map(self._device, "float32")
        there, cpu_seconds = self._map("cpu", "float32")
        worst = float(np.abs(here.values - there.values).max())
        return (
            (
                f"largest difference {worst:.1e}; {seconds:.2f} s, on the processor "
                f"{cpu_seconds:.2f} s, ratio {cpu_seconds / seconds:.1f}"
            ),
            worst < 1e-3 and here.region == there.region,
        )

    def _detect_reduced(self) -> tuple[str, bool]:
        reduced, seconds = self._map(self._device, "float16")
        single, single_seconds = self._map(self._device, "float32")
        mean = float(np.abs(reduced.values - single.values).mean())
        counts = [len(evaluate(m, self._card.operating_point).findings) for m in (reduced, single)]
        return (
            (
                f"mean difference {mean:.1e}, findings {counts[0]} and {counts[1]}; "
                f"{seconds:.2f} s and {single_seconds:.2f} s"
            ),
            mean < CLOSE and counts[0] == counts[1],
        )

    def _config(self) -> TrainingConfig:
        return TrainingConfig(
            epochs=1,
            batches_per_epoch=self._batches,
            batch_size=self._samples,
            looks=0,
            device=self._device,
            seed=SEED,
        ).starting_from(self._model)

    def _train(self) -> tuple[str, bool]:
        result = train_network(
            self._pairs[:2],
            self._config(),
            validation=self._pairs[2:],
            options=RunOptions(start=self._model),
        )
        rate = self._batches * self._samples / result.seconds
        (values,) = result.history
        return (
            (
                f"{rate:.0f} samples a second with validation, validation error "
                f"{values['validation_error']:.3f}"
            ),
            bool(np.isfinite(list(values.values())).all()),
        )

    def _resume(self) -> tuple[str, bool]:
        """The batches after the cut must be those that would have come."""
        with tempfile.TemporaryDirectory() as folder:
            state, token, seen = Path(folder) / "run.state", CancelToken(), [0, 0.0]

            def stop(event: Event) -> None:
                if isinstance(event, Progressed) and event.done == self._batches // 2:
                    seen[0], seen[1] = event.done, time.perf_counter()
                    token.cancel()

            options = RunOptions(start=self._model, state=state)
            try:
                train_network(
                    self._pairs[:2], self._config(), options=options, job=JobContext(stop, token)
                )
                return "was not cancelled", False
            except Cancelled:
                waited = time.perf_counter() - seen[1]
            went_on: list[int] = []

            def follow(event: Event) -> None:
                if isinstance(event, Progressed):
                    went_on.append(event.done)

            resumed = train_network(
                self._pairs[:2],
                self._config(),
                options=replace(options, resume=True),
                job=JobContext.of(follow, None),
            )
        whole = train_network(
            self._pairs[:2], self._config(), options=RunOptions(start=self._model)
        )
        losses = [r.history[0]["loss"] for r in (resumed, whole)]
        gap = abs(losses[0] - losses[1])
        return (
            (
                f"stopped {waited:.2f} s after it was asked, went on at batch {went_on[0]} after "
                f"{seen[0]:.0f}; mean loss {losses[0]:.5f}, of a run "
                f"without a cut {losses[1]:.5f}"
            ),
            gap < 1e-2 * losses[1] and went_on[0] >= seen[0] and waited < LONGEST_WAIT_S,
        )

    def _run_out(self) -> tuple[str, bool]:
        """Most of the card is taken; then a batch is asked for that does not fit."""
        if not self._device.startswith("cuda"):
            return "not tried: this is no graphics card", True
        free, _ = torch.cuda.mem_get_info()
        taken = torch.empty(int(free * 0.97) // 4, device=self._device)
        try:
            train_network(
                self._pairs[:2],
                replace(self._config(), batch_size=65_536),
                options=RunOptions(start=self._model),
            )
        except OutOfMemory as error:
            sentence = str(error)
        else:
            return "it did not run out", False
        finally:
            del taken
            torch.cuda.empty_cache()
        # And goes on working.
        _, seconds = self._map(self._device, "float32")
        return f"'{sentence}' Detection afterwards: {seconds:.2f} s", True


def _table(device: str, checks: list[Check]) -> str:
    rows = [
        f"| {c.name} | {'holds' if c.holds else '**fails**'} | {c.outcome} | {c.seconds:.0f} s |"
        for c in checks
    ]
    return "\n".join(
        [
            f"{describe_device(device)}, {datetime.date.today().isoformat()}:",
            "",
            "| claim | | measured | took |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def main() -> None:
    """Check, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("There is no graphics card that torch can use here; nothing was checked.")
    checks = _Checks(options.device, options.batches, options.samples)
    checks.run()
    table = _table(options.device, checks.done)
    print(table)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        head, rest = page.split(FIRST)
        _, tail = rest.split(LAST)
        PAGE.write_text(f"{head}{FIRST}\n{table}\n{LAST}{tail}", encoding="utf-8")
    raise SystemExit(not all(check.holds for check in checks.done))


if __name__ == "__main__":
    main()
