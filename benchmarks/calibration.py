"""Phantoms beside real scans, measured alike: ratios of tissues, noise, shading.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/calibration.py [--pictures DIR] [--cases N]``. The
real scans are those whose vertebrae are contoured or masked, a column each; the phantoms are
normal cases with lumbar fields: of the third generator in the contrast of each real scan and as
bright as they come, and of the second one. All intensities are shares of the fluid in the canal.
Trial scans are measured here; nothing is set by them.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_spinemet.errors import SpinemetError
from napari_spinemet.experiments.scanners.real_scans import REAL_SCANS
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.vertebra_levels import order_vertebrae
from napari_spinemet.phantom import make_case
from napari_spinemet.phantom.implants.body_frame import (
    find_body_frame,
    measure_fluid,
    measure_marrow,
)

CONTOURS = Path(__file__).resolve().parents[1] / "tests" / "real" / "lspine_vertebrae.zip"
SEED, CASES = 71001, 24
ROWS = {
    "marrow": "marrow",
    "spread": "marrow, deviation between bodies of a patient / mean",
    "patches": "marrow, coarse unevenness in a body (3 mm) / mean",
    "noise": "fine grain in marrow (below 1.5 mm)",
    "grain": "fine grain, correlation 1 mm apart",
    "disc": "discs, mean",
    "discs": "discs, deviation within a patient",
    "muscle": "behind the spine, beside the midline (muscle)",
    "front": "in front of the bodies, median",
    "bright": "in front of the bodies, 95th percentile",
    "shade": "fluid, faintest level / brightest",
}


def measure(series: SagittalSeries, annotation: Annotation) -> dict[str, float]:
    """Every row of the table for one series with contoured vertebrae."""
    spacing = series.spacing_mm
    _, row_mm, column_mm = spacing
    voxels = np.maximum(series.voxels, 0)
    smooth = ndimage.gaussian_filter(voxels, (0, 1.5 / row_mm, 1.5 / column_mm))
    coarse = ndimage.gaussian_filter(voxels, (0, 3 / row_mm, 3 / column_mm))
    # Bodies at the edge of what is imaged tell little of their surroundings.
    rows = np.flatnonzero((voxels > 0).any(axis=(0, 2)))
    edge = 20 / row_mm
    order = [
        k
        for k in order_vertebrae(annotation.vertebrae)
        if rows[0] + edge < np.argwhere(annotation.vertebrae == k)[:, 1].mean() < rows[-1] - edge
    ]
    order = [k for k in order if annotation.levels.get(k, "L")[0] != "S"]
    frames = [find_body_frame(annotation.vertebrae, k, spacing) for k in order]
    fluids = np.array([measure_fluid(series, frame) for frame in frames])
    fluid = float(np.median(fluids))
    marrow = np.array([measure_marrow(series, annotation, frame) for frame in frames])
    patches, noise, grain, muscle, front = [], [], [], [], []
    for frame in frames:
        inner = frame.inner_mask
        middle = np.median(voxels[inner])
        patches.append(coarse[inner].std() / middle)
        fine = voxels - smooth
        noise.append(1.4826 * np.median(np.abs(fine[inner])))
        grain.append(np.interp(1, row_mm * np.arange(4), _correlations(fine, inner)))
        slices = np.flatnonzero(frame.mask.any(axis=(1, 2)))
        level = np.abs(frame.axial_position) < 1
        rear = level & (frame.behind_wall_mm > 28) & (frame.behind_wall_mm < 45)
        muscle.append(np.median(voxels[[slices[0], slices[-1]]][:, rear]))
        before_wall_mm = (-1 - frame.depth_position) * frame.half_depth_mm
        anterior = level & (before_wall_mm > 3) & (before_wall_mm < 45)
        front.append(voxels[slices][:, anterior].ravel())
    discs = list(_discs(series, annotation, order, smooth))
    organs = np.concatenate(front)
    return {
        "marrow": float(marrow.mean() / fluid),
        "spread": float(marrow.std() / marrow.mean()),
        "patches": float(np.median(patches)),
        "noise": float(np.median(noise) / fluid),
        "grain": float(np.median(grain)),
        "disc": float(np.mean(discs) / fluid),
        "discs": float(np.std(discs) / fluid),
        "muscle": float(np.mean(muscle) / fluid),
        "front": float(np.median(organs) / fluid),
        "bright": float(np.percentile(organs, 95) / fluid),
        "shade": float(fluids.min() / fluids.max()),
    }


def _correlations(fine: np.ndarray, inner: np.ndarray) -> list[float]:
    """Of pixels with those 0 to 3 rows below."""
    correlations = [1.0]
    for step in (1, 2, 3):
        pairs = inner[:, :-step] & inner[:, step:]
        matrix = np.corrcoef(fine[:, :-step][pairs], fine[:, step:][pairs])
        correlations.append(float(matrix[0, 1]))
    return correlations


def _discs(
    series: SagittalSeries, annotation: Annotation, order: list[int], smooth: np.ndarray
) -> Iterator[float]:
    """The brightest of each disc: half-way between bodies, middle slices."""
    centres = [np.argwhere(annotation.vertebrae == k).mean(axis=0) for k in order]
    for upper, lower in itertools.pairwise(order):
        a, b = (np.argwhere(annotation.vertebrae == k) for k in (upper, lower))
        middle = (centres[order.index(upper)] + centres[order.index(lower)]) / 2
        slices = sorted(set(a[:, 0]) & set(b[:, 0]))
        if not slices:
            continue
        rows = slice(int(middle[1]) - 4, int(middle[1]) + 5)
        columns = slice(int(middle[2]) - 5, int(middle[2]) + 6)
        centre = slices[len(slices) // 2]
        yield float(np.percentile(smooth[centre, rows, columns], 90))


KINDS: dict[str, dict[str, Any]] = {
    "stir": {"contrasts": ("stir",)},
    "water": {"contrasts": ("water",)},
    "t2": {"contrasts": ("t2",)},
    "agnostic": {"variety": "agnostic"},
    "second generator": {"generator": 2},
    "second, training": {"generator": 2, "variety": "training"},
}
"""Phantoms, and how they are made."""
KIND_OF_REAL = {"lspine": "stir", "tirm": "stir", "water": "water", "t2": "t2"}
"""By how the name of a real scan begins: the phantoms that it is compared with."""


def phantoms(kind: str) -> Iterator[tuple[SagittalSeries, Annotation]]:
    """Normal cases with lumbar fields, without end."""
    for number in itertools.count():
        case = make_case((SEED, number), has_lesions=False, **KINDS[kind])
        if case.region == "lumbar":
            yield case.series, case.annotation


def draw(real: SagittalSeries, folder: Path) -> None:
    """The real series in the first row, phantoms below, each in the grey scale of its fluid."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [("real", real)]
    for kind in ("stir", "agnostic"):
        rows += [(kind, series) for series, _ in itertools.islice(phantoms(kind), 2)]
    figure, axes = pyplot.subplots(len(rows), 5, figsize=(20, 4 * len(rows)))
    for line, (name, series) in zip(axes, rows, strict=True):
        count, height, width = series.shape
        _, row_mm, column_mm = series.spacing_mm
        top = np.percentile(series.voxels[count // 2], 99.5)
        indices = np.linspace(0.15, 0.85, 5) * (count - 1)
        for axis, index in zip(line, np.rint(indices).astype(int), strict=True):
            extent = (0, width * column_mm, height * row_mm, 0)
            axis.imshow(series.voxels[index], cmap="gray", vmin=0, vmax=top, extent=extent)
            axis.set_title(f"{name}, slice {index + 1}")
            axis.axis("off")
    folder.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(folder / "calibration.png", dpi=70)


def measure_phantoms(kind: str, cases: int) -> list[dict[str, float]]:
    """Of so many that can be measured: those with bodies and fluid in sight."""
    figures: list[dict[str, float]] = []
    for series, annotation in phantoms(kind):
        with contextlib.suppress(SpinemetError, ValueError, IndexError):
            figures.append(measure(series, annotation))
        if len(figures) == cases:
            return figures
    raise AssertionError


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="Folder for a picture of each to look at.")
    parser.add_argument("--cases", type=int, default=CASES)
    options = parser.parse_args()
    data = Path(os.environ["SPINEMET_REAL_DATA"])
    real = {}
    for scan in REAL_SCANS:
        series, annotation = scan.read(data, CONTOURS)
        if annotation.vertebrae.any():
            real[scan.name] = measure(series, annotation)
            if options.pictures and scan.needs_contours:
                draw(series, options.pictures)
    columns = {kind: measure_phantoms(kind, options.cases) for kind in KINDS}
    bands = {
        kind: {key: np.percentile([c[key] for c in cases], (5, 50, 95)) for key in ROWS}
        for kind, cases in columns.items()
    }
    print("| | " + " | ".join(name.replace("_vb", " ") for name in real) + " |")
    print("|---" * (len(real) + 1) + "|")
    for key, title in ROWS.items():
        cells = []
        for name, figures in real.items():
            own = bands[KIND_OF_REAL[name.split("_")[0]]][key]
            signs = [
                sign
                for sign, band in (("*", own), ("†", bands["agnostic"][key]))
                if not band[0] <= figures[key] <= band[2]
            ]
            cells.append(f"{figures[key]:.2f}{''.join(signs)}")
        print(f"| {title} | " + " | ".join(cells) + " |")
    print("\n* outside the 5 to 95 % of phantoms of its contrast; † of agnostic ones\n")
    print(f"| {options.cases} each | " + " | ".join(bands) + " |")
    print("|---" * (len(bands) + 1) + "|")
    for key, title in ROWS.items():
        cells = [f"{b[key][1]:.2f} ({b[key][0]:.2f} to {b[key][2]:.2f})" for b in bands.values()]
        print(f"| {title} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
