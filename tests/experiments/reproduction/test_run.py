"""The paper's comparisons in pieces: resumed, taken elsewhere, and made again where lost."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.experiments.reproduction import Reproduction, reproduce
from napari_spinemet.experiments.reproduction import plan as plans
from napari_spinemet.experiments.reproduction.plan import SINGLE

from .tiny_budget import ONE_THREAD, TINY, task_of


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
    shutil.rmtree(folder / "judged")
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
    assert reproduce(other_folder, task_of(), workers=ONE_THREAD).evaluated_systems == (SINGLE,)
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
    assert reproduce(folder, task_of(), workers=ONE_THREAD).evaluated_systems == (SINGLE,)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_budget")
def test_a_fold_alone_gives_the_same_numbers(finished_reproduction: Path, tmp_path: Path) -> None:
    """Elsewhere, by the seed, cases and lambda of its number; and nothing is judged."""
    reproduce(tmp_path, task_of(only_folds=(2,)), workers=ONE_THREAD)
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
