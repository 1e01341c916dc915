"""Signals predicted from the headers of a real study beside those in its pictures.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/physics.py``. The study is the one that may be used
freely (CC0): STIR, T1 and T2 of one healthy volunteer on one grid. Predicted is what the tabled
relaxation times give at its field, TR, TE and TI; measured are medians over the bodies of the
ratio to the fluid behind them. The volunteer's age is unknown: the fat share of the marrow is that
of the forties. The grade of the discs was chosen once, by their look in the T2 image: 2 of
Pfirrmann's, the same for all three images.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.exchange import read_annotation
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.vertebra_levels import order_vertebrae
from napari_spinemet.phantom.implants.body_frame import BodyFrame, find_body_frame
from napari_spinemet.phantom.patient.looks import DISC_GRADES
from napari_spinemet.phantom.physics.relaxation import TISSUES, Relaxation, marrow_fat_share
from napari_spinemet.phantom.physics.sequences import Protocol

CONTOURS = Path(__file__).resolve().parents[1] / "tests" / "real" / "lspine_vertebrae.zip"
AGE, GRADE, LEVEL_RANK = 45, 2, 20
PROTOCOLS = {
    "STIR SAG": Protocol("stir", 0.3, 3320, 80, 110),
    "T1 SAG": Protocol("t1", 0.3, 462, 25),
    "T2 SAG": Protocol("t2", 0.3, 3203, 110),
}
"""As the headers say."""


def predicted(protocol: Protocol) -> dict[str, float]:
    """Marrow, disc and muscle, of the fluid's signal."""
    fluid = abs(sum(protocol.mixture(TISSUES["csf"])))
    share = marrow_fat_share(AGE, LEVEL_RANK)
    water = (1 - share) * protocol.water_signal(TISSUES["marrow"])
    density, t1, t2, _ = DISC_GRADES[GRADE]
    return {
        "marrow": abs(water + share * protocol.fat_signal()) / fluid,
        "disc": abs(protocol.water_signal(Relaxation(density, t1, t2))) / fluid,
        "muscle": abs(sum(protocol.mixture(TISSUES["muscle"]))) / fluid,
    }


def measured(series: SagittalSeries, stir: SagittalSeries, truth: Annotation) -> dict[str, float]:
    """The same in the pictures; where fluid is, the STIR says."""
    order = [k for k in order_vertebrae(truth.vertebrae) if truth.levels.get(k, "L")[0] != "S"]
    frames = [find_body_frame(truth.vertebrae, k, stir.spacing_mm) for k in order]
    ratios: dict[str, list[float]] = {"marrow": [], "disc": [], "muscle": []}
    for frame, follower in zip(frames, [*frames[1:], None], strict=True):
        index, canal = _brightest_canal(stir, frame)
        fluid = float(np.median(series.voxels[index][canal]))
        ratios["marrow"].append(float(np.median(series.voxels[frame.inner_mask])) / fluid)
        slices = np.flatnonzero(frame.mask.any(axis=(1, 2)))
        rear = (np.abs(frame.axial_position) < 1) & (frame.behind_wall_mm > 28)
        rear &= frame.behind_wall_mm < 45
        sides = series.voxels[[slices[0], slices[-1]]][:, rear]
        ratios["muscle"].append(float(np.median(sides)) / fluid)
        if follower is not None:
            ratios["disc"].append(_disc_between(series, frame, follower) / fluid)
    return {name: float(np.median(values)) for name, values in ratios.items()}


def _brightest_canal(stir: SagittalSeries, frame: BodyFrame) -> tuple[int, np.ndarray]:
    """Slice and pixels of pure fluid: the brightest tenth of the canal where it is brightest."""
    canal = (np.abs(frame.axial_position) < 1) & (frame.behind_wall_mm > 2)
    canal &= frame.behind_wall_mm < 22
    slices = np.flatnonzero(frame.mask.any(axis=(1, 2)))
    levels = [np.percentile(stir.voxels[k][canal], 90) for k in slices]
    best = int(slices[int(np.argmax(levels))])
    return best, canal & (stir.voxels[best] >= max(levels))


def _disc_between(series: SagittalSeries, upper: BodyFrame, lower: BodyFrame) -> float:
    """The nucleus: the brightest tenth half-way between two bodies, in the middle slice."""
    a, b = np.argwhere(upper.mask), np.argwhere(lower.mask)
    row, column = ((a.mean(axis=0) + b.mean(axis=0)) / 2)[1:].astype(int)
    shared = sorted(set(a[:, 0]) & set(b[:, 0]))
    patch = series.voxels[shared[len(shared) // 2], row - 4 : row + 5, column - 8 : column + 9]
    return float(np.percentile(patch, 90))


def main() -> None:
    """Print the table."""
    folder = Path(os.environ["SPINEMET_REAL_DATA"]) / "lspine_stir_cc0" / "DCMDT"
    uids = {summary.description: summary.series_uid for summary in list_series(folder)}
    stir = read_series(folder, uids["STIR SAG"])
    truth = read_annotation(CONTOURS, stir)
    print("| image | tissue / fluid | predicted | measured | predicted / measured |")
    print("|---|---|---|---|---|")
    for name, protocol in PROTOCOLS.items():
        own = measured(read_series(folder, uids[name]), stir, truth)
        for tissue, value in predicted(protocol).items():
            print(
                f"| {name} | {tissue} | {value:.3f} | {own[tissue]:.3f} | "
                f"{value / own[tissue]:.2f} |"
            )


if __name__ == "__main__":
    main()
