"""Tables, answers and figures are those of the maps, and agree with each other."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.evaluation.froc import froc
from napari_spinemet.experiments.reproduction.plan import SINGLE
from napari_spinemet.imaging import FrocCase
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.study_froc import LOWEST

from .tiny_budget import TINY


@pytest.mark.slow
def test_the_table_is_the_froc_of_the_maps(finished_reproduction: Path) -> None:
    """Each row again from the kept maps, by the public function; every curve likewise."""
    results = json.loads((finished_reproduction / "results" / "results.json").read_text())
    curves = json.loads((finished_reproduction / "results" / "curves.json").read_text())
    study = Study(finished_reproduction / "cohort")
    single = MapIdentity.of_cross_validation(SINGLE)
    cases = [
        FrocCase(case.name, ((study.likelihood_map(case, single), annotation),))
        for case, _, annotation in study.contoured_cases()
    ]
    assert len(cases) == 4
    rows = [row for row in results["systems"] if row["key"].startswith(SINGLE)]
    assert [(row["key"], row["settings"]) for row in rows] == [
        (f"{SINGLE}{plain}", settings)
        for settings in ("paper", "validated")
        for plain in ("", " plain")
    ]
    for row in rows:
        point = row["operating_point"]
        assert (point["weight"] is None) == row["key"].endswith("plain")
        curve = froc(
            cases,
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
    assert "intensity threshold" in text
    (question,) = {q["question"] for q in results["questions"]}
    assert question == "Does one resolution gain from aggregation?"
    for comparison in results["questions"]:
        assert comparison["cases"] == 4
        low, high = comparison["area_interval"]
        assert low <= comparison["area_difference"] <= high
        for name in ("p_bootstrap_two_sided", "p_sign_flip_two_sided", "fp_p_sign_flip_two_sided"):
            assert 0 < comparison[name] <= 1
    folds = results["folds"][SINGLE]
    assert [f["seed"] for f in folds] == [0, 1]
    assert sorted(name for f in folds for name in f["test"]) == [
        f"case-{k:03d}" for k in range(1, 5)
    ]
    assert {f["weight_decay"] for f in folds} == {0.001}
    for settings in ("paper", "validated"):
        for suffix in ("png", "svg"):
            # Figure 5 is of three resolutions beside one; of one alone it is drawn too.
            assert (folder / f"figure-5-{settings}.{suffix}").stat().st_size > 3000
