"""The sample study: one diseased and one normal case."""

from __future__ import annotations

import shutil
from pathlib import Path

import platformdirs

from .case import CALIBRATED
from .cohort import CohortSettings, write_cohort

SEED = 2025
PIXEL_MM = 1.13


def make_sample_study(folder: Path) -> Path:
    """Write the sample study into a folder; cases that it has already are kept."""
    settings = CohortSettings(1, 1, SEED, pixel_mm=PIXEL_MM, generator=CALIBRATED)
    write_cohort(folder, settings)
    return folder


def sample_study(*, writable: bool = False) -> Path:
    """Folder of the sample study: in a checkout the one that comes with it.

    An installed package makes the same files in the user's cache on first use. With
    ``writable`` the study lies there in any case, so that what is drawn, trained or added
    does not end up in the checkout.
    """
    checkout = Path(__file__).parents[2] / "sample_data"
    in_checkout = (checkout / "case-001" / "case.json").exists()
    if in_checkout and not writable:
        return checkout
    own = Path(platformdirs.user_cache_dir("napari-spinemet")) / f"sample-study-{SEED}"
    if in_checkout and not own.exists():
        # Copied beside it and renamed, so that half a study is never taken for one.
        partial = own.with_name(f".{own.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        results = shutil.ignore_patterns("likelihood", "models", "README.md")
        shutil.copytree(checkout, partial, ignore=results)
        partial.rename(own)
    return own if in_checkout else make_sample_study(own)
