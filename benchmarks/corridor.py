"""The corridor along the spine: time beside the central half, the same values, what it holds.

Run: ``[SPINEMET_REAL_DATA=...] python benchmarks/corridor.py [--cases N] [--pairs K]``. Phantoms of
both generators that nothing was chosen on, and the real scans whose vertebrae are masked. A case's
two maps are timed in turn; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from napari_spinemet.detection.engines import map_series
from napari_spinemet.detection.map_settings import MapSettings
from napari_spinemet.experiments.scanners.real_scans import REAL_SCANS
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.grids import resample_labels
from napari_spinemet.network import SiameseNet, load_model
from napari_spinemet.phantom import make_case

SEED = 90_555
CONTOURS = Path(__file__).resolve().parents[1] / "tests" / "real" / "lspine_vertebrae.zip"


def scans(cases: int) -> Iterator[tuple[str, SagittalSeries, Annotation]]:
    """Phantoms of the second and the third generator, then real scans."""
    for generator in (2, 3):
        for number in range(cases):
            case = make_case((SEED, generator, number), generator=generator)
            yield f"generator {generator}, {number + 1}", case.series, case.annotation
    real = os.environ.get("SPINEMET_REAL_DATA")
    for scan in REAL_SCANS if real else ():
        series, annotation = scan.read(Path(str(real)), CONTOURS)
        if annotation.vertebrae.any():
            yield scan.name, series, annotation


def outside(labels: np.ndarray, series: SagittalSeries, mask: np.ndarray) -> float:
    """Share of the labelled pixels that lie outside; 0 of none."""
    pixels = resample_labels(labels, series.spacing_mm[1:]) > 0
    return float((pixels & ~mask).sum() / max(1, pixels.sum()))


def seconds(series: SagittalSeries, model: SiameseNet, columns: str) -> float:
    """Of one map."""
    start = time.perf_counter()
    map_series(series, model, MapSettings(columns=columns))
    return time.perf_counter() - start


def main() -> None:
    """Print a row a scan, and the ratio over all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    model = load_model("default")
    print("| scan | evaluated | pixels, of the half's | time, of the half's | ", end="")
    print("bodies outside | lesions outside | largest difference from the whole map |")
    print("|---" * 7 + "|")
    ratios = []
    for name, series, annotation in scans(options.cases):
        times: dict[str, list[float]] = {"spine": [], "centre": []}
        for _ in range(options.pairs):
            for columns in times:
                times[columns].append(seconds(series, model, columns))
        ratio = median(times["spine"]) / median(times["centre"])
        along = map_series(series, model)
        whole = map_series(series, model, MapSettings(columns="all"))
        mask = along.region.mask
        assert along.vertebra is not None
        assert whole.vertebra is not None
        difference = max(
            float(np.abs(a - b)[:, mask].max())
            for a, b in ((along.values, whole.values), (along.vertebra, whole.vertebra))
        )
        ratios.append(ratio)
        print(
            f"| {name} | {along.region.description} | {2 * mask.mean():.2f} | {ratio:.2f} | "
            f"{outside(annotation.vertebrae, series, mask):.4f} | "
            f"{outside(annotation.lesions, series, mask):.4f} | {difference:.1e} |",
            flush=True,
        )
    print(f"\ntime: median ratio {median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
