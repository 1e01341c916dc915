"""Train on a study: cases read, split, trained, judged, and saved with a card."""

from __future__ import annotations

import datetime
import os
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Cancelled, SpinemetError
from ..imaging import FrocCase
from ..jobs import CancelToken, Event, EventCallback, Progressed
from ..jobs.events import ignore
from ..network import (
    ModelCard,
    load_card,
    load_model,
    save_model,
    scan_fingerprint,
    scans_trained_on,
)
from ..study import Study
from ..study.likelihood_maps import is_crossval
from ..study.training_state import remove_training_state, training_state_files
from ..training import TrainingConfig, TrainingResult, train
from .operating_point_choice import OperatingPointChoice, choose_operating_point
from .validation_monitor import Named, ValidationMonitor


def train_study(
    study: str | os.PathLike[str],
    config: TrainingConfig,
    *,
    only: Sequence[str] | None = None,
    weight_decays: Sequence[float] = (),
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
    weight_decays : sequence of float, optional
        One network is trained with each, and the one with the lowest validation error kept (the
        paper's lambda is half of it). By default that of ``config`` alone.
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
        short leaves its latest weights in a folder ``unfinished`` beside it, to start from, and
        its state, to go on from.
    """
    began = time.perf_counter()
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise SpinemetError(
            f"'{name}' cannot name a model; use letters, digits, points, dashes and underscores."
        )
    if is_crossval(name):
        raise SpinemetError(
            f"'{name}' is what the maps of a cross-validation are called; choose another name."
        )
    here = Study(study)
    others = [Study(path) for path in also]
    seen = here.contours_revision
    cases = _read(here, on_event, cancel, only)
    own = [name for name, _, _ in cases]
    cases += [case for source in others for case in _read(source, on_event, cancel)]
    former = None if start is None else load_model(start)
    # Before the run writes its own unfinished weights, from which it may have started.
    former_training = None if start is None else load_card(start).training
    known = scans_trained_on(former_training)
    if validation is not None:
        training, held_out = cases, _read(Study(validation), on_event, cancel)
        _refuse_overlap(training, held_out)
    else:
        training, held_out = split_cases(cases, config.seed, known)
    tried = tuple(weight_decays) or (config.weight_decay,)
    if len(tried) > 1 and not any(a.lesions.any() for _, _, a in held_out):
        raise SpinemetError(
            "There is no case left to choose lambda on; contour a second case with lesions, or "
            "give one lambda."
        )
    target = _target(Path(out) if out is not None else here.models / f"{name}.safetensors")
    watch = ValidationMonitor(held_out, config, on_event, cancel)
    reserve = watch.reserve() if minutes is not None else 0.0
    results: list[tuple[TrainingConfig, TrainingResult]] = []
    each = None
    if minutes is not None:
        each = (60 * minutes - reserve - (time.perf_counter() - began)) / len(tried)
    for number, decay in enumerate(tried):
        settings = replace(config, weight_decay=decay)
        unfinished, state = training_state_files(target, f"{decay:g}" if len(tried) > 1 else "")
        result = train(
            [(s, a) for _, s, a in training],
            settings,
            start=former,
            validation=[(s, a) for _, s, a in held_out],
            checkpoint=unfinished,
            state=state,
            resume=resume,
            seconds=each,
            after_epoch=watch.after_epoch,
            on_event=_of_grid(on_event, number, tried),
            cancel=cancel,
        )
        results.append((settings, result))
    config, result = min(results, key=lambda made: made[1].score)
    maps = watch.maps(result.model)
    # Where it cannot be chosen here, that of the shipped model is nearer than the paper's.
    point, metrics = load_card().operating_point, dict[str, Any]()
    found = any(a.lesions.any() for _, _, a in held_out)
    choice = _choice(maps, max_fp_per_scan, cancel) if found else None
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
    notes = _notes(training, held_out, known)
    if here.contours_revision != seen:
        notes += _changed(here, own, cases)
    card = ModelCard(
        name=name,
        operating_point=point,
        training={
            **_training_facts(result, config, training, command),
            "data": [source.origin for source in (here, *others)],
            "started_from": former_training,
            "validation_data": Study(validation).origin if validation is not None else here.origin,
            "seen": {
                "training": sorted(known | {scan_fingerprint(series) for _, series, _ in training}),
                "validation": [scan_fingerprint(series) for _, series, _ in held_out],
            },
            "notes": notes,
        },
        metrics={
            "validation": metrics,
            "history": result.history,
            "weight_decays": [
                {"weight_decay": settings.weight_decay, "validation_error": made.error}
                for settings, made in results
            ],
        },
    )
    card = save_model(result.model, target, card)
    remove_training_state(target)
    return target, card


def _target(path: Path) -> Path:
    return path if path.suffix == ".safetensors" else Path(f"{path}.safetensors")


def _of_grid(on_event: EventCallback, number: int, tried: tuple[float, ...]) -> EventCallback:
    """Count the steps of all networks of a grid together."""
    if len(tried) == 1:
        return on_event
    mark = f"lambda {tried[number] / 2:g}, {number + 1} of {len(tried)}: "

    def tell(event: Event) -> None:
        if isinstance(event, Progressed):
            event = replace(
                event,
                done=number * event.total + event.done,
                total=len(tried) * event.total,
                message=mark + event.message,
            )
        on_event(event)

    return tell


def _on_both_sides(training: list[Named], held_out: list[Named]) -> list[str]:
    """Cases held back whose scan is learned from as well."""
    learned = {scan_fingerprint(series) for _, series, _ in training}
    return [name for name, series, _ in held_out if scan_fingerprint(series) in learned]


def _refuse_overlap(training: list[Named], held_out: list[Named]) -> None:
    """What is learned from must not say how good the model is."""
    both = _on_both_sides(training, held_out)
    if both:
        raise SpinemetError(
            f"{_listed(both)} of the validation study {'is' if len(both) == 1 else 'are'} also "
            "among the scans to train on; take them out of one of the two."
        )


def _notes(training: list[Named], held_out: list[Named], known: frozenset[str]) -> list[str]:
    """What a reader of the card should know, a sentence each."""
    notes = []
    bare = [name for name, _, a in training if not a.vertebrae.any()]
    if bare and len(bare) < len(training):
        notes.append(
            f"No vertebra is contoured in {_listed(bare)}, so its normal bone was taken for "
            "background."
        )
    if not held_out:
        notes.append(
            "The only case with lesions was trained on, so there was none to choose the "
            "operating point on."
        )
    elif not any(a.lesions.any() for _, _, a in held_out):
        notes.append(
            "None of the validation cases has a lesion, so the "
            "operating point is that of the shipped model."
        )
    told = [name for name, series, _ in held_out if scan_fingerprint(series) in known]
    if told:
        notes.append(
            f"The model that it started from had learned from {_listed(told)}, so what is measured "
            "on them is better than what can be expected."
        )
    both = _on_both_sides(training, held_out)
    if both:
        notes.append(
            f"The same scan as that of {_listed(both)}, which was held back, was also trained on, "
            "so what is measured on it is better than what can be expected."
        )
    return notes


def _changed(here: Study, own: list[str], cases: list[Named]) -> list[str]:
    """Whose contours are no longer those that were learned from."""
    others = []
    for (name, series, annotation), known in zip(cases, own, strict=False):
        assert name == known  # the study's own cases come first
        try:
            now = here.case(name).annotation(series)
        except SpinemetError:
            others.append(name)
            continue
        if not (
            np.array_equal(now.lesions, annotation.lesions)
            and np.array_equal(now.vertebrae, annotation.vertebrae)
        ):
            others.append(name)
    if not others:
        return []
    told = (
        f"The contours of {_listed(others)} were changed while it trained; the model knows them "
        "as they were at the start."
    )
    return [told]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


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


def split_cases(
    cases: list[Named], seed: int, known: frozenset[str] = frozenset()
) -> tuple[list[Named], list[Named]]:
    """Keep a quarter of the cases with lesions, at least one of two, for validation.

    Those whose scans are ``known`` (:func:`.scan_fingerprint`) are kept only where there are no others.
    """
    diseased = [c for c in cases if c[2].lesions.any()]
    if not diseased:
        raise SpinemetError("None of the cases has a lesion contour, so there is nothing to learn.")
    count = len(diseased) - round(0.75 * len(diseased)) if len(diseased) > 2 else len(diseased) - 1
    order = np.random.default_rng(seed).permutation(len(diseased))
    drawn = sorted(order, key=lambda k: scan_fingerprint(diseased[k][1]) in known)[:count]
    held_out = [diseased[k] for k in np.sort(drawn)]
    return [c for c in cases if not any(c is h for h in held_out)], held_out


def _read(
    study: Study,
    on_event: EventCallback,
    cancel: CancelToken | None,
    only: Sequence[str] | None = None,
) -> list[Named]:
    total = sum(case.has_contours for case in study.cases()) if only is None else len(only)
    cases = []
    for number, (case, series, annotation) in enumerate(study.contoured_cases(only), 1):
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
