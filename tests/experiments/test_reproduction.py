"""The paper's comparisons by one call: in pieces, resumed, and judged as all else is."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.cli.app import app
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.evaluation.froc import froc
from napari_spinemet.experiments.reproduction import plan as plans
from napari_spinemet.experiments.reproduction import reproduce
from napari_spinemet.experiments.reproduction.plan import BUDGETS, MAIN, PATCH, SINGLE, SYSTEMS
from napari_spinemet.imaging import FrocCase
from napari_spinemet.jobs import CancelToken, Event, Progressed
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.study_froc import LOWEST

TINY = replace(BUDGETS["smoke"], name="tiny", cases=4, patch_cases=1, weight_decays=())


@pytest.fixture
def tiny_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cases and two folds of two batches."""
    monkeypatch.setitem(BUDGETS, "tiny", TINY)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One resolution, in three pieces: cut short while cases are made, and while maps are."""
    folder = tmp_path_factory.mktemp("reproduce")
    patched = pytest.MonkeyPatch()
    patched.setitem(BUDGETS, "tiny", TINY)
    options = {"budget": "tiny", "only": [SINGLE], "threads": 1}
    first = reproduce(folder, **options, minutes=0.01)
    assert first.results is None
    assert first.missing == (SINGLE,)
    token = CancelToken()

    def listen(event: Event) -> None:
        if isinstance(event, Progressed) and event.task == "map" and event.done == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        reproduce(folder, **options, on_event=listen, cancel=token)
    networks = {p: p.stat().st_mtime_ns for p in folder.rglob("*.safetensors")}
    assert len(networks) == 2
    last = reproduce(folder, **options)
    assert last.done == (SINGLE,)
    assert last.missing == ()
    assert last.results == folder / "results"
    # What was there was not made again.
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.safetensors")} == networks
    patched.undo()
    return folder


@pytest.mark.slow
def test_the_table_is_the_froc_of_the_maps(finished: Path) -> None:
    """Each row again from the kept maps, by the public function; every curve likewise."""
    told = json.loads((finished / "results" / "results.json").read_text())
    curves = json.loads((finished / "results" / "curves.json").read_text())
    study = Study(finished / "cohort")
    single = MapIdentity.of_cross_validation(SINGLE)
    cases = [
        FrocCase(case.name, ((study.likelihood_map(case, single), annotation),))
        for case, _, annotation in study.contoured_cases()
    ]
    assert len(cases) == 4
    rows = [row for row in told["systems"] if row["key"].startswith(SINGLE)]
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
        (drawn,) = (c for c in curves if (c["key"], c["settings"]) == (row["key"], row["settings"]))
        for reading in ("mean", "sum"):
            fp, tp = curve.envelope(reading)
            places, rates = drawn[reading]["fp"], drawn[reading]["tp_rate"]
            known = np.unique(fp[fp <= places[-1]])
            between = ((known[1:] + known[:-1]) / 2)[np.diff(known) > 1e-5]
            np.testing.assert_allclose(
                np.interp(between, places, rates), np.interp(between, fp, tp), atol=1e-4
            )


@pytest.mark.slow
def test_results_are_complete_and_agree_with_each_other(finished: Path) -> None:
    """Tables as text and CSV, figures, folds with seed and lambda; what was left out is said."""
    out = finished / "results"
    told = json.loads((out / "results.json").read_text())
    with (out / "systems.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["key"] for line in lines] == [row["key"] for row in told["systems"]]
    for line, row in zip(lines, told["systems"], strict=True):
        assert float(line["at_threshold_tp_rate"]) == row["at_threshold"]["tp_rate"]
    text = (out / "tables.md").read_text()
    assert TINY.said in text
    assert text.count("| one resolution (1 mm) |") == 2
    assert "intensity threshold" in text
    (question,) = {q["question"] for q in told["questions"]}
    assert question == "Does one resolution gain from aggregation?"
    for asked in told["questions"]:
        assert asked["cases"] == 4
        low, high = asked["area_interval"]
        assert low <= asked["area_difference"] <= high
        for name in ("p_bootstrap_two_sided", "p_sign_flip_two_sided", "fp_p_sign_flip_two_sided"):
            assert 0 < asked[name] <= 1
    folds = told["folds"][SINGLE]
    assert [f["seed"] for f in folds] == [0, 1]
    assert sorted(name for f in folds for name in f["test"]) == [
        f"case-{k:03d}" for k in range(1, 5)
    ]
    assert {f["weight_decay"] for f in folds} == {0.001}
    for settings in ("paper", "validated"):
        for ending in ("png", "svg"):
            # Figure 5 is of three resolutions beside one; of one alone it is drawn too.
            assert (out / f"figure-5-{settings}.{ending}").stat().st_size > 3000


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_budget")
def test_what_has_gone_missing_is_made_again(finished: Path, tmp_path: Path) -> None:
    """A map of the study, a network and a case: the same results, to the byte."""
    folder = tmp_path / "again"
    shutil.copytree(finished, folder)
    before = (folder / "results" / "results.json").read_bytes()
    run = folder / "cohort" / "crossval" / SINGLE
    (folder / "cohort" / "likelihood" / f"crossval-{SINGLE}" / "case-002.npz").unlink()
    (run / "map-002.npz").unlink()
    shutil.rmtree(folder / "results")
    shutil.rmtree(folder / "judged")
    reproduce(folder, budget="tiny", only=[SINGLE], threads=1)
    assert (folder / "results" / "results.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_budget")
def test_what_was_judged_is_enough_to_go_on_elsewhere(finished: Path, tmp_path: Path) -> None:
    """Without networks and maps: the same results to the byte, and nothing is trained.

    A damaged file, or one of other networks than lie beside it, is made again from the maps.
    """
    elsewhere, options = tmp_path / "elsewhere", {"budget": "tiny", "only": [SINGLE], "threads": 1}
    shutil.copytree(finished / "judged", elsewhere / "judged")
    shutil.copy(finished / "plan.json", elsewhere)
    assert reproduce(elsewhere, **options).done == (SINGLE,)
    assert not list(elsewhere.rglob("*.safetensors"))
    for name in ("results.json", "curves.json", "systems.csv", "questions.csv", "tables.md"):
        expected = (finished / "results" / name).read_bytes()
        assert (elsewhere / "results" / name).read_bytes() == expected
    here = tmp_path / "here"
    shutil.copytree(finished, here)
    place = here / "judged" / f"{SINGLE}.npz"
    report = here / "cohort" / "crossval" / SINGLE / "report.json"
    told = json.loads(report.read_text())
    for spoil in (
        lambda: place.write_bytes(place.read_bytes()[:-300]),
        lambda: report.write_text(json.dumps({**told, "note": "of other networks"})),
    ):
        spoil()
        reproduce(here, **options)
        expected = (finished / "results" / "tables.md").read_bytes()
        assert (here / "results" / "tables.md").read_bytes() == expected
    assert reproduce(here, **options).done == (SINGLE,)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_budget")
def test_a_fold_alone_gives_the_same_numbers(finished: Path, tmp_path: Path) -> None:
    """Elsewhere, by the seed, cases and lambda of its number; and nothing is judged."""
    reproduce(tmp_path, budget="tiny", only=[SINGLE], only_folds=[2], threads=1)
    alone = json.loads(
        (tmp_path / "cohort" / "crossval" / SINGLE / "report-fold-2.json").read_text()
    )
    whole = json.loads((finished / "cohort" / "crossval" / SINGLE / "report.json").read_text())
    assert alone["folds"] == whole["folds"][1:]
    assert not (tmp_path / "judged").exists()
    assert not (tmp_path / "results").exists()


@pytest.mark.usefixtures("tiny_budget")
def test_wrong_use_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such budget, no such network, another reproduction's folder, more folds than cases."""
    with pytest.raises(SpinemetError, match="reduced, full, smoke"):
        reproduce(tmp_path, budget="none")
    with pytest.raises(SpinemetError, match="There is no system 'two'; there are three, one"):
        reproduce(tmp_path, budget="tiny", only=["two"])
    assert list(tmp_path.iterdir()) == []
    plans.BUDGETS["tiny"] = replace(TINY, cases=2, folds=3)
    with pytest.raises(SpinemetError, match="2 cases cannot be split into 3 folds"):
        reproduce(tmp_path, budget="tiny", only=[SINGLE])
    with pytest.raises(SpinemetError, match="holds another reproduction"):
        reproduce(tmp_path, budget="tiny", seed=1)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(SpinemetError, match="holds another reproduction"):
        reproduce(tmp_path, budget="smoke")


