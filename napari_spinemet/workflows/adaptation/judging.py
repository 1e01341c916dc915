"""How good a network is on one's own scans and on phantoms, counted by findings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...detection.engines import map_series, model_identity
from ...detection.map_settings import MapSettings
from ...detection.pipeline import evaluate
from ...evaluation.case_level import Proportion
from ...evaluation.lesion_scores import Truth, score_scan
from ...imaging import LikelihoodMap, OperatingPoint, SagittalSeries
from ...jobs import UNATTENDED, JobContext
from ...network import SiameseNet
from ...study.likelihood_maps import load_likelihood_map, save_likelihood_map

OWN, COPIES, PHANTOMS = "own", "copies", "phantoms"


@dataclass(frozen=True, eq=False)
class Trial:
    """One scan that networks are judged by.

    Attributes
    ----------
    kind : {"own", "copies", "phantoms"}
        A scan as it is, a copy of it with implants, or a phantom.
    name : str
    series : SagittalSeries
    truth : Truth
    """

    kind: str
    name: str
    series: SagittalSeries
    truth: Truth


@dataclass(frozen=True)
class Score:
    """What a network gives at its operating point.

    Attributes
    ----------
    name : str
        Of the network, or of what was done to it.
    point : OperatingPoint
    own_scans : int
    own_false : int
        False findings in all of these.
    implants : Proportion
        Found, of those in copies of them.
    copies_false : float
        False findings a copy.
    lesions : Proportion
        Found, of the phantoms'.
    phantoms_false : float
        False findings a phantom.
    own_lesions : Proportion
        Found, of those that a person has drawn or accepted in one's own scans.
    """

    name: str
    point: OperatingPoint
    own_scans: int
    own_false: int
    implants: Proportion
    copies_false: float
    lesions: Proportion
    phantoms_false: float
    own_lesions: Proportion

    @property
    def found_count(self) -> int:
        """Lesions that are found, of all kinds."""
        return self.implants.hits + self.lesions.hits + self.own_lesions.hits

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return {**asdict(self), "point": self.point.to_dict()}


def map_trials(
    trials: Sequence[Trial],
    model: SiameseNet,
    *,
    device: str = "auto",
    message: str = "judging",
    folder: Path | None = None,
    job: JobContext = UNATTENDED,
) -> list[LikelihoodMap]:
    """Plain maps of all trials.

    Parameters
    ----------
    trials : sequence of Trial
    model : SiameseNet
    device : str
    message : str
        Tells what is being done.
    folder : Path, optional
        Folder where maps are kept; those of the same weights and scans are not made again.
    job : JobContext
        Polled at every slice.
    """
    maps, identity = [], model_identity(model)
    for number, trial in enumerate(trials, 1):
        path = None if folder is None else folder / f"{_mark_of(trial.series, identity)}.npz"
        plain = None if path is None else load_likelihood_map(path)
        if plain is None:
            settings = MapSettings(device=device)
            plain = map_series(trial.series, model, settings, job=job.without_events())
            if path is not None:
                save_likelihood_map(plain, path)
        maps.append(plain)
        job.progress("adapt", number, len(trials), f"{message}: {trial.name}")
    return maps


def _mark_of(series: SagittalSeries, identity: str) -> str:
    """Another for other pixels, or other weights."""
    digest = hashlib.sha256(identity.encode())
    digest.update(np.ascontiguousarray(series.voxels).tobytes())
    digest.update(np.asarray(series.affine, dtype=float).tobytes())
    return digest.hexdigest()[:20]


def score(
    name: str,
    trials: Sequence[Trial],
    maps: Sequence[LikelihoodMap],
    point: OperatingPoint,
) -> Score:
    """Count what is found, and what is marked for nothing.

    Parameters
    ----------
    name : str
        Of what is judged.
    trials : sequence of Trial
    maps : sequence of LikelihoodMap
        Of each, plain.
    point : OperatingPoint
    """
    false: dict[str, list[int]] = {OWN: [], COPIES: [], PHANTOMS: []}
    hits: dict[str, list[bool]] = {OWN: [], COPIES: [], PHANTOMS: []}
    for trial, plain in zip(trials, maps, strict=True):
        outcome = score_scan(trial.name, evaluate(plain, point), trial.truth)
        false[trial.kind].append(outcome.false_findings)
        hits[trial.kind] += [lesion.is_found for lesion in outcome.lesions]
    return Score(
        name,
        point,
        len(false[OWN]),
        sum(false[OWN]),
        Proportion(sum(hits[COPIES]), len(hits[COPIES])),
        _mean(false[COPIES]),
        Proportion(sum(hits[PHANTOMS]), len(hits[PHANTOMS])),
        _mean(false[PHANTOMS]),
        Proportion(sum(hits[OWN]), len(hits[OWN])),
    )


def _mean(counts: Sequence[int]) -> float:
    return sum(counts) / len(counts) if counts else 0.0
