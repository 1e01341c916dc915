"""The sample study: one diseased and one normal case."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from .cohort import make_cohort

SEED = 2019
PIXEL_MM = 1.13


def make_sample_study(folder: Path) -> Path:
    """Write the sample study into a folder; what is there already is kept."""
    make_cohort(folder, cases=1, normals=1, seed=SEED, pixel_mm=PIXEL_MM)
    return folder


def sample_study() -> Path:
    """Folder of the sample study: in a checkout the one that comes with it.

    An installed package makes the same files in the user's cache on first use.
    """
    checkout = Path(__file__).parents[2] / "sample_data"
    if (checkout / "case-001" / "case.json").exists():
        return checkout
    return make_sample_study(Path(platformdirs.user_cache_dir("napari-spinemet")) / "sample_data")
