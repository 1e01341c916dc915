"""Train on a study: cases read, split, trained, judged, and saved with a card."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..detection import likelihood_map
from ..errors import Cancelled, SpinemetError
from ..imaging import Annotation, FrocCase, LikelihoodMap, SagittalSeries
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from ..network import ModelCard, load_card, load_model, save_model
from ..study import Study
from ..training import TrainingConfig, TrainingResult, train
from .operating_point import OperatingPointChoice, choose_operating_point

Named = tuple[str, SagittalSeries, Annotation]


def train_study(
    study: str | os.PathLike[str],
    config: TrainingConfig,
    *,
    also: Sequence[str | os.PathLike[str]] = (),
    start: str | os.PathLike[str] | None = None,
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
    also : sequence of path-like
        Further studies whose cases are trained on too.
    start : str or path-like, optional
        A model whose weights training goes on from.
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
        The former model of that name is replaced only by a finished one. A run that is cut
        short leaves its best weights in a folder ``unfinished`` beside it, to start from.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise SpinemetError(
            f"'{name}' cannot name a model; use letters, digits, points, dashes and underscores."
        )
    here = Study(study)
    others = [Study(path) for path in also]
    cases = [case for source in (here, *others) for case in _read(source, on_event, cancel)]
    if validation is not None:
        training, held_out = cases, _read(Study(validation), on_event, cancel)
    else:
        training, held_out = split_cases(cases, config.seed)
    former = None if start is None else load_model(start)
    # Before the run writes its own unfinished weights, from which it may have started.
    former_training = None if start is None else load_card(start).training
    target = _target(Path(out) if out is not None else here.models / f"{name}.safetensors")
    unfinished = target.parent / "unfinished" / target.name
    result = train(
        [(s, a) for _, s, a in training],
        config,
        start=former,
        validation=[(s, a) for _, s, a in held_out],
        checkpoint=unfinished,
        on_event=on_event,
        cancel=cancel,
    )
    maps = [FrocCase(n, ((_map(s, result, config, on_event, cancel), a),)) for n, s, a in held_out]
    # Where it cannot be chosen here, that of the shipped model is nearer than the paper's.
    point, metrics = load_card().operating_point, dict[str, Any]()
    choice = _choice(maps, max_fp_per_scan, cancel) if maps else None
    if choice is None:
        metrics = {"note": "the operating point could not be chosen on the validation cases"}
    else:
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
            "data": [source.origin for source in (here, *others)],
            "started_from": former_training,
            "validation_data": Study(validation).origin if validation is not None else here.origin,
        },
        metrics={"validation": metrics, "history": result.history},
    )
    card = save_model(result.model, target, card)
    for file in (unfinished, unfinished.with_suffix(".json")):
        file.unlink(missing_ok=True)
    with suppress(OSError):  # other runs may have left theirs
        unfinished.parent.rmdir()
    return target, card


def _target(path: Path) -> Path:
    return path if path.suffix == ".safetensors" else Path(f"{path}.safetensors")


def _map(
    series: SagittalSeries,
    result: TrainingResult,
    config: TrainingConfig,
    on_event: EventCallback,
    cancel: CancelToken | None,
) -> LikelihoodMap:
    return likelihood_map(
        series, result.model, device=config.device, on_event=on_event, cancel=cancel
    )


def _choice(
    maps: list[FrocCase], max_fp_per_scan: float, cancel: CancelToken | None
) -> OperatingPointChoice | None:
    """None where no setting is good enough: an hour of training is not thrown away for that."""
    try:
        return choose_operating_point(maps, max_fp_per_scan=max_fp_per_scan, cancel=cancel)
    except Cancelled:
        raise
    except SpinemetError:
        return None


def split_cases(cases: list[Named], seed: int) -> tuple[list[Named], list[Named]]:
    """Keep a quarter of the cases with lesions, at least one of two, for validation."""
    diseased = [c for c in cases if c[2].lesions.any()]
    if not diseased:
        raise SpinemetError("None of the cases has a lesion contour, so there is nothing to learn.")
    count = len(diseased) - round(0.75 * len(diseased)) if len(diseased) > 2 else len(diseased) - 1
    drawn = np.random.default_rng(seed).permutation(len(diseased))[:count]
    held_out = [diseased[k] for k in np.sort(drawn)]
    return [c for c in cases if not any(c is h for h in held_out)], held_out


def _read(study: Study, on_event: EventCallback, cancel: CancelToken | None) -> list[Named]:
    total = sum(case.contoured for case in study.cases())
    cases = []
    for number, (case, series, annotation) in enumerate(study.contoured(), 1):
        if cancel is not None:
            cancel.raise_if_cancelled()
        cases.append((case.name, series, annotation))
        on_event(Progressed("read", number, total, f"reading {case.name}"))
    return cases


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