def test_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A piece that is over at once says what is still to come and how to go on."""
    command = ["reproduce", str(tmp_path), "--budget", "smoke", "--minutes", "0.0001"]
    assert app(command, standalone_mode=False) in (None, 0)
    assert "nothing yet; still to come: three, one" in " ".join(capsys.readouterr().err.split())
    assert app([*command, "--json"], standalone_mode=False) in (None, 0)
    told = json.loads(capsys.readouterr().out)
    assert told == {"done": [], "missing": [s.key for s in SYSTEMS], "results": None}


def test_pieces_of_unlike_processors_compare() -> None:
    """No network is trained in whatever precision its machine is fast at."""
    for budget, system in product(BUDGETS.values(), SYSTEMS):
        assert budget.config(system).precision == "float32"


def test_every_comparison_of_the_paper_has_its_networks() -> None:
    """Forms, resolutions, patches and blocks as asked for; lambda is chosen for the main one."""
    by_key = {system.key: BUDGETS["reduced"].config(system) for system in SYSTEMS}
    assert by_key[MAIN].resolutions == (0.5, 1.0, 2.0)
    assert by_key[SINGLE].resolutions == (1.0,)
    assert by_key["quarter"].resolutions == (0.25, 1.0, 1.25)
    assert by_key["half"].resolutions == (0.5, 1.0, 1.5)
    assert by_key["blocks-111"].blocks == (1, 1, 1)
    assert (by_key[PATCH].form, by_key[PATCH].outputs) == ("patch", 2)
    assert by_key["one-small"].patch_shape < by_key[SINGLE].patch_shape
    assert by_key["one-large"].patch_shape > by_key[SINGLE].patch_shape
    assert by_key["zscore-slice"].zscore_sigma_mm > 1000
    for budget in BUDGETS.values():
        for system in SYSTEMS:
            assert (len(budget.decays(system)) > 1) == (system.key in (MAIN, SINGLE))
        assert budget.patch_cases <= budget.cases
    assert BUDGETS["full"].folds == 10
    assert BUDGETS["full"].patch_stride == 1
    # lambda is half of it: the paper tries 0.001, 0.01 and 0.1.
    assert set(np.array([0.001, 0.01, 0.1]) * 2) <= set(BUDGETS["full"].weight_decays)
