"""Adapt a network to scans of one's own scanner that are held to be free of lesions.

What is normal there is learned from the scans as they are, lesions from implants in copies of them,
and phantoms are learned from along with both, so that nothing is forgotten. Each scan is judged by
a network that has learned from others: what stands out then is named, and not learned as normal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...counts import count_of
from ...detection.comparison.appearance import measure_appearance
from ...detection.comparison.familiarity import FamiliarityModel
from ...detection.comparison.second_look import measure_scan
from ...detection.engines import map_series
from ...errors import SpinemetError
from ...evaluation.lesion_scores import Truth
from ...imaging import LikelihoodMap, OperatingPoint, SagittalSeries
from ...jobs import UNATTENDED, CancelToken, EventCallback, JobContext
from ...network import SiameseNet, load_card
from ...phantom.lesion import describe_lesions
from ...training import TrainingConfig, TrainingResult
from ...training.loop import train_network
from ...training.result import RunOptions
from ..operating_points.by_findings import (
    THRESHOLDS,
    TrialCounts,
    TrialScan,
    best_outcome,
    count_trials,
    point_of,
)
from .found_vertebrae import find_vertebrae
from .judging import COPIES, OWN, PHANTOMS, Trial, map_trials, score
from .mimics import mimics_of, with_mimics
from .own_scan import OwnScan, TrainingCase
from .plan import AdaptationPlan
from .replay import training_phantoms, trial_phantoms
from .result import Adaptation, AdaptedResult, StandsOut
from .unknown_marks import find_unknown_marks, leave_out

PARTS = 2
"""The scans are parted into so many; each part is judged by a network that learned from others."""
DOUBTFUL, DOUBTFUL_CM2 = 0.5, 0.5
"""From so likely and so large on, what is marked in a scan stands out where there are no others to
choose an operating point on."""
SMALLEST_NAMED_CM2 = 1.0
"""So large marks are named whatever least area is chosen: a large one hides small lesions."""
AREAS_TRIED_CM2 = (0.5, 1.0, 2.0)
"""With two dozen scans finer steps tell nothing apart."""
_PREPARATION_S, _WITH_MIMICS_S = 0.8, 1.0
"""That a case takes before a training, about, and more if what was rejected is put into it."""
_MARGIN = 1.2
"""Of what judging took before: times differ by so much on a computer in use."""
_LEAST_S = 20.0
"""A training of less teaches nothing."""


def adapt_network(
    scans: Sequence[OwnScan],
    model: SiameseNet,
    point: OperatingPoint,
    plan: AdaptationPlan | None = None,
    *,
    states: Path | None = None,
    resume: bool = False,
    spent_s: float = 0.0,
    job: JobContext = UNATTENDED,
) -> Adaptation:
    """Learn what is normal on these scans.

    Parameters
    ----------
    scans : sequence of OwnScan
        What a person has rejected in one of them is normal, and does not stand out.
    model : SiameseNet
        To start from; it stays as it is.
    point : OperatingPoint
        Its own.
    plan : AdaptationPlan, optional
    states : Path, optional
        Folder where each training is kept, to go on from.
    resume : bool
        Go on from there; what is kept of another adaptation is removed otherwise.
    spent_s : float
        Seconds of the plan's minutes that reading the scans took.
    job : JobContext
        Polled at every batch and slice.

    Raises
    ------
    SpinemetError
        If there is no scan, or the network is of another kind than can be adapted.
    """
    if model.form != "dense" or model.outputs != 3:
        raise SpinemetError(
            "Only a model in dense form that tells vertebrae can be adapted, since it finds the "
            "bodies to learn from; choose another under Starts from."
        )
    if not scans:
        raise SpinemetError("There is no scan to adapt to; choose one at least.")
    plan = plan or AdaptationPlan()
    if states is not None and not resume:
        for state in states.glob("*.state"):  # the maps are by content, and hold
            state.unlink()
    return _Adapter(scans, model, point, plan, states, resume, spent_s, job).adapt()


def adapt(
    cases: Sequence[SagittalSeries | TrainingCase],
    model: SiameseNet,
    *,
    point: OperatingPoint | None = None,
    plan: AdaptationPlan | None = None,
    on_event: EventCallback | None = None,
    cancel: CancelToken | None = None,
) -> AdaptedResult:
    """Adapt a network to scans of one's own scanner that are held to be free of lesions.

    Parameters
    ----------
    cases : sequence of SagittalSeries, or of (SagittalSeries, Annotation)
        Where vertebrae are contoured these are taken; else the network finds them. Contoured
        lesions are lesions.
    model : SiameseNet
        To start from; it stays as it is.
    point : OperatingPoint, optional
        Its own; that of the shipped model by default.
    plan : AdaptationPlan, optional
    on_event : callable, optional
        Receives :mod:`~napari_spinemet.jobs` events.
    cancel : CancelToken, optional
        Polled at every batch and slice.

    Returns
    -------
    AdaptedResult
        A :class:`.TrainingResult` with the operating point, what was measured before and after, and
        what stands out.

    Raises
    ------
    SpinemetError
        If no spine is recognised in one of the scans, or the network cannot be adapted.
    """
    job = JobContext.of(on_event, cancel)
    scans = []
    for number, case in enumerate(cases, 1):
        series, annotation = case if isinstance(case, tuple) else (case, None)
        name = f"scan {number}"
        if annotation is None or not annotation.vertebrae.any():
            found_annotation = find_vertebrae(
                series, map_series(series, model, job=job.without_events()), name
            )
            annotation = (
                found_annotation
                if annotation is None
                else replace(annotation, vertebrae=found_annotation.vertebrae)
            )
        scans.append(OwnScan(name, series, annotation))
    adaptation = adapt_network(scans, model, point or load_card().operating_point, plan, job=job)
    return AdaptedResult(**vars(adaptation.training), adaptation=adaptation)


class _Adapter:
    """One call of :func:`adapt_network`."""

    def __init__(
        self,
        scans: Sequence[OwnScan],
        model: SiameseNet,
        point: OperatingPoint,
        plan: AdaptationPlan,
        states: Path | None,
        resume: bool,
        spent_s: float,
        job: JobContext,
    ) -> None:
        self._scans, self._model, self._point, self._plan = scans, model, point, plan
        self._states, self._resume, self._job = states, resume, job
        self._start_time = time.perf_counter() - spent_s
        self._training_seconds: float | None = None
        self._phantoms = [
            (p.series, p.annotation) for p in training_phantoms(plan.replay, plan.seed, job=job)
        ]
        self._own = _own_trials(scans, plan, job)
        self._others = [
            Trial(
                PHANTOMS,
                f"phantom {number}",
                p.series,
                Truth(p.annotation, describe_lesions(p.lesions)),
            )
            for number, p in enumerate(trial_phantoms(plan.trial_replay, plan.seed, job=job), 1)
        ]

    def adapt(self) -> Adaptation:
        maps_before = self._map_before()
        held_out = self._judge_left_out()
        # What one scan alone shows is judged by the network as it was.
        counts_before = self._count(self._own + self._others, maps_before)
        if held_out is None:
            stands_out = self._find_what_stands_out(maps_before[: len(self._own)], None)
        else:
            own_counts = self._count(self._own, held_out)
            stands_out = self._find_what_stands_out(held_out, own_counts)
        scans = [
            leave_out(scan, [s.finding for s in stands_out if s.scan == scan.name])
            for scan in self._scans
        ]
        training = self._train(scans, "all")
        if held_out is None:
            own = self._map(self._own, training.model, "after")
            own_counts = self._count(self._own, own)
        else:
            own = held_out
        others = self._map(self._others, training.model, "after, phantoms")
        maps_after, trials = own + others, self._own + self._others
        score_before = score("before", trials, maps_before, self._point)
        least_found = score_before.found_count  # as many as before, or nothing is gained
        point = self._choose(own_counts.with_others(self._count(self._others, others)), least_found)
        point_alone = self._choose(counts_before, least_found)
        training.model.familiarity = self._known_after(own)
        return Adaptation(
            training,
            point,
            (
                score_before,
                score("operating point alone", trials, maps_before, point_alone),
                score("adapted", trials, maps_after, point),
            ),
            tuple(stands_out),
            held_out is not None,
            tuple(scan.note for scan in self._scans if scan.note),
        )

    def _known_after(self, maps: Sequence[LikelihoodMap]) -> Mapping[str, Any] | None:
        """What the network knows now: its former scans, and one's own; None if not measured."""
        former = self._model.familiarity
        if former is None:
            return None
        views = [
            measure_scan(trial.series, plain).view
            for trial, plain in zip(self._own, maps, strict=True)
            if trial.kind == OWN
        ]
        known_lesions = FamiliarityModel.of_card(former)
        own = np.array(
            [measure_appearance(view, known_lesions.rule) for view in views if view is not None]
        )
        return (known_lesions.with_scans(own) if len(own) else known_lesions).to_dict()

    def _map(self, trials: Sequence[Trial], model: SiameseNet, message: str) -> list[LikelihoodMap]:
        folder = None if self._states is None else self._states / "maps"
        return map_trials(
            trials, model, device=self._plan.device, message=message, folder=folder, job=self._job
        )

    def _map_before(self) -> list[LikelihoodMap]:
        """All trials by the network as it is; tells how much time is left to learn."""
        trials, start_time = self._own + self._others, time.perf_counter()
        results = self._map(trials, self._model, "before")
        if self._plan.minutes is None:
            return results
        now_s = time.perf_counter()
        parts = self._parts
        judging = (now_s - start_time) * _MARGIN
        own_cases = len(self._scans) * (1 + self._plan.copies_a_scan(len(self._scans)))
        # Each part leaves its own share of the scans out.
        has_mimics = any(scan.annotation.mimics is not None for scan in self._scans)
        a_case = _PREPARATION_S + has_mimics * _WITH_MIMICS_S
        preparing = a_case * ((parts + 1) * len(self._phantoms) + max(parts, 1) * own_cases)
        seconds_left = 60 * self._plan.minutes - (now_s - self._start_time) - judging - preparing
        self._training_seconds = seconds_left / (parts + 1)
        if self._training_seconds < _LEAST_S:
            minutes_needed = self._plan.minutes + (_LEAST_S * (parts + 1) - seconds_left) / 60
            raise SpinemetError(
                f"{self._plan.minutes:g} minutes are too few to adapt to "
                f"{count_of(self._scans, 'scan')} on this computer; give "
                f"{math.ceil(minutes_needed)} at least."
            )
        return results

    @property
    def _parts(self) -> int:
        """How many networks judge scans that they have not learned from."""
        count = min(PARTS, len(self._scans))
        return count if count > 1 else 0

    def _judge_left_out(self) -> list[LikelihoodMap] | None:
        """Each own trial by a network that has learned from other scans; None with one scan."""
        count = self._parts
        if not count:
            return None
        results: dict[int, LikelihoodMap] = {}
        for part in range(count):
            left_out = {scan.name for scan in self._scans[part::count]}
            network = self._train(
                [scan for scan in self._scans if scan.name not in left_out], f"part-{part + 1}"
            ).model
            numbers = [k for k, trial in enumerate(self._own) if trial.name in left_out]
            maps = self._map([self._own[k] for k in numbers], network, f"left out {part + 1}")
            results |= dict(zip(numbers, maps, strict=True))
        return [results[k] for k in range(len(self._own))]

    def _point_without(self, name: str, counts: TrialCounts | None) -> OperatingPoint:
        """The point that would be chosen if a scan were not there: it cannot hide what it holds."""
        others = [k for k, trial in enumerate(self._own) if trial.name != name]
        if counts is None or not others:
            return replace(
                self._point,
                threshold=min(self._point.threshold, DOUBTFUL),
                min_area_cm2=min(self._point.min_area_cm2, DOUBTFUL_CM2),
            )
        point = self._choose(counts.of(others))
        return replace(point, min_area_cm2=min(point.min_area_cm2, SMALLEST_NAMED_CM2))

    def _find_what_stands_out(
        self, maps: Sequence[LikelihoodMap], counts: TrialCounts | None
    ) -> list[StandsOut]:
        return [
            StandsOut(trial.name, finding)
            for trial, plain in zip(self._own, maps, strict=True)
            if trial.kind == OWN
            for finding in find_unknown_marks(
                next(scan for scan in self._scans if scan.name == trial.name),
                plain,
                self._point_without(trial.name, counts),
            )
        ]

    def _train(self, scans: Sequence[OwnScan], mark: str) -> TrainingResult:
        plan, model = self._plan, self._model
        count, mimics = plan.copies_a_scan(len(scans)), mimics_of(scans)
        cases = with_mimics(self._phantoms, mimics, plan.seed, job=self._job)
        for scan in scans:
            copies = scan.training_copies(count, plan.seed, job=self._job)
            cases.append((scan.series, scan.annotation))
            cases += with_mimics(copies, mimics, plan.seed, job=self._job)
        config = TrainingConfig(
            form=model.form,
            resolutions=model.resolutions,
            blocks=model.block_sizes,
            outputs=model.outputs,
            patch_shape=model.patch_shape,
            epochs=plan.epochs,
            batches_per_epoch=plan.batches,
            looks=1,
            optimiser="adamw",
            learning_rate=plan.learning_rate,
            seed=plan.seed,
            device=plan.device,
        ).starting_from(model)
        state = None if self._states is None else self._states / f"{mark}.safetensors.state"
        options = RunOptions(
            start=model,
            seconds=self._training_seconds,
            state=state,
            resume=self._resume,
            looks_first=True,
            replaces_other=True,  # verdicts may have come since, which is what resuming is for
        )
        training = train_network(cases, config, options=options, job=self._job)
        # A second look is by what a network marks; without one its flag would warn of nothing.
        training.model.second_look = model.second_look
        return training

    def _count(self, trials: Sequence[Trial], maps: Sequence[LikelihoodMap]) -> TrialCounts:
        return count_trials(
            [TrialScan(plain, t.truth) for t, plain in zip(trials, maps, strict=True)],
            self._point,
            areas_cm2=AREAS_TRIED_CM2,
            thresholds=THRESHOLDS[::2],
            job=self._job,
        )

    def _choose(self, counts: TrialCounts, least_found: int = 0) -> OperatingPoint:
        outcomes = counts.outcomes(counts_healthy=True)
        return point_of(best_outcome(outcomes, self._plan.most_false, least_found), self._point)


def _own_trials(scans: Sequence[OwnScan], plan: AdaptationPlan, job: JobContext) -> list[Trial]:
    """Each scan as it is, and copies of it with implants, by its name."""
    trials = []
    for scan in scans:
        trials.append(Trial(OWN, scan.name, scan.series, scan.truth))
        copies = plan.trial_copies_a_scan(len(scans))
        trials += [
            Trial(COPIES, scan.name, series, truth)
            for series, truth in scan.trial_copies(copies, plan.seed, job=job)
        ]
    return trials
