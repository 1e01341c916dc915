"""Train on a study: cases read, split, trained, judged, and saved with a card."""

from __future__ import annotations

import datetime
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..detection import likelihood_map
from ..errors import Cancelled, SpinemetError
from ..evaluation import froc
from ..imaging import Annotation, FrocCase, SagittalSeries
from ..jobs import CancelToken, Charted, EventCallback, Progressed
from ..jobs.events import ignore
from ..network import ModelCard, SiameseNet, load_card, load_model, save_model
from ..study import Study
from ..training import TrainingConfig, TrainingResult, train
from .operating_point import OperatingPointChoice, choose_operating_point

Named = tuple[str, SagittalSeries, Annotation]
_WATCHED_AREA_CM2 = 2.0
_CHOICE_S = 3.0
"""What the choice of the operating point takes for each case."""


def train_study(
    study: str | os.PathLike[str],
    config: TrainingConfig,
    *,
    only: Sequence[str] | None = None,
    also: Sequence[str | os.PathLike[str]] = (),
    start: str | os.PathLike[str] | None = None,
    name: str = "trained",
    out: Path | None = None,
    validation: str | os.PathLike[str] | None = None,
    max_fp_per_scan: float = 1.0,
    minutes: float | None = None,
    resume: bool = False,
    command: str = "",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> tuple[Path, ModelCard]:
    """Train a model from the contoured cases of a study and keep it with its card.

    Parameters
    ----------
    study : path-like
    config : TrainingConfig
    only : sequence of str, optional
        Names of the cases to train and validate on; all contoured ones by default.
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
    minutes : float, optional
        How long all of it may take, reading and the choice of the operating point included,
        instead of the settings' number of epochs.
    resume : bool
        Go on with the run of that name that was cut short, if there is one.
    command : str
        How to make this model again, for the card.

    Returns
    -------
    path, card
        The former model of that name is replaced only by a finished one. A run that is cut
        short leaves its best weights in a folder ``unfinished`` beside it, to start from, and
        its state, to go on from.
    """
    began = time.perf_counter()
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise SpinemetError(
            f"'{name}' cannot name a model; use letters, digits, points, dashes and underscores."
        )
    here = Study(study)
    others = [Study(path) for path in also]
    cases = _read(here, on_event, cancel, only)
    cases += [case for source in others for case in _read(source, on_event, cancel)]
    if validation is not None:
        training, held_out = cases, _read(Study(validation), on_event, cancel)
    else:
        training, held_out = split_cases(cases, config.seed)
    former = None if start is None else load_model(start)
    # Before the run writes its own unfinished weights, from which it may have started.
    former_training = None if start is None else load_card(start).training
    target = _target(Path(out) if out is not None else here.models / f"{name}.safetensors")
    unfinished, state = unfinished_files(target)
    watch = _FrocWatch(held_out, config, on_event, cancel)
    seconds = None
    if minutes is not None:
        seconds = 60 * minutes - watch.reserve() - (time.perf_counter() - began)
    result = train(
        [(s, a) for _, s, a in training],
        config,
        start=former,
        validation=[(s, a) for _, s, a in held_out],
        checkpoint=unfinished,
        state=state,
        resume=resume,
        seconds=seconds,
        after_epoch=watch.after_epoch,
        on_event=on_event,
        cancel=cancel,
    )
    maps = watch.maps(result.model)
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
    for file in (unfinished, unfinished.with_suffix(".json"), state):
        file.unlink(missing_ok=True)
    with suppress(OSError):  # other runs may have left theirs
        unfinished.parent.rmdir()
    return target, card


def _target(path: Path) -> Path:
    return path if path.suffix == ".safetensors" else Path(f"{path}.safetensors")


def unfinished_files(target: Path) -> tuple[Path, Path]:
    """Best weights and state of a run that is to make a model file, while it is not finished."""
    weights = target.parent / "unfinished" / target.name
    return weights, weights.with_suffix(".state")


class _FrocWatch:
    """FROC on the validation cases while a network learns, for a tenth of the time at most."""

    def __init__(
        self,
        cases: list[Named],
        config: TrainingConfig,
        on_event: EventCallback,
        cancel: CancelToken | None,
    ) -> None:
        self._cases, self._config = cases, config
        self._on_event, self._cancel = on_event, cancel
        self._cost, self._last = 0.0, time.perf_counter()

    def maps(self, model: SiameseNet) -> list[FrocCase]:
        """Plain maps of all validation cases."""
        found = []
        for number, (name, series, annotation) in enumerate(self._cases, 1):
            made = likelihood_map(series, model, device=self._config.device, cancel=self._cancel)
            found.append(FrocCase(name, ((made, annotation),)))
            self._on_event(Progressed("validate", number, len(self._cases), name))
        return found

    def reserve(self) -> float:
        """Seconds that validation at the end will take, by trying it on one case."""
        if not self._cases:
            return 0.0
        config = self._config
        network = SiameseNet(config.resolutions, config.form, config.blocks, config.outputs).eval()
        began = time.perf_counter()
        likelihood_map(self._cases[0][1], network, device=config.device, cancel=self._cancel)
        return (time.perf_counter() - began + _CHOICE_S) * len(self._cases)

    def after_epoch(self, model: SiameseNet, epoch: int) -> None:
        """Draw the curve, unless that was done a moment ago."""
        now = time.perf_counter()
        if not self._cases or self._config.form != "dense" or now - self._last < 9 * self._cost:
            return
        maps = self.maps(model)
        point = load_card().operating_point
        curve = froc(maps, min_area_cm2=_WATCHED_AREA_CM2, weight=point.weight)
        order = np.argsort(curve.fp_sum)
        self._on_event(
            Charted(
                "train",
                "validation FROC",
                epoch,
                tuple(curve.fp_sum[order].tolist()),
                tuple(np.maximum.accumulate(curve.tp_rate[order]).tolist()),
            )
        )
        self._last = time.perf_counter()
        self._cost = self._last - now


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


def _read(
    study: Study,
    on_event: EventCallback,
    cancel: CancelToken | None,
    only: Sequence[str] | None = None,
) -> list[Named]:
    total = sum(case.contoured for case in study.cases()) if only is None else len(only)
    cases = []
    for number, (case, series, annotation) in enumerate(study.contoured(only), 1):
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
