"""Folds by case: no case in two subsets, no map by a network that saw the case."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.evaluation.baselines import blob_map, intensity_map
from napari_spinemet.imaging import Annotation, FrocCase, OperatingPoint, SagittalSeries
from napari_spinemet.jobs import CancelToken, Event, Progressed
from napari_spinemet.jobs.allocator import ALLOCATOR_VARIABLES
from napari_spinemet.network import SiameseNet, load_card, save_model
from napari_spinemet.network.provenance import OUT_OF_FOLD
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case
from napari_spinemet.study import Study
from napari_spinemet.study.run_files import report_path
from napari_spinemet.training import TrainingConfig
from napari_spinemet.workflows import cross_validate, split_folds
from napari_spinemet.workflows.cross_validation import (
    CrossValidationPlan,
    CrossValidationResult,
    tasks,
)
from napari_spinemet.workflows.cross_validation.study import cross_validate_study
from napari_spinemet.workflows.operating_points.by_regions import OperatingPointChoice, joint_point
from napari_spinemet.workflows.worker_settings import WorkerSettings


def test_26_cases_in_10_folds() -> None:
    """Six folds of 3 and four of 2; three quarters of the rest train; each case tests once."""
    folds = split_folds(26, 10, seed=3)
    assert sorted(len(f.test) for f in folds) == [2] * 4 + [3] * 6
    assert sorted(k for f in folds for k in f.test) == list(range(26))
    for fold in folds:
        rest = 26 - len(fold.test)
        assert len(fold.training) == round(0.75 * rest)
        parts = [set(fold.training), set(fold.validation), set(fold.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 26
    assert folds == split_folds(26, 10, seed=3)
    assert folds != split_folds(26, 10, seed=4)


def test_more_folds_than_cases_is_refused() -> None:
    """A fold without a case makes no sense."""
    with pytest.raises(SpinemetError, match="folds"):
        split_folds(3, 10)


@pytest.mark.usefixtures("few_validation_samples")
def test_out_of_fold_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each case's map is made by the network of the fold that left it out."""
    pairs = [tiny(k) for k in range(4)]
    trained: list[set[int]] = []
    fold_of: dict[int, int] = {}
    mapped: list[tuple[int, int]] = []
    index_of = {id(series): k for k, (series, _) in enumerate(pairs)}
    real_train, real_map = tasks.train_network, tasks.map_series

    def train(training, config, *, validation, job):
        trained.append({index_of[id(s)] for s, _ in [*training, *validation]})
        result = real_train(training, config, validation=validation, job=job)
        fold_of[id(result.model)] = len(trained) - 1
        return result

    def map_series(series, model, settings, *, job):
        mapped.append((index_of[id(series)], fold_of[id(model)]))
        return real_map(series, model, replace(settings, stride=40), job=job)

    monkeypatch.setattr(tasks, "train_network", train)
    monkeypatch.setattr(tasks, "map_series", map_series)
    config = TrainingConfig(
        epochs=1, batches_per_epoch=1, method="blocks", batch_size=8, resolutions=(1.0,)
    )
    result = cross_validate(pairs, config, folds=2)
    assert len(result.results) == 2
    assert len(result.cases) == 4
    assert sorted(k for k, _ in mapped) == [0, 1, 2, 3]
    for case, fold in mapped:
        assert case not in trained[fold]
    for case, (_, annotation) in zip(result.cases, pairs, strict=True):
        assert case.sequences[0][1] is annotation
        assert case.sequences[0][0].learned_from == OUT_OF_FOLD


def test_baselines_are_maps_of_the_right_kind() -> None:
    """Brighter is likelier for the one; the other looks inside the true vertebrae only."""
    case = make_case((12, 0))
    bright = intensity_map(case.series)
    blobs = blob_map(case.series, case.annotation)
    first, last = bright.columns
    inside = bright.values[:, :, first:last]
    # Ranks of the whole series: the central half is brighter than its dark margins.
    assert 0 <= inside.min() < 0.1
    assert inside.max() > 0.99
    from napari_spinemet.imaging.grids import resample_labels

    vertebrae = resample_labels(case.annotation.vertebrae, case.series.spacing_mm[1:]) > 0
    assert not blobs.values[~vertebrae].any()
    assert np.unique(blobs.values[vertebrae]).size > 100


def tiny(number: int) -> tuple[SagittalSeries, Annotation]:
    """Three small slices of noise with a lesion at a place of its own."""
    lesions = np.zeros((3, 40, 44), dtype=np.uint16)
    lesions[1, 12 + number % 5 : 20 + number % 5, 18:26] = 1
    vertebrae = np.zeros_like(lesions)
    vertebrae[:, 8:32, 14:30] = 1
    noise = np.random.default_rng(number).normal(100, 10, lesions.shape)
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = 3, -0.9, 0.9, 1
    series = SagittalSeries(
        (noise + 60 * (lesions > 0)).astype(np.float32), affine, series_uid=f"1.{number}"
    )
    return series, Annotation(lesions, vertebrae, {1: "L2"})


