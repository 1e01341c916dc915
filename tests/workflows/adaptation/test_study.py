"""What a study is learned from, and what becomes of the model; networks are stood in for."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.imaging import Annotation, LikelihoodMap, OperatingPoint, SagittalSeries
from napari_spinemet.imaging.findings import mask_of_finding
from napari_spinemet.network import ModelCard, SiameseNet, load_card, load_model, save_model
from napari_spinemet.phantom.case import PhantomImage
from napari_spinemet.phantom.implants.cohort import to_int16
from napari_spinemet.phantom.writing import write_case
from napari_spinemet.study import Case, Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.study.run_files import has_adaptation_state
from napari_spinemet.study.verdicts import SAME_FINDING_MM
from napari_spinemet.training import TrainingResult
from napari_spinemet.workflows import map_source
from napari_spinemet.workflows.adaptation import (
    AdaptationPlan,
    StudyAdaptation,
    adapt_study,
    judging,
    reviewed_case,
)
from napari_spinemet.workflows.adaptation import plan as plan_of_adaptation
from napari_spinemet.workflows.adaptation import run as adaptation_run
from napari_spinemet.workflows.adaptation.found_vertebrae import find_vertebrae
from napari_spinemet.workflows.adaptation.mimics import MIMIC_MARGIN_MM
from napari_spinemet.workflows.adaptation.replay import Replay
from napari_spinemet.workflows.adaptation.reviewed_case import contour_accepted, read_own_scan
from napari_spinemet.workflows.adaptation.study import (
    adaptable_cases,
    confirm_normal,
    reject_place,
)
from napari_spinemet.workflows.map_source import MapSource

from .marked_phantoms import map_by_truth, phantom

POINT = OperatingPoint(0.8, 0.5, None, gate=False)
NO_REPLAY = Replay(0, 0, 0, 0)
PLAN = AdaptationPlan(copies=0, trial_copies=1, replay=NO_REPLAY, trial_replay=NO_REPLAY)
SPOTS = ((3, 60, 40), (5, 120, 45), (6, 170, 50))
"""(slice, row, column) of what a network marks."""


def network() -> SiameseNet:
    """Of the kind that can be adapted."""
    return SiameseNet((1.0,), "dense", (1, 1, 1), 3, widths=(2, 2, 2), patch_shape=(15, 15)).eval()


def spots(series: SagittalSeries, chosen: Sequence[int] = (0, 1, 2)) -> np.ndarray:
    """A disc of 10 mm at each place."""
    marked = np.zeros(series.shape, dtype=bool)
    rows, columns = np.ogrid[: series.shape[1], : series.shape[2]]
    for number in chosen:
        index, row, column = SPOTS[number]
        marked[index] |= np.hypot(rows - row, columns - column) < 10
    return marked


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scans without contours."""
    path = tmp_path_factory.mktemp("own")
    for number in range(3):
        case = phantom(number)
        write_case(
            path / f"Mueller_Hans_{number}",
            [PhantomImage("stir", case.series, to_int16(case.series))],
            case.annotation,
            {},
            identity=f"own.{number}",
            name="Own^Scan",
        )
        shutil.rmtree(path / f"Mueller_Hans_{number}" / "contours")
    return path


