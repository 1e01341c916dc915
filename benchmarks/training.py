"""Training on blocks against training on windows, for the same number of samples.

Run: ``python benchmarks/training.py`` for the throughput, and with ``--learn`` for what
both have learned after as many samples, over three seeds each. A step on blocks counts as
the samples that its blocks stand for, 128 by default, however many locations they score.
Batches are drawn before the clock starts, so neither waits for data; and memory is kept
between steps instead of given back to the system, as in every process that trains. What that
is worth is measured on the blocks first.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe_machine

from napari_spinemet.jobs.allocator import keep_freed_memory
from napari_spinemet.network import SiameseNet
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case
from napari_spinemet.training import TrainingConfig, train
from napari_spinemet.training.batches import Batches, Cases, WindowBatches
from napari_spinemet.training.blocks import BlockBatches
from napari_spinemet.training.computation import Computation
from napari_spinemet.training.sampling import LESION
from napari_spinemet.training.steps import make_optimiser, training_step

BLOCKS_METHOD, WINDOWS_METHOD = "blocks", "windows"


def phantoms(first: int, count: int) -> Cases:
    """Cases of the evaluation cohort's kind."""
    phantom_cases = (make_case(first + k, pixel_mm=(0.88, 0.94, 1.13)[k % 3]) for k in range(count))
    return [(case.series, case.annotation) for case in phantom_cases]


def source(method: str, cases: Cases, config: TrainingConfig) -> Batches:
    """Where batches of a method come from."""
    model = SiameseNet(form=config.form, outputs=config.outputs)
    if method == BLOCKS_METHOD:
        return BlockBatches(cases, model, config.batch_blocks, config.sampling)
    return WindowBatches(cases, model, np.random.default_rng(0), config.batch_size, config.sampling)


def step_seconds(batches: Batches, config: TrainingConfig, repeats: int) -> float:
    """Median time of a training step on batches that are there already."""
    torch.manual_seed(0)
    computation = Computation(torch.device("cpu"))
    model = SiameseNet(form=config.form, outputs=config.outputs)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = make_optimiser(model, config)
    rng = np.random.default_rng(0)
    ready = [batches.draw(rng, True) for _ in range(repeats + 1)]
    model.train()
    times = []
    for batch in ready:
        start_time = time.perf_counter()
        training_step(model, batch, optimiser, computation, config.clip_norm)
        times.append(time.perf_counter() - start_time)
    return statistics.median(times[1:])


def window_error(model: SiameseNet, batches: list[object]) -> float:
    """Share of sampled windows on the wrong side of 0.5."""
    errors = []
    with torch.inference_mode():
        for batch in batches:
            outcome = batch.evaluate(model, torch.device("cpu"))  # type: ignore[attr-defined]
            lesion = torch.softmax(outcome.scores, 1)[:, LESION] >= 0.5
            errors.append((lesion != (outcome.labels == LESION)).float().mean().item())
    return float(np.mean(errors))


def throughput(repeats: int) -> None:
    """Samples a second of both, and their ratio; and what keeping memory is worth."""
    cases, config = phantoms(0, 3), TrainingConfig(precision="float32")
    blocks = source(BLOCKS_METHOD, cases, config)
    without_pool = step_seconds(blocks, config, repeats)
    keep_freed_memory()
    with_pool = step_seconds(blocks, config, repeats)
    print(f"memory kept: {with_pool:.3f} s a step of blocks, given back: {without_pool:.3f} s")
    print(f"ratio: {with_pool / without_pool:.2f}", flush=True)
    seconds = {
        method: step_seconds(source(method, cases, config), config, repeats)
        for method in (WINDOWS_METHOD, BLOCKS_METHOD)
    }
    for method, each in seconds.items():
        print(f"{method}: {each:.3f} s a step, {config.batch_size / each:.0f} samples a second")
    print(f"ratio: {seconds[WINDOWS_METHOD] / seconds[BLOCKS_METHOD]:.1f}", flush=True)


def learn(methods: list[str], seeds: list[int], steps: int, cases: int) -> None:
    """Validation error of both after as many samples, on the same sampled windows."""
    training, validation = phantoms(1000, cases), phantoms(2000, max(2, cases // 2))
    config = TrainingConfig()
    windows_source = source(WINDOWS_METHOD, validation, config)
    rng = np.random.default_rng(1)
    windows = [windows_source.draw(rng, False) for _ in range(16)]
    for method in methods:
        for seed in seeds:
            settings = TrainingConfig(
                method=method, seed=seed, epochs=1, batches_per_epoch=steps, precision="float32"
            )
            result = train(training, settings)
            error = window_error(result.model, windows)  # type: ignore[arg-type]
            print(
                f"{method}, seed {seed}: validation error {error:.4f} after "
                f"{steps * settings.batch_size} samples in {result.seconds:.0f} s",
                flush=True,
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--learn", action="store_true")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=[BLOCKS_METHOD, WINDOWS_METHOD])
    arguments = parser.parse_args()
    print(describe_machine())
    if arguments.learn:
        keep_freed_memory()
        learn(arguments.methods, arguments.seeds, arguments.steps, arguments.cases)
    else:
        throughput(arguments.repeats)


if __name__ == "__main__":
    main()