CHEAP = TrainingConfig(
    resolutions=(1.0,),
    blocks=(1, 1, 1),
    epochs=1,
    batches_per_epoch=2,
    batch_size=8,
    samples_per_block=4,
    device="cpu",
    precision="float32",
)


def told(result: CrossValidationResult) -> list[bytes]:
    """Every weight and every map, as bytes."""
    weights = [
        b"".join(t.numpy().tobytes() for t in r.model.state_dict().values()) for r in result.results
    ]
    maps = [case.sequences[0][0].values.tobytes() for case in result.cases]
    return [*weights, *maps, repr([r.history for r in result.results]).encode()]


@pytest.mark.usefixtures("few_validation_samples")
def test_an_interrupted_run_goes_on_and_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finished folds and maps are kept; the end is that of the whole run."""
    cases = [tiny(k) for k in range(6)]
    torch.set_num_threads(1)
    whole = cross_validate(cases, CHEAP, folds=3, weight_decays=(0.001, 0.01), threads=1)
    runs: list[int] = []
    real = tasks.train_network

    def counted(*given: object, **options: object) -> object:
        runs.append(1)
        return real(*given, **options)

    monkeypatch.setattr(tasks, "train_network", counted)
    token = CancelToken()

    def listen(event: Event) -> None:
        if isinstance(event, Progressed) and (event.task, event.done) == ("crossval", 4):
            token.cancel()

    options = {"folds": 3, "weight_decays": (0.001, 0.01), "threads": 1, "folder": tmp_path}
    with pytest.raises(Cancelled):
        cross_validate(cases, CHEAP, **options, on_event=listen, cancel=token)
    assert len(runs) == 4
    again = cross_validate(cases, CHEAP, **options)
    assert len(runs) == 6
    assert told(again) == told(whole)
    assert again.weight_decays == whole.weight_decays
    assert again.points == whole.points
    read = cross_validate(cases, CHEAP, **options)
    assert len(runs) == 6
    assert told(read) == told(whole)
    with pytest.raises(SpinemetError, match="other settings or cases"):
        cross_validate(cases[:5], CHEAP, **options)
    with pytest.raises(SpinemetError, match="other settings or cases"):
        cross_validate(cases, replace(CHEAP, seed=4), **options)


@pytest.mark.usefixtures("few_validation_samples")
def test_a_fold_that_is_run_alone_gives_the_same_numbers(tmp_path: Path) -> None:
    """Its network, lambda, operating point and maps, bit for bit; no other fold is trained."""
    cases = [tiny(k) for k in range(6)]
    options = {"folds": 3, "seed": 5, "weight_decays": (0.001, 0.01), "threads": 1}
    whole = cross_validate(cases, CHEAP, **options)
    alone = cross_validate(cases, CHEAP, **options, only_folds=[2], folder=tmp_path)
    assert (whole.numbers, alone.numbers) == ((1, 2, 3), (2,))
    assert alone.folds == whole.folds[1:2]
    assert alone.weight_decays == whole.weight_decays[1:2]
    assert alone.points == whole.points[1:2]
    expected = [whole.cases[k] for k in whole.folds[1].test]
    assert told(alone) == told(replace(whole, results=whole.results[1:2], cases=tuple(expected)))
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    with pytest.raises(SpinemetError, match="no fold 4; they are numbered from 1 to 3"):
        cross_validate(cases, CHEAP, **options, only_folds=[4])


@pytest.mark.usefixtures("few_validation_samples")
def test_a_kept_network_of_another_form_is_named_and_the_run_can_go_on(tmp_path: Path) -> None:
    """One sentence each for another form and for a damaged file; deleted, it is trained anew."""
    cases = [tiny(k) for k in range(6)]
    options = {"folds": 3, "threads": 1, "folder": tmp_path}
    whole = cross_validate(cases, CHEAP, **options)
    first, second, _ = sorted(tmp_path.glob("*.safetensors"))
    other = SiameseNet((1.0,), "patch")
    save_model(other, first, load_card(first))
    with pytest.raises(SpinemetError, match=r"fold-01.* another form \(patch, 1 mm\).*delete it"):
        cross_validate(cases, CHEAP, **options)
    first.unlink()
    second.write_bytes(second.read_bytes()[:1000])
    with pytest.raises(SpinemetError, match=r"fold-02.* cannot be read; delete it"):
        cross_validate(cases, CHEAP, **options)
    second.unlink()
    assert told(cross_validate(cases, CHEAP, **options))[:3] == told(whole)[:3]


@pytest.mark.usefixtures("few_validation_samples")
def test_each_fold_chooses_its_operating_point_on_its_validation_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on those it trained on or is tested on; kept, also where there is none to choose."""
    cases = [tiny(k) for k in range(6)]
    number_of = {id(annotation): k for k, (_, annotation) in enumerate(cases)}
    judged: list[tuple[int, ...]] = []

    def choose(found: Sequence[FrocCase], **_: object) -> OperatingPointChoice:
        judged.append(tuple(number_of[id(c.sequences[0][1])] for c in found))
        if len(judged) == 2:
            raise SpinemetError("No setting stays at 1.0 false positives per scan; allow more.")
        point = OperatingPoint(0.1 * len(judged), 2.0, 0.5, gate=False)
        return OperatingPointChoice(point, 1.0, 0.0, 0.0, None)

    monkeypatch.setattr(tasks, "choose_operating_point", choose)
    result = cross_validate(cases, CHEAP, folds=3, folder=tmp_path)
    assert judged == [fold.validation for fold in result.folds]
    first, second, third = result.points
    assert (first.threshold, second, third.threshold) == (0.1, None, pytest.approx(0.3))
    assert cross_validate(cases, CHEAP, folds=3, folder=tmp_path).points == result.points
    assert len(judged) == 3