@pytest.fixture
def study(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    """Networks see the bodies, and mark nothing."""
    path = tmp_path / "study"
    shutil.copytree(folder, path)

    def see(series: SagittalSeries, *_: Any, **__: Any) -> LikelihoodMap:
        return map_by_truth(series, bodies_of(series))

    monkeypatch.setattr(map_source, "map_series", see)
    monkeypatch.setattr(judging, "map_series", see)
    monkeypatch.setattr(reviewed_case, "find_vertebrae", find_once)
    monkeypatch.setattr(adaptation_run, "THRESHOLDS", (0.5, 0.7, 0.9, 0.95))
    monkeypatch.setattr(adaptation_run, "AREAS_TRIED_CM2", (0.5,))
    opened = Study(path, write=True)
    yield opened
    opened.close()


@lru_cache
def _found(pixels: bytes, bone: float) -> list[Annotation]:
    return []


def find_once(series: SagittalSeries, likelihood: LikelihoodMap, name: str) -> Annotation:
    """As the program finds them, and once for all tests of a scan."""
    assert likelihood.vertebra is not None
    kept = _found(series.voxels.tobytes(), float(likelihood.vertebra.sum()))
    if not kept:
        kept.append(find_vertebrae(series, likelihood, name))
    return kept[0]


def bodies_of(series: SagittalSeries) -> Annotation:
    """By the shape of the scan: each phantom has its own."""
    for number in range(3):
        annotation = phantom(number).annotation
        if np.array_equal(to_int16(phantom(number).series), series.voxels):
            return annotation
    return phantom(0).annotation


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """To start from."""
    path = tmp_path / "start.safetensors"
    save_model(network(), path, ModelCard(name="start", operating_point=POINT))
    return path


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Any]]:
    """What each training has learned from."""
    seen: list[Sequence[Any]] = []

    def train(cases: Sequence[Any], config: Any, **_: Any) -> TrainingResult:
        seen.append(list(cases))
        return TrainingResult(copy.deepcopy(network()), 1, [{"loss": 0.1}], config=config)

    monkeypatch.setattr(adaptation_run, "train_network", train)
    return seen


def detect(study: Study, case: Case, chosen: Sequence[int] = (0, 1, 2)) -> list[Any]:
    """A detection that marks some of the spots; gives its findings."""
    series = case.series()
    plain = map_by_truth(series, bodies_of(series), spots(series, chosen))
    study.save_likelihood_map(case, MapIdentity.of_model("m@1"), plain)
    findings = list(evaluate(plain, POINT).findings)
    settings = {**POINT.to_dict(), "columns": "spine"}
    case.save_run(series, ("m@1", "m", "{}"), settings, findings, 1.0)
    return sorted(findings, key=lambda f: f.slices)


def judge(case: Case, finding: Any, verdict: str, *, all_judged: bool = False) -> None:
    """As a reader does under Review."""
    case.judge(case.series(), finding.centre_mm, verdict, all_judged=all_judged, model="m@1")


def source(model: Path) -> MapSource:
    """Of the start model."""
    return MapSource.of_model(str(model))


def test_each_verdict_is_learned_from_as_it_was_meant(study: Study, model: Path) -> None:
    """Accepted: a lesion; unsure: nothing; rejected: normal; the bodies are found."""
    case = study.cases()[0]
    accepted, unsure, rejected = detect(study, case)
    judge(case, accepted, "accepted")
    judge(case, unsure, "unsure")
    judge(case, rejected, "rejected", all_judged=True)
    own = read_own_scan(study, case, source(model))
    series = own.series
    assert np.array_equal(own.annotation.lesions > 0, mask_of_finding(accepted, series))
    assert own.annotation.uncertain is not None
    assert np.array_equal(own.annotation.uncertain, mask_of_finding(unsure, series))
    assert list(own.rejected) == [pytest.approx(rejected.centre_mm)]
    mimics, marked = own.annotation.mimics, mask_of_finding(rejected, series)
    assert mimics is not None
    assert mimics[marked].all()
    distance = ndimage.distance_transform_edt(~marked, sampling=(1e3, *series.spacing_mm[1:]))
    assert distance[mimics].max() <= MIMIC_MARGIN_MM
    assert not mimics[own.annotation.lesions > 0].any()
    assert not mimics[own.annotation.uncertain].any()
    assert len(np.unique(own.annotation.vertebrae)) > 4
    assert own.note == ""


def test_a_rejected_place_without_a_finding_is_a_mimic_itself(study: Study, model: Path) -> None:
    """What a former detection marked, and the last one does not, was a mistake all the same."""
    case = study.cases()[0]
    first, _, last = detect(study, case)
    judge(case, last, "rejected")
    detect(study, case, (0,))
    judge(case, first, "accepted", all_judged=True)
    own = read_own_scan(study, case, source(model))
    mimics = own.annotation.mimics
    assert mimics is not None
    centre = np.linalg.inv(own.series.affine) @ np.array([*last.centre_mm, 1.0])
    places = np.argwhere(mimics) - centre[:3]
    assert np.abs(places * own.series.spacing_mm).max() <= SAME_FINDING_MM / 2 + 3


