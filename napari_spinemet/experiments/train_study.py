"""Train on a study: cases read, split, trained, judged, and saved with a card."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..detection import likelihood_map
from ..errors import SpinemetError
from ..imaging import Annotation, FrocCase, OperatingPoint, SagittalSeries
from ..jobs import CancelToken, EventCallback
from ..jobs.events import ignore
from ..network import ModelCard, save_model
from ..study import Study
from ..training import TrainingConfig, TrainingResult, train
from .operating_point import choose_operating_point

Named = tuple[str, SagittalSeries, Annotation]


def train_study(
    study: str | os.PathLike[str],
    config: TrainingConfig,
    *,
    name: str = "trained",
    out: Path | None = None,
    validation: str | os.PathLike[str] | None = None,
    max_fp_per_scan: float = 1.0,
    command: str = "",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> tuple[Path, ModelCard]:
    """Train a model from the contoured cases of a study and keep it with its card.

    Parameters
    ----------
    study : path-like
    config : TrainingConfig
    name : str
        Name of the model; ``STUDY/models/NAME.safetensors`` unless ``out`` is given.
    validation : path-like, optional
        Another study to validate on; without it a quarter of the cases with lesions.
    max_fp_per_scan : float
        What the operating point may cost on the validation cases.
    command : str
        How to make this model again, for the card.

    Returns
    -------
    path, card
        The former model of that name is replaced only by a finished one.
    """
    here = Study(study)
    cases = _read(here)
    if validation is not None:
        training, held_out = cases, _read(Study(validation))
    else:
        training, held_out = split_cases(cases, config.seed)
    result = train(
        [(s, a) for _, s, a in training],
        config,
        validation=[(s, a) for _, s, a in held_out],
        on_event=on_event,
        cancel=cancel,
    )
    maps = [
        FrocCase(n, ((likelihood_map(s, result.model, device=config.device, cancel=cancel), a),))
        for n, s, a in held_out
    ]
    point, metrics = OperatingPoint(), {}
    if maps:
        choice = choose_operating_point(maps, max_fp_per_scan=max_fp_per_scan, cancel=cancel)
        point = choice.point
        metrics = {
            "measured_on": f"{len(maps)} validation cases, on which the operating point was chosen",
            "tp_rate": choice.tp_rate,
            "fp_per_case_mean_over_slices": choice.fp_mean,
            "fp_per_scan": choice.fp_sum,
        }
    card = ModelCard(
        name=name,
        operating_point=point,
        training={
            **_training_facts(result, config, training, command),
            "data": here.origin,
            "validation_data": Study(validation).origin if validation is not None else here.origin,
        },
        metrics={"validation": metrics, "history": result.history},
    )
    target = Path(out) if out is not None else here.models / f"{name}.safetensors"
    card = save_model(result.model, target, card)
    return target if target.suffix == ".safetensors" else Path(f"{target}.safetensors"), card


def split_cases(cases: list[Named], seed: int) -> tuple[list[Named], list[Named]]:
    """Keep a quarter of the cases with lesions, at least one of two, for validation."""
    diseased = [c for c in cases if c[2].lesions.any()]
    if not diseased:
        raise SpinemetError("None of the cases has a lesion contour, so there is nothing to learn.")
    count = len(diseased) - round(0.75 * len(diseased)) if len(diseased) > 2 else len(diseased) - 1
    drawn = np.random.default_rng(seed).permutation(len(diseased))[:count]
    names = {diseased[k][0] for k in drawn}
    return [c for c in cases if c[0] not in names], [c for c in cases if c[0] in names]


def _read(study: Study) -> list[Named]:
    return [(case.name, series, annotation) for case, series, annotation in study.contoured()]


def _training_facts(
    result: TrainingResult, config: TrainingConfig, training: list[Named], command: str
) -> dict[str, Any]:
    return {
        "date": datetime.date.today().isoformat(),
        "command": command,
        "config": config.to_dict(),
        "cases": len(training),
        "cases_with_lesions": sum(bool(a.lesions.any()) for _, _, a in training),
        "locations": result.samples,
        "best_epoch": result.best_epoch,
        "seconds": round(result.seconds),
    }
