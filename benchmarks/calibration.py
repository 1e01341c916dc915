"""The phantom beside a real series, measured alike: ratios of tissues, noise, shading.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/calibration.py [--pictures DIR]``. The real
series is the STIR one of a lumbar spine with the vertebrae contoured (``tests/real``); the
phantoms are normal cases with lumbar fields, of both varieties and every difficulty. All
intensities are shares of the fluid in the canal.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_spinemet.dicom import read_series
from napari_spinemet.exchange import read_annotation
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.vertebra_levels import order_vertebrae
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case
from napari_spinemet.phantom.implants.lesion_implant import (
    find_body_frame,
    measure_fluid,
    measure_marrow,
)

ROOT = Path(__file__).resolve().parents[1]
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


def phantoms(variety: str, **settings: str) -> Iterator[tuple[SagittalSeries, Annotation]]:
    """Normal cases with lumbar fields."""
    number = count = 0
    while count < CASES:
        case = make_case((SEED, number), has_lesions=False, variety=variety, **settings)
        number += 1
        if case.region == "lumbar":
            count += 1
            yield case.series, case.annotation


def draw(real: SagittalSeries, folder: Path) -> None:
    """The real series in the first row, phantoms below, each in the grey scale of its fluid."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [("real", real)]
    for variety in ("evaluation", "training"):
        rows += [(variety, series) for series, _ in itertools.islice(phantoms(variety), 2)]
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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="Folder for a picture of each to look at.")
    options = parser.parse_args()
    real = read_series(Path(os.environ["SPINEMET_REAL_DATA"]) / "lspine_stir_cc0" / "DCMDT")
    contours = read_annotation(ROOT / "tests" / "real" / "lspine_vertebrae.zip", real)
    if options.pictures:
        draw(real, options.pictures)
    real_figures = measure(real, contours)
    columns = {}
    for variety in ("evaluation", "training"):
        columns[variety] = [measure(*phantom) for phantom in phantoms(variety)]
    print("| | real | " + " | ".join(f"{v}: median (5 to 95 %)" for v in columns) + " |")
    print("|---|---|" + "---|" * len(columns))
    for key, title in ROWS.items():
        cells = []
        for cases in columns.values():
            low, middle, high = np.percentile([c[key] for c in cases], (5, 50, 95))
            sign = "" if low <= real_figures[key] <= high else " **outside**"
            cells.append(f"{middle:.3f} ({low:.3f} to {high:.3f}){sign}")
        print(f"| {title} | {real_figures[key]:.3f} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