def test_the_joint_point_is_the_median_of_the_settings_that_most_folds_chose() -> None:
    """One fold with other settings does not move it."""
    usual = [OperatingPoint(t, 3.0, 0.6, gate=True) for t in (0.2, 0.3, 0.7)]
    odd = OperatingPoint(0.9, 1.0, 0.4, gate=False)
    assert joint_point([odd, *usual]) == OperatingPoint(0.3, 3.0, 0.6, gate=True)
    assert joint_point([odd]) == odd


def test_a_fold_without_lesions_is_refused_before_anything_is_trained() -> None:
    """With what to do about it."""
    series, annotation = tiny(0)
    bare = (series, Annotation(0 * annotation.lesions, annotation.vertebrae))
    with pytest.raises(SpinemetError, match="no lesion among the cases that it trains on"):
        cross_validate([tiny(1), bare, bare, bare], CHEAP, folds=4)


def test_folds_whose_test_cases_have_no_lesion_are_reported_without_a_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a fold alone may be: its networks are trained, and its report is written."""
    cases = [tiny(k) for k in range(4)]
    alone = split_folds(4, 2, 0)[0].test
    for k in alone:
        series, annotation = cases[k]
        cases[k] = series, Annotation(0 * annotation.lesions, annotation.vertebrae)
    for number in range(4):
        (tmp_path / f"case-{number}" / "scan").mkdir(parents=True)
    held = list(zip(Study(tmp_path).cases(), *zip(*cases, strict=True), strict=True))
    monkeypatch.setattr(Study, "contoured_cases", lambda *_: iter(held))
    plan = CrossValidationPlan(folds=2, only_folds=(1,), chooses_points=False)
    report, _ = cross_validate_study(
        tmp_path, CHEAP, plan, name="n", workers=WorkerSettings(threads=1)
    )
    assert report["froc"] is None
    assert len(report["folds"]) == 1
    assert report_path(Path(tmp_path), "n", [1]).is_file()


def test_a_negative_seed_is_refused_before_anything_is_trained() -> None:
    """Of the split and of the networks; one sentence."""
    with pytest.raises(SpinemetError, match="A seed is 0 or more, not -2"):
        cross_validate([tiny(k) for k in range(4)], CHEAP, folds=2, seed=-2)
    with pytest.raises(SpinemetError, match="A seed is 0 or more, not -1"):
        TrainingConfig(seed=-1)


def test_an_address_without_a_scheduler_is_told() -> None:
    """One sentence, whatever dask says."""
    with pytest.raises(SpinemetError, match=r"no dask scheduler at tcp://127.0.0.1:9"):
        cross_validate([tiny(k) for k in range(4)], CHEAP, folds=2, scheduler="tcp://127.0.0.1:9")


@pytest.mark.slow
def test_folds_on_two_workers_one_of_which_is_killed_equal_those_on_one(
    tmp_path: Path,
) -> None:
    """Killed once two folds are done: its fold is run again, and all numbers are the same.

    Workers keep the memory that they free, those that take the place of another too: given back
    at each step, it made a step take nearly twice its time.
    """
    cases = [tiny(k) for k in range(8)]
    torch.set_num_threads(1)
    whole = cross_validate(cases, CHEAP, folds=6, threads=1, choose=False)
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    environment = dict(os.environ)
    killed: list[int] = []
    workers: dict[int, dict[str, str]] = {}

    def listen(event: Event) -> None:
        if isinstance(event, Progressed) and event.task == "crossval":
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    if process.pid not in before and "spawn_main" in " ".join(process.cmdline()):
                        workers[process.pid] = process.environ()
        if isinstance(event, Progressed) and (event.task, event.done) == ("crossval", 2):
            for process in psutil.Process().children(recursive=True):
                command = " ".join(process.cmdline())
                if process.pid not in before and "spawn_main" in command and not killed:
                    process.kill()
                    killed.append(process.pid)

    shared = cross_validate(
        cases,
        CHEAP,
        folds=6,
        choose=False,
        threads=1,
        folder=tmp_path,
        scheduler="local",
        workers=2,
        on_event=listen,
    )
    assert killed
    assert len(workers) == 3
    assert all(its.items() >= ALLOCATOR_VARIABLES.items() for its in workers.values())
    assert dict(os.environ) == environment
    assert told(shared) == told(whole)
    for fold in shared.folds:
        assert not set(fold.training) & set(fold.test)
        assert not set(fold.validation) & {*fold.training, *fold.test}
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    # Python's own book-keeper of shared memory stays as long as the program.
    assert all("resource_tracker" in " ".join(p.cmdline()) for p in left)
