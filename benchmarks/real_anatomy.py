"""Copies of the MIT T2 volume with lesions put in, as a study that a network learns from.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/real_anatomy.py DIR``. Its six bodies were clicked
in the fourth slice and contoured by ``propose_vertebrae``; the
outlines were looked at, and taken out where a body has left the slice (the spine is bent).
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np

from napari_spinemet.contouring.vertebra_proposal import propose_vertebrae
from napari_spinemet.experiments.scanners.real_scans import REAL_SCANS
from napari_spinemet.imaging import Annotation
from napari_spinemet.phantom import PhantomImage, implant_lesion
from napari_spinemet.phantom.implants.cohort import to_int16
from napari_spinemet.phantom.writing import write_case

SCAN = "t2_lumbar_mit"
CLICKS = ((3, 25, 164), (3, 52, 161), (3, 82, 156), (3, 113, 148), (3, 147, 142), (3, 180, 136))
"""(slice, row, column), one in each body."""
NOT_IN_SLICE = ((7, (1, 2, 3, 4, 5, 6)), (6, (4, 5, 6)), (0, (1,)))
"""Bodies that the outlines reach and the slice does not show."""
CASES, SEED, CONTRAST = 12, 26302, (0.2, 1.0)


def make_copies(root: Path, data: Path) -> None:
    """One lesion a copy, each body in turn.

    Parameters
    ----------
    root : Path
        Receives the study.
    data : Path
        Folder of the real scans.
    """
    scan = next(scan for scan in REAL_SCANS if scan.name == SCAN)
    series, _ = scan.read(data, None)
    vertebrae = propose_vertebrae(series, CLICKS)
    for plane, labels in NOT_IN_SLICE:
        vertebrae[plane][np.isin(vertebrae[plane], labels)] = 0
    annotation = Annotation(np.zeros_like(vertebrae), vertebrae, series_uid=series.series_uid)
    facts = {"cases": CASES, "seed": SEED, "contrast": list(CONTRAST), "scan": SCAN}
    root.mkdir(parents=True, exist_ok=True)
    (root / "cohort.json").write_text(json.dumps({"implants": facts}) + "\n", encoding="utf-8")
    for number in range(CASES):
        rng = np.random.default_rng((SEED, number))
        copy, contours, implant = implant_lesion(
            series,
            annotation,
            number % len(CLICKS) + 1,
            rng,
            contrast=float(rng.uniform(*CONTRAST)),
        )
        write_case(
            root / f"implant-{number + 1:03d}",
            [PhantomImage("t2", copy, to_int16(copy))],
            contours,
            {"lesions": [{"level": implant.level, "contrast": round(implant.contrast, 3)}]},
            identity=f"implant.{SCAN}.{SEED}.{number}",
            name="Implant^Spine",
        )


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    make_copies(options.folder, Path(os.environ["SPINEMET_REAL_DATA"]))


if __name__ == "__main__":
    main()
