"""Who learns from what, and what is named, with networks that mark by brightness alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, LikelihoodMap, OperatingPoint, SagittalSeries
from napari_spinemet.network import SiameseNet
from napari_spinemet.phantom import implant_lesion
from napari_spinemet.training import TrainingResult
from napari_spinemet.workflows.adaptation import AdaptationPlan, adapt_network, judging, run
from napari_spinemet.workflows.adaptation.own_scan import OwnScan, TrainingCase
from napari_spinemet.workflows.adaptation.replay import Replay

from .marked_phantoms import map_by_truth, phantom

POINT = OperatingPoint(0.8, 0.5, None, gate=False)
PLAN = AdaptationPlan(
    copies=2, trial_copies=2, replay=Replay(0, 0, 0, 0), trial_replay=Replay(0, 0, 0, 0)
)


@dataclass
class Trainings:
    """What each network has learned from."""

    cases: list[Sequence[TrainingCase]] = field(default_factory=list)

    def names(self, scans: Sequence[OwnScan]) -> list[set[str]]:
        """Of the scans that each has seen as they are."""
        return [
            {s.name for s in scans if any(series is s.series for series, _ in cases)}
            for cases in self.cases
        ]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    """Networks that mark whatever is brighter than in the healthy patient."""
    seen = Trainings()

    def train(cases: Sequence[TrainingCase], config: Any, **_: Any) -> TrainingResult:
        seen.cases.append(list(cases))
        return TrainingResult(copy.deepcopy(network()), 1, [{"loss": 0.1}], config=config)

    def mark(series: SagittalSeries, model: SiameseNet, *_: Any, **__: Any) -> LikelihoodMap:
        vertebrae = phantom(0).annotation.vertebrae
        bright = brighter(series) & (vertebrae > 0)
        return map_by_truth(series, Annotation(np.zeros_like(vertebrae), vertebrae), bright)

    monkeypatch.setattr(run, "train_network", train)
    monkeypatch.setattr(judging, "map_series", mark)
    return seen


def brighter(series: SagittalSeries) -> np.ndarray:
    """Where a scan is brighter than the healthy patient by a third of the marrow."""
    healthy = phantom(0)
    level = np.median(healthy.series.voxels[healthy.annotation.vertebrae > 0])
    difference = ndimage.gaussian_filter(series.voxels - healthy.series.voxels, (0, 1.5, 1.5))
    return np.asarray(difference > level / 3)


def network() -> SiameseNet:
    """Of the kind that can be adapted."""
    return SiameseNet((1.0,), "dense", (1, 1, 1), 3, widths=(2, 2, 2), patch_shape=(15, 15)).eval()


def scans(planted: bool = True) -> list[OwnScan]:
    """Three of one patient; in the second lies a bright lesion that nobody knows."""
    case = phantom(0)
    result = []
    for number in range(3):
        series = replace(case.series, series_uid=f"1.2.{number}")
        if planted and number == 1:
            series, _, _ = implant_lesion(
                series, case.annotation, LABEL, np.random.default_rng(3), contrast=1.2
            )
        result.append(OwnScan(f"scan-{number}", series, case.annotation))
    return result


LABEL = 4


def test_each_scan_is_judged_by_a_network_that_has_not_seen_it(trainings: Trainings) -> None:
    """Two networks see a part each, and the last one all."""
    own = scans(planted=False)
    adaptation = adapt_network(own, network(), POINT, PLAN)
    assert trainings.names(own) == [
        {"scan-1"},
        {"scan-0", "scan-2"},
        {"scan-0", "scan-1", "scan-2"},
    ]
    assert adaptation.is_held_out
    assert adaptation.stands_out == ()
    before, alone, after = adaptation.scores
    assert (before.own_scans, before.own_false) == (3, 0)
    assert before.point == POINT
    assert before.implants.of >= 3
    assert alone.implants.of == after.implants.of == before.implants.of


def test_a_lesion_that_nobody_knows_is_named_and_not_learned(trainings: Trainings) -> None:
    """Where it lies nothing is drawn; once a person has called it normal, all is."""
    own = scans()
    adaptation = adapt_network(own, network(), POINT, PLAN)
    assert {each.scan for each in adaptation.stands_out} == {"scan-1"}
    (learned,) = [a for s, a in trainings.cases[-1] if s is own[1].series]
    assert learned.uncertain is not None
    bright = brighter(own[1].series) & (own[1].annotation.vertebrae > 0)
    assert bright.any()
    assert learned.uncertain[bright].mean() > 0.9
    assert learned.uncertain.mean() < 0.02
    others = [a for s, a in trainings.cases[-1] if s is own[0].series]
    assert [a.uncertain for a in others] == [None]
    rejected = {each.finding.centre_mm: "haemangioma" for each in adaptation.stands_out}
    own[1] = replace(own[1], rejected=rejected)
    assert adapt_network(own, network(), POINT, PLAN).stands_out == ()
    (normal,) = [a for s, a in trainings.cases[-1] if s is own[1].series]
    assert normal.uncertain is None


def test_what_is_contoured_as_a_lesion_does_not_stand_out(trainings: Trainings) -> None:
    """A person knows it."""
    own = scans()
    (finding,) = adapt_network(own, network(), POINT, PLAN).stands_out
    lesions = own[1].annotation.lesions.copy()
    for detection in finding.finding.detections:
        lesions[detection.slice][tuple(detection.pixels.T)] = 1
    own[1] = replace(own[1], annotation=replace(own[1].annotation, lesions=lesions))
    assert adapt_network(own, network(), POINT, PLAN).stands_out == ()


def test_one_scan_is_judged_by_the_network_as_it_was(trainings: Trainings) -> None:
    """And what is measured on it is said to be too good."""
    adaptation = adapt_network(scans()[1:2], network(), POINT, PLAN)
    assert len(trainings.cases) == 1
    assert not adaptation.is_held_out
    assert [each.scan for each in adaptation.stands_out] == ["scan-1"]


def test_networks_without_bodies_and_nothing_to_learn_are_refused() -> None:
    """In a sentence that says what to do."""
    two = SiameseNet((1.0,), "dense", (1, 1, 1), 2, widths=(2, 2, 2), patch_shape=(15, 15))
    with pytest.raises(SpinemetError, match="tells vertebrae"):
        adapt_network(scans(), two, POINT, PLAN)
    with pytest.raises(SpinemetError, match="no scan to adapt to"):
        adapt_network([], network(), POINT, PLAN)
