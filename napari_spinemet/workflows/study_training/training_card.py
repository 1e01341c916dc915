"""What the card of a trained model says of its training and of its validation."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from ...training import TrainingConfig, TrainingResult
from ..operating_points.by_regions import OperatingPointChoice
from .validation_monitor import NamedCase


def training_facts(
    result: TrainingResult, config: TrainingConfig, cases: Sequence[NamedCase], command: str
) -> dict[str, Any]:
    """How the model came to be, as plain values.

    Parameters
    ----------
    result : TrainingResult
    config : TrainingConfig
    cases : sequence of (str, SagittalSeries, Annotation)
        That were learned from.
    command : str
        How to make the model again.
    """
    return {
        "date": datetime.date.today().isoformat(),
        "command": command,
        "config": config.to_dict(),
        "cases": len(cases),
        "cases_with_lesions": sum(bool(a.lesions.any()) for _, _, a in cases),
        "locations": result.samples,
        "best_epoch": result.best_epoch,
        "seconds": round(result.seconds),
    }


def validation_metrics(choice: OperatingPointChoice | None, cases: int) -> dict[str, Any]:
    """How good the model was found to be, as plain values.

    Parameters
    ----------
    choice : OperatingPointChoice or None
        None where no operating point could be chosen.
    cases : int
        Number of validation cases.
    """
    if choice is None:
        return {"note": "the operating point could not be chosen on the validation cases"}
    return {
        "measured_on": f"{cases} validation cases, on which the operating point was chosen",
        "tp_rate": choice.tp_rate,
        "fp_per_case_mean_over_slices": choice.fp_mean,
        "fp_per_scan": choice.fp_sum,
    }