def test_what_was_accepted_and_is_not_outlined_is_not_learned_as_normal(
    study: Study, model: Path
) -> None:
    """Another detection does not hold it: nothing is learned around it, and that is said."""
    case = study.cases()[0]
    accepted, _, _ = detect(study, case)
    judge(case, accepted, "accepted")
    detect(study, case, (2,))
    own = read_own_scan(study, case, source(model))
    assert not own.annotation.lesions.any()
    assert own.annotation.uncertain is not None
    assert own.annotation.uncertain[mask_of_finding(accepted, own.series)].all()
    assert "1 place" in own.note
    assert case.name in own.note


def test_bodies_are_found_beside_contoured_ones(study: Study, model: Path) -> None:
    """One contoured body is not the whole spine; it stays as it was drawn."""
    case = study.cases()[0]
    series = case.series()
    one = np.where(bodies_of(series).vertebrae == 3, 7, 0).astype(np.uint16)
    case.save_annotation(Annotation(np.zeros_like(one), one), series)
    vertebrae = read_own_scan(study, case, source(model)).annotation.vertebrae
    assert np.array_equal(vertebrae == 7, one == 7)
    assert len(np.unique(vertebrae)) > 4


def test_accepted_findings_become_contours_once(study: Study) -> None:
    """A second press draws nothing anew."""
    case = study.cases()[0]
    accepted, other, _ = detect(study, case)
    judge(case, accepted, "accepted")
    judge(case, other, "rejected")
    assert contour_accepted(study, case) == 1
    series = case.series()
    lesions = case.annotation(series).lesions
    assert np.array_equal(lesions > 0, mask_of_finding(accepted, series))
    assert contour_accepted(study, case) == 0


def test_scans_with_unjudged_findings_are_not_taken_by_themselves(study: Study) -> None:
    """What nobody has detected on is held to be free; what was detected on must be judged."""
    fresh, detected, judged = study.cases()
    detect(study, detected, (0,))
    (finding,) = detect(study, judged, (0,))
    judge(judged, finding, "rejected", all_judged=True)
    assert [case.name for case in adaptable_cases(study)] == [fresh.name, judged.name]


def adapt(study: Study, model: Path, **changes: Any) -> Any:
    """Adapt to all cases, into the study."""
    return adapt_study(StudyAdaptation(study.path, str(model), "own", plan=PLAN, **changes))


def test_the_model_is_kept_with_what_is_known_of_it(
    study: Study, model: Path, trained: list[Sequence[Any]]
) -> None:
    """Beside the one it came from, which stays; no name of a case goes onto the card."""
    before = model.read_bytes()
    adapted = adapt(study, model)
    assert adapted.path == study.models / "own.safetensors"
    assert load_card(str(adapted.path)).operating_point == adapted.adaptation.point
    assert len(trained) == 3
    assert load_model(str(adapted.path)).outputs == 3
    assert "Mueller" not in adapted.card.to_json()
    assert adapted.card.training["adapted_to"] == 3
    assert model.read_bytes() == before
    assert not has_adaptation_state(adapted.path)


