"""The paper's comparisons in pieces: what they show, resumed, taken elsewhere, made again."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation.froc import froc
from napari_spinemet.experiments.reproduction import Reproduction, reproduce
from napari_spinemet.experiments.reproduction import plan as plans
from napari_spinemet.experiments.reproduction.plan import AGAIN_SUFFIX, OTHER_SEEDS, SINGLE
from napari_spinemet.imaging import FrocCase
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.study_froc import LOWEST

from .tiny_budget import ONE_THREAD, TINY, task_of

TWICE = SINGLE, SINGLE + AGAIN_SUFFIX


def _mapped_cases(study: Study, key: str) -> list[FrocCase]:
    identity = MapIdentity.of_cross_validation(key)
    cases = [
        FrocCase(case.name, ((study.likelihood_map(case, identity), annotation),))
        for case, _, annotation in study.contoured_cases()
    ]
    assert len(cases) == 4
    return cases


def _without_change(key: str) -> str:
    """The key of a row, whichever way the gate was changed."""
    return key.replace(" with gate", " gate").replace(" no gate", " gate")


@pytest.mark.slow
def test_the_table_is_the_froc_of_the_maps(finished_reproduction: Path) -> None:
    """Each row again from the kept maps, by the public function; every curve likewise."""
    results = json.loads((finished_reproduction / "results" / "results.json").read_text())
    curves = json.loads((finished_reproduction / "results" / "curves.json").read_text())
    study = Study(finished_reproduction / "cohort")
    cases = {key: _mapped_cases(study, key) for key in TWICE}
    rows = [row for row in results["systems"] if row["key"].startswith(SINGLE)]
    keys = [f"{key}{word}" for key in TWICE for word in ("", " plain", " gate")]
    assert sorted((row["settings"], _without_change(row["key"])) for row in rows) == sorted(
        (settings, key) for settings in ("paper", "validated") for key in keys
    )
    gate_of = {(r["key"], r["settings"]): r["operating_point"]["gate"] for r in rows}
    for row in rows:
        point = row["operating_point"]
        key, _, word = row["key"].partition(" ")
        assert (point["weight"] is None) == (word == "plain")
        # The gate is as the system's own, unless the row is the one that has it otherwise.
        assert (point["gate"] != gate_of[key, row["settings"]]) == word.endswith("gate")
        assert word not in ("with gate", "no gate") or point["gate"] == (word == "with gate")
        curve = froc(
            cases[key],
            weight=point["weight"],
            min_area_cm2=point["min_area_cm2"],
            gate=point["gate"],
            lowest=LOWEST,
        )
        assert row["area_to_0.5_fp_mean_over_slices"] == pytest.approx(curve.area(), abs=1e-12)
        rate, mean, total = curve.at(point["threshold"])
        assert row["at_threshold"] == {
            "tp_rate": pytest.approx(rate),
            "fp_mean_over_slices": pytest.approx(mean),
            "fp_per_scan": pytest.approx(total),
        }
        (corners,) = (
            c for c in curves if (c["key"], c["settings"]) == (row["key"], row["settings"])
        )
        for reading in ("mean", "sum"):
            fp, tp = curve.envelope(reading)
            levels, rates = corners[reading]["fp"], corners[reading]["tp_rate"]
            steps = np.unique(fp[fp <= levels[-1]])
            middles = ((steps[1:] + steps[:-1]) / 2)[np.diff(steps) > 1e-5]
            np.testing.assert_allclose(
                np.interp(middles, levels, rates), np.interp(middles, fp, tp), atol=1e-4
            )


@pytest.mark.slow
def test_results_are_complete_and_agree_with_each_other(finished_reproduction: Path) -> None:
    """Tables as text and CSV, figures, folds with seed and lambda; what was left out is said."""
    folder = finished_reproduction / "results"
    results = json.loads((folder / "results.json").read_text())
    with (folder / "systems.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["key"] for line in lines] == [row["key"] for row in results["systems"]]
    for line, row in zip(lines, results["systems"], strict=True):
        assert float(line["at_threshold_tp_rate"]) == row["at_threshold"]["tp_rate"]
    text = (folder / "tables.md").read_text()
    assert TINY.omissions in text
    assert text.count("| one resolution (1 mm) |") == 2
    assert text.count("| one resolution (1 mm), trained again |") == 2
    assert "intensity threshold" in text
    # Each at both kinds of settings.
    assert Counter((q["question"], q["training"]) for q in results["questions"]) == {
        ("Does aggregation help one resolution?", "first"): 2,
        ("Does aggregation help one resolution?", "second"): 2,
        ("Does the gate help one resolution?", "first"): 2,
        ("Does the gate help one resolution?", "second"): 2,
        ("How far apart are two trainings of one resolution?", "both"): 2,
    }
    for comparison in results["questions"]:
        assert comparison["cases"] == 4
        low, high = comparison["area_interval"]
        assert low <= comparison["area_difference"] <= high
        for name in ("p_bootstrap_two_sided", "p_sign_flip_two_sided", "fp_p_sign_flip_two_sided"):
            assert 0 <= comparison[name] <= 1
    for key, shift in zip(TWICE, (0, OTHER_SEEDS)):
        folds = results["folds"][key]
        assert [f["seed"] for f in folds] == [shift, shift + 1]
        assert [f["test"] for f in folds] == [f["test"] for f in results["folds"][SINGLE]]
        assert sorted(name for f in folds for name in f["test"]) == [
            f"case-{k:03d}" for k in range(1, 5)
        ]
        assert {f["weight_decay"] for f in folds} == {0.001}
    for settings in ("paper", "validated"):
        for suffix in ("png", "svg"):
            # Figure 5 is of three resolutions beside one; of one alone it is drawn too.
            assert (folder / f"figure-5-{settings}.{suffix}").stat().st_size > 3000


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_budget")
def test_what_has_gone_missing_is_made_again(finished_reproduction: Path, tmp_path: Path) -> None:
    """A map of the study, a network and a case: the same results, to the byte."""
    folder = tmp_path / "again"
    shutil.copytree(finished_reproduction, folder)
    former = (folder / "results" / "results.json").read_bytes()
    run = folder / "cohort" / "crossval" / SINGLE
    (folder / "cohort" / "likelihood" / f"crossval-{SINGLE}" / "case-002.npz").unlink()
    (run / "map-002.npz").unlink()
    shutil.rmtree(folder / "results")
    (folder / "judged" / f"{SINGLE}.npz").unlink()
    reproduce(folder, task_of(), workers=ONE_THREAD)
    assert (folder / "results" / "results.json").read_bytes() == former


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_budget")
def test_what_was_judged_is_enough_to_go_on_elsewhere(
    finished_reproduction: Path, tmp_path: Path
) -> None:
    """Without networks and maps: the same results to the byte, and nothing is trained.

    A damaged file, or one of other networks than lie beside it, is made again from the maps.
    """
    other_folder = tmp_path / "elsewhere"
    shutil.copytree(finished_reproduction / "judged", other_folder / "judged")
    shutil.copy(finished_reproduction / "plan.json", other_folder)
    assert reproduce(other_folder, task_of(), workers=ONE_THREAD).evaluated_systems == TWICE
    assert not list(other_folder.rglob("*.safetensors"))
    for name in ("results.json", "curves.json", "systems.csv", "questions.csv", "tables.md"):
        content = (finished_reproduction / "results" / name).read_bytes()
        assert (other_folder / "results" / name).read_bytes() == content
    folder = tmp_path / "here"
    shutil.copytree(finished_reproduction, folder)
    path = folder / "judged" / f"{SINGLE}.npz"
    report = folder / "cohort" / "crossval" / SINGLE / "report.json"
    former_report = json.loads(report.read_text())
    for spoil in (
        lambda: path.write_bytes(path.read_bytes()[:-300]),
        lambda: report.write_text(json.dumps({**former_report, "note": "of other networks"})),
    ):
        spoil()
        reproduce(folder, task_of(), workers=ONE_THREAD)
        content = (finished_reproduction / "results" / "tables.md").read_bytes()
        assert (folder / "results" / "tables.md").read_bytes() == content
    assert reproduce(folder, task_of(), workers=ONE_THREAD).evaluated_systems == TWICE


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_budget")
def test_a_fold_alone_gives_the_same_numbers(finished_reproduction: Path, tmp_path: Path) -> None:
    """Elsewhere, by the seed, cases and lambda of its number; and nothing is judged."""
    reproduce(tmp_path, task_of(only_folds=(2,), only_systems=(SINGLE,)), workers=ONE_THREAD)
    one_fold = json.loads(
        (tmp_path / "cohort" / "crossval" / SINGLE / "report-fold-2.json").read_text()
    )
    whole = json.loads(
        (finished_reproduction / "cohort" / "crossval" / SINGLE / "report.json").read_text()
    )
    assert one_fold["folds"] == whole["folds"][1:]
    assert not (tmp_path / "judged").exists()
    assert not (tmp_path / "results").exists()


@pytest.mark.usefixtures("tiny_budget")
def test_wrong_use_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such budget, no such network, another reproduction's folder, more folds than cases."""
    with pytest.raises(SpinemetError, match="reduced, full, smoke"):
        reproduce(tmp_path, Reproduction("none"))
    with pytest.raises(SpinemetError, match="There is no system 'two'; there are three, one"):
        reproduce(tmp_path, task_of(only_systems=("two",)))
    assert list(tmp_path.iterdir()) == []
    plans.BUDGETS["tiny"] = replace(TINY, cases=2, folds=3)
    with pytest.raises(SpinemetError, match="2 cases cannot be split into 3 folds"):
        reproduce(tmp_path, task_of())
    with pytest.raises(SpinemetError, match="holds another reproduction"):
        reproduce(tmp_path, Reproduction("tiny", seed=1))
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(SpinemetError, match="holds another reproduction"):
        reproduce(tmp_path, Reproduction("smoke"))
