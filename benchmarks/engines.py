"""The dense engine against the window-by-window one, and both against the machine's peak.

Run: ``python benchmarks/engines.py``. Work is counted as the method defines it, whatever is
really done: 1.12 TFLOP for a case of 13 slices of 340 x 340 mm by the dense engine, 173
MFLOP for a location by the other. The peak is the best of large matrix products at the
same precision and number of threads, in the same run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe_machine, median_seconds, peak_flops

import napari_spinemet as spinemet
from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case

DENSE_FLOP_PER_CASE, FLOP_PER_LOCATION = 1.12e12, 173e6
PATCH_STRIDE = 5


def one_slice(series: SagittalSeries) -> SagittalSeries:
    """The middle slice alone."""
    middle = series.voxels.shape[0] // 2
    return SagittalSeries(series.voxels[middle : middle + 1], series.affine)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    series = make_case(0, pixel_mm=0.94).series
    model = spinemet.load_model()
    print(describe_machine())
    peak = peak_flops(torch.float32)
    print(f"peak float32: {peak / 1e9:.0f} GFLOP/s")
    dense = median_seconds(lambda: spinemet.likelihood_map(series, model), repeats)
    share = DENSE_FLOP_PER_CASE / dense / peak
    print(f"dense, one case: {dense:.2f} s, {share:.0%} of the peak")
    single = one_slice(series)
    coarse = spinemet.likelihood_map(single, model, engine="patch", stride=PATCH_STRIDE)
    rows, (first, last) = coarse.values.shape[1], coarse.columns
    # The last row and column are evaluated in any case.
    locations = len(np.unique(np.r_[0:rows:PATCH_STRIDE, rows - 1])) * len(
        np.unique(np.r_[first:last:PATCH_STRIDE, last - 1])
    )
    patch = median_seconds(
        lambda: spinemet.likelihood_map(single, model, engine="patch", stride=PATCH_STRIDE), 1
    )
    share = locations * FLOP_PER_LOCATION / patch / peak
    print(f"patch, {locations} locations: {patch:.2f} s, {share:.0%} of the peak")
    all_locations = rows * (last - first) * series.shape[0]
    print(f"ratio, one case: {patch / locations * all_locations / dense:.0f}")


if __name__ == "__main__":
    main()
