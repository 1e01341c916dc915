"""Reduced precision: what it changes in ten phantom cases, and whether it is fast.

Run: ``python benchmarks/precision.py``. bfloat16 may be a default only if no probability moves
by more than 0.02, the same detections are made at 0.6, and it is faster than float32.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from engines import DENSE_FLOP_PER_CASE
from machine import describe_machine, peak_flops

import napari_spinemet as spinemet
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.imaging import LikelihoodMap, OperatingPoint
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case

POINT = OperatingPoint(0.6, 5.0, 0.4)


def alike(one: LikelihoodMap, other: LikelihoodMap) -> tuple[bool, int]:
    """Whether both give the same detections, centres to 2 mm, and how many the first gives."""
    centres = [
        sorted((d.slice, *d.centre_working) for d in evaluate(plain, POINT).detections)
        for plain in (one, other)
    ]
    same = len(centres[0]) == len(centres[1]) and all(
        a[0] == b[0] and np.hypot(a[1] - b[1], a[2] - b[2]) <= 2
        for a, b in zip(*centres, strict=True)
    )
    return same, len(centres[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="bfloat16", help="bfloat16 or float16")
    arguments = parser.parse_args()
    print(describe_machine())
    model = spinemet.load_model()
    differences, same, total = [], 0, 0
    seconds: dict[str, list[float]] = {"float32": [], arguments.precision: []}
    for number in range(arguments.cases):
        series = make_case((73, number), pixel_mm=0.94).series
        maps = []
        for precision, times in seconds.items():
            start_time = time.perf_counter()
            maps.append(
                spinemet.likelihood_map(series, model, device=arguments.device, precision=precision)
            )
            times.append(time.perf_counter() - start_time)
        differences.append(float(np.abs(maps[0].values - maps[1].values).max()))
        equal, count = alike(*maps)
        same, total = same + equal, total + count
        print(f"case {number + 1}: {differences[-1]:.4f}, {equal}, {count}", flush=True)
    exact, half = (float(np.median(times)) for times in seconds.values())
    print(f"largest difference of a probability: {max(differences):.4f}")
    print(f"cases with the same detections at 0.6: {same} of {arguments.cases}, {total} in float32")
    print(
        f"float32 {exact:.2f} s, {arguments.precision} {half:.2f} s a case, "
        f"ratio {exact / half:.2f}"
    )
    if arguments.device == "cpu":
        peak = peak_flops(getattr(torch, arguments.precision))
        share = DENSE_FLOP_PER_CASE / half / peak
        print(f"{arguments.precision}: {share:.0%} of its own peak of {peak / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
