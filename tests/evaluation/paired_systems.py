"""Two systems on the same cases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from napari_spinemet.evaluation import FrocCurve, froc_from_detections

DATA = json.loads((Path(__file__).parent / "vectors" / "D1_paired_exact_extreme.json").read_text())
EXACT = DATA["results"]["linear"]


def systems() -> list[FrocCurve]:
    """Five cases, so few that all resamples can be enumerated; exact results come with them."""
    return [froc_from_detections(slices_of(name)) for name in "AB"]


def slices_of(system: str) -> list:
    """Each case's slices of regions and detections of a system, A or B."""
    return [[(s["lesions"], s[system]) for s in slices] for slices in DATA["cases"]]


def scattered(seed: int) -> list[list[tuple[list, list]]]:
    """Eight cases of two slices with a region each, found or not, and some false positives."""
    rng = np.random.default_rng(seed)
    return [
        [
            (
                [(50.0, 50.0)],
                [(50, 50, rng.random())] * int(rng.random() < 0.85)
                + [(150, 50 * k, rng.random()) for k in range(rng.integers(0, 4))],
            )
            for _ in range(2)
        ]
        for _ in range(8)
    ]
