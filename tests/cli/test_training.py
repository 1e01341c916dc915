"""``spinemet train`` and ``crossval``, from a cohort made by ``phantom`` to ``froc``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.imaging import Annotation, OperatingPoint, SagittalSeries
from napari_spinemet.phantom import PhantomImage
from napari_spinemet.phantom.writing import write_case
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.study.run_files import cross_validated_point

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.usefixtures("thin_phantoms")
def test_phantom_train_froc_from_the_command_line(run: Run, tmp_path: Path) -> None:
    """A tiny cohort is made, trained on and judged, each by its command."""
    cohort = tmp_path / "cohort"
    assert run("phantom", cohort, "--cases", 3, "--seed", 41, "--generator", 2)[0] == 0
    assert json.loads((cohort / "cohort.json").read_text())["phantom"]["seed"] == 41
    status, stdout, _ = run(
        *("train", cohort, "--epochs", 1, "--batches", 2, "--resolutions", "1"),
        *("--name", "t", "--json"),
    )
    assert status == 0
    card = json.loads(stdout)
    assert card["training"]["cases"] == 2
    assert card["training"]["command"].startswith("spinemet train")
    assert card["training"]["data"][0]["phantom"]["cases"] == 3
    model = cohort / "models" / "t.safetensors"
    # A network after two batches finds nothing; the curve and its two readings are there.
    status, stdout, _ = run("froc", cohort, "--model", model, "--json")
    assert status == 0
    report = json.loads(stdout)
    assert report["cases"] == 3
    assert "tp_rate_at_0.20_fp_per_scan" in report["systems"]["network"]
    assert "tp_rate_at_0.20_fp_mean_over_slices" in report["systems"]["network"]
    status, stdout, stderr = run("froc", cohort, "--model", model)
    assert (status, stderr.strip()) == (0, "")
    assert "network" in stdout
    at = report["at_operating_point"]
    assert f"(threshold {at['threshold']:.2f}, {at['min_area_cm2']:g} cm²" in stdout
    points = report["systems"]["network"]["points"]
    assert points["threshold"] == sorted(points["threshold"], reverse=True)


def write_small_study(study: Path) -> None:
    """Three cases of three small slices, each with a lesion at a place of its own."""
    affine = np.array([[3, 0, 0, 0], [0, 0, 0.9, 0], [0, -0.9, 0, 0], [0, 0, 0, 1.0]])
    for number in range(1, 4):
        lesions = np.zeros((3, 60, 64), dtype=np.uint16)
        lesions[1, 12 + 4 * number : 20 + 4 * number, 28:36] = 1
        vertebrae = np.zeros_like(lesions)
        vertebrae[:, 8:52, 24:40] = 1
        noise = np.random.default_rng(number).normal(100, 10, lesions.shape)
        pixels = (noise + 60 * (lesions > 0)).astype(np.int16)
        series = SagittalSeries(pixels.astype(np.float32), affine)
        name = f"case-{number:03d}"
        annotation = Annotation(lesions, vertebrae, {1: "L2"})
        image = PhantomImage("stir", series, pixels)
        write_case(study / name, [image], annotation, {}, identity=name, name=name)


@pytest.mark.slow
def test_crossval_of_a_small_study(run: Run, tmp_path: Path) -> None:
    """Its maps are in the study, its report tells the folds, and another run of it is at once."""
    study = tmp_path / "study"
    write_small_study(study)
    options = ("--folds", 3, "--epochs", 1, "--batches", 1, "--scheduler", "none", "--json")
    status, stdout, err = run("crossval", study, *options)
    assert status == 0, err
    report = json.loads(stdout)
    tests = [fold["test"] for fold in report["folds"]]
    assert sorted(name for names in tests for name in names) == ["case-001", "case-002", "case-003"]
    for fold in report["folds"]:
        parts = [set(fold[k]) for k in ("training", "validation", "test")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 3
    assert set(report["froc"]) >= {"aggregated", "plain"}
    open_study = Study(study)
    for case in open_study.cases():
        likelihood = open_study.likelihood_map(case, MapIdentity.of_cross_validation("run"))
        assert likelihood is not None
        assert likelihood.model.startswith("crossval-")
    values = report["operating_point"]
    point = None if values is None else OperatingPoint(**values)
    assert cross_validated_point(open_study.path, "run") == point
    second_run = run("crossval", study, *options)
    assert json.loads(second_run[1])["froc"] == report["froc"]
    # One fold again by itself; its report does not take the place of the whole one's.
    whole = (study / "crossval" / "run" / "report.json").read_bytes()
    for name in ("run", "alone"):
        status, stdout, err = run("crossval", study, *options, "--fold", 2, "--name", name)
        assert status == 0, err
        assert json.loads(stdout)["folds"] == [report["folds"][1]]
        assert (study / "crossval" / name / "report-fold-2.json").is_file()
    assert (study / "crossval" / "run" / "report.json").read_bytes() == whole
    assert not (study / "crossval" / "alone" / "report.json").exists()
    status, _, err = run("crossval", study, "--folds", 9, "--scheduler", "none")
    assert status == 2
    assert "cannot be split into 9 folds" in err
    status, _, err = run("crossval", study, *options, "--seed", 4)
    assert status == 2
    assert "other settings or cases" in err
