"""Results of a system are kept in one file, and files of before are still read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.experiments.reproduction import Reproduction, reproduce
from napari_spinemet.experiments.reproduction.plan import REVISION
from napari_spinemet.experiments.reproduction.system_results import load_results, save_results

DOCUMENTS = Path(__file__).parents[3] / "docs" / "experiments"


KEYS = sorted(path.stem for path in (DOCUMENTS / "judged").glob("*.npz"))


@pytest.mark.parametrize("key", KEYS)
def test_the_files_of_the_documents_are_read(key: str) -> None:
    """Each row again as its table says."""
    results = load_results(DOCUMENTS / "judged" / f"{key}.npz")
    assert results is not None
    table = json.loads((DOCUMENTS / "results" / "results.json").read_text(encoding="utf-8"))
    lines = {(line["key"], line["settings"]): line for line in table["systems"]}
    for row in results.rows:
        line = lines[row.key, row.settings]
        assert row.point.to_dict() == line["operating_point"]
        assert row.curve.area() == line["area_to_0.5_fp_mean_over_slices"]
        assert row.curve.at(row.point.threshold) == tuple(line["at_threshold"].values())
    assert results.report["folds"] == table["folds"][key]


def test_what_is_written_is_what_was_read(tmp_path: Path) -> None:
    """Under the same names, with the same numbers; a damaged file is none."""
    source, path = DOCUMENTS / "judged" / "one.npz", tmp_path / "one.npz"
    results = load_results(source)
    assert results is not None
    save_results(results, path)
    with np.load(source) as former, np.load(path) as contents:
        assert contents.files == former.files
        for name in contents.files:
            np.testing.assert_array_equal(contents[name], former[name])
    path.write_bytes(path.read_bytes()[:-300])
    assert load_results(path) is None
    assert load_results(tmp_path / "none.npz") is None


def test_the_plan_of_the_documents_is_of_a_revision_that_is_refused(tmp_path: Path) -> None:
    """The second: no table mixes it with this one, and the folder stays as it is."""
    folder = tmp_path / "documents"
    shutil.copytree(DOCUMENTS, folder)
    former = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert plan == {"budget": "reduced", "seed": 0, "cohort_seed": 2017, "revision": 2}
    assert len(KEYS) == 9
    assert plan["revision"] < REVISION
    with pytest.raises(SpinemetError) as refused:
        reproduce(folder, Reproduction("reduced", only_systems=("three",)))
    assert str(refused.value) == (
        f"{folder} holds a reproduction of revision 2, which another version of this program made; "
        f"this one makes revision {REVISION}: choose another folder."
    )
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == former
