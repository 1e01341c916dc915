"""Phantoms beside real scans, one slice each, to find what no scanner would give.

Run: ``[SPINEMET_REAL_DATA=...] python benchmarks/pictures.py FILE [--trial FILE]``. Twelve patients
of one seed, none chosen, in the grey scale of each picture's own 99.5th percentile; with the real
scans at hand the CC0 one comes first. ``--trial`` draws those of trial scans for the eye alone: no
picture of them goes anywhere else.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from napari_spinemet.experiments.scanners.real_scans import REAL_SCANS
from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.phantom import make_case

SEED, CASES, COLUMNS = 31_415, 12, 7


def draw(scans: Sequence[tuple[str, SagittalSeries, float]], path: Path) -> None:
    """One picture of each: name, series, and which slice as a share of the stack."""
    mpl.use("Agg")
    from matplotlib import pyplot

    rows = -(-len(scans) // COLUMNS)
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(2.3 * COLUMNS, 2.7 * rows))
    for axis in np.ravel(axes):
        axis.axis("off")
    for axis, (name, series, share) in zip(np.ravel(axes), scans, strict=False):
        plane = series.voxels[round(share * (len(series.voxels) - 1))]
        height, width = (n * mm for n, mm in zip(plane.shape, series.spacing_mm[1:], strict=True))
        top = np.percentile(plane, 99.5)
        axis.imshow(plane, cmap="gray", vmin=0, vmax=top, extent=(0, width, height, 0))
        axis.set_title(name, fontsize=7)
    figure.tight_layout(pad=0.4)
    figure.savefig(path, dpi=75)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--trial", type=Path)
    options = parser.parse_args()
    real = []
    data = os.environ.get("SPINEMET_REAL_DATA")
    for scan in REAL_SCANS if data else ():
        series, _ = scan.read(Path(str(data)), None)
        real += [(scan, f"{scan.name}, real", series, share) for share in (0.3, 0.5)]
    first = [(name, series, share) for scan, name, series, share in real if scan.needs_contours]
    phantoms = []
    for number in range(CASES):
        variety = "agnostic" if number % 4 == 3 else "evaluation"
        case = make_case((SEED, number), variety=variety)
        name = f"{variety}, {case.series.description}"
        phantoms.append((name, case.series, 0.5 if number % 2 else 0.3))
    draw([*first, *phantoms], options.file)
    if options.trial:
        draw([(name, series, share) for _, name, series, share in real], options.trial)


if __name__ == "__main__":
    main()
