"""What the benchmarks share: the machine in words, its peak, and medians."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch


def describe_machine() -> str:
    """Processor, threads and torch, in one line."""
    return f"{_processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    units = {"avx2", "avx512f", "avx512_bf16", "amx_tile"}
    flags = [line.partition(":")[2].split() for line in lines if line.startswith("flags")]
    found = sorted(units.intersection(flags[0])) if flags else []
    return f"{names[0] if names else platform.processor()} ({', '.join(found)})"


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """Median time of some runs after one that warms up."""
    run()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def peak_flops(dtype: torch.dtype, sizes: tuple[int, ...] = (1024, 2048, 3072)) -> float:
    """The best rate of large matrix products on the processor."""
    best = 0.0
    for size in sizes:
        a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
        for _ in range(5):
            started = time.perf_counter()
            a @ b
            best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best