def test_what_stands_out_is_told_by_its_case_and_confirmed_in_the_trail(
    study: Study, model: Path, trained: list[Sequence[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not stand out again, and nothing says so; another case cannot be confirmed."""
    odd, other, _ = study.cases()
    pixels = odd.series().voxels

    def mark(series: SagittalSeries, *_: Any, **__: Any) -> LikelihoodMap:
        is_odd = np.array_equal(series.voxels, pixels)
        return map_by_truth(series, bodies_of(series), spots(series, (1,) if is_odd else ()))

    monkeypatch.setattr(judging, "map_series", mark)
    adapted = adapt(study, model)
    (named,) = adapted.adaptation.stands_out
    assert named.scan == odd.name
    assert any(odd.name in each and "slice 6" in each for each in adapted.sentences)
    assert odd.name not in adapted.card.to_json()
    with pytest.raises(SpinemetError, match=f"names anything in {other.name}"):
        confirm_normal(study, other, adapted.path)
    assert confirm_normal(study, odd, adapted.path) == 1
    (place,) = odd.verdicts().places("rejected")
    assert math.dist(place, named.finding.centre_mm) < 1e-6
    again = adapt(study, model)
    assert again.adaptation.stands_out == ()
    assert not any("stands out" in each for each in again.sentences)


def test_a_signed_case_is_still_judged_after_a_place_was_rejected(study: Study) -> None:
    """It goes on being learned from."""
    case = study.cases()[0]
    (finding,) = detect(study, case, (0,))
    judge(case, finding, "accepted", all_judged=True)
    reject_place(study, case, (0.0, 0.0, 500.0))
    assert case.name in [own.name for own in adaptable_cases(study)]


def test_one_that_was_cut_short_goes_on_with_what_it_was_asked_for(
    study: Study, model: Path, monkeypatch: pytest.MonkeyPatch, trained: list[Sequence[Any]]
) -> None:
    """Its cases and its model, whatever is said then; a fresh one forgets former trainings."""
    stand_in = adaptation_run.train_network

    def stop(*_: Any, **__: Any) -> TrainingResult:
        raise Cancelled

    monkeypatch.setattr(adaptation_run, "train_network", stop)
    names = tuple(case.name for case in study.cases()[:2])
    with pytest.raises(Cancelled):
        adapt(study, model, only_cases=names)
    target = study.models / "own.safetensors"
    assert has_adaptation_state(target)
    assert not target.exists()
    monkeypatch.setattr(adaptation_run, "train_network", stand_in)
    task = StudyAdaptation(study.path, "default", "own", plan=PLAN, resume=True)
    assert adapt_study(task).card.training["adapted_to"] == 2
    with pytest.raises(SpinemetError, match="start it without resuming"):
        adapt_study(task)


def test_a_fresh_one_forgets_former_trainings(
    study: Study, model: Path, trained: list[Sequence[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their scans may have been others."""
    folder = study.models / "unfinished" / "own.adapting"
    folder.mkdir(parents=True)
    former = folder / "part-2.safetensors.state"
    former.write_bytes(b"former")
    adapt(study, model)
    assert not former.exists()


def test_a_scan_that_cannot_be_learned_from_is_left_out_and_told(
    study: Study, model: Path, trained: list[Sequence[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it was asked for by name."""
    dark = study.cases()[1]
    pixels = dark.series().voxels

    def see(series: SagittalSeries, *_: Any, **__: Any) -> LikelihoodMap:
        nothing = np.zeros(series.shape, dtype=np.uint16)
        known = bodies_of(series)
        is_dark = np.array_equal(series.voxels, pixels)
        return map_by_truth(series, Annotation(nothing, nothing.copy()) if is_dark else known)

    monkeypatch.setattr(map_source, "map_series", see)
    adapted = adapt(study, model)
    assert adapted.card.training["adapted_to"] == 2
    assert any(each.startswith(f"{dark.name} was left out: Fewer") for each in adapted.sentences)
    with pytest.raises(SpinemetError, match=f"recognised in {dark.name}"):
        adapt(study, model, only_cases=(dark.name,))


def test_the_model_that_is_started_from_is_never_replaced(study: Study, model: Path) -> None:
    """Another name is asked for."""
    task = StudyAdaptation(study.path, str(model), "start", model_path=model, plan=PLAN)
    with pytest.raises(SpinemetError, match="stays as it is; give the adapted one another name"):
        adapt_study(task)


def test_the_command_adapts_and_confirms(
    study: Study,
    model: Path,
    trained: list[Sequence[Any]],
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its JSON holds the card; what was never named cannot be confirmed."""
    for name in ("training_phantoms", "trial_phantoms"):
        monkeypatch.setattr(adaptation_run, name, lambda *_, **__: [])
    monkeypatch.setattr(plan_of_adaptation, "MOST_COPIES", 1)
    study.close()
    arguments = ["adapt", str(study.path), "--model", str(model), "--name", "own"]
    status, _, error = run(*arguments, "--confirm", "Mueller_Hans_1")
    assert status != 0
    assert "names anything in Mueller_Hans_1" in error
    status, output, error = run(*arguments, "--json", "--seed", "4")
    assert status == 0, error
    answer = json.loads(output)
    assert Path(answer["model"]).is_file()
    assert answer["training"]["adapted_to"] == 3
    assert len(answer["metrics"]["adaptation"]) == 3
