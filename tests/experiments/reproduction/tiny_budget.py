"""A reproduction that is small enough for a test."""

from __future__ import annotations

from dataclasses import replace

from napari_spinemet.experiments.reproduction import Reproduction
from napari_spinemet.experiments.reproduction.plan import AGAIN_SUFFIX, BUDGETS, SINGLE
from napari_spinemet.workflows.worker_settings import WorkerSettings

TINY = replace(BUDGETS["smoke"], name="tiny", cases=4, patch_cases=1, weight_decays=())
"""Four cases and two folds of two batches."""
ONE_THREAD = WorkerSettings(threads=1)


def task_of(**settings: object) -> Reproduction:
    """One resolution, trained twice, of the tiny budget, which must be among the budgets."""
    defaults = {"budget": "tiny", "only_systems": (SINGLE, SINGLE + AGAIN_SUFFIX)}
    return Reproduction(**{**defaults, **settings})
