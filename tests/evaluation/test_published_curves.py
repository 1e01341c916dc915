"""Curves of others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation import froc_from_detections
from napari_spinemet.evaluation.curve import MEAN, SUM
from napari_spinemet.evaluation.published_curves import PAPER, points_of, read_points

CURVE = froc_from_detections(
    [[([(50.0, 50.0)], [(50, 52, 0.9), (150, 20, 0.5)]), ([], [(10, 10, 0.7)])]]
)


def test_what_was_exported_comes_back(tmp_path: Path) -> None:
    """Both readings, from a table and from JSON."""
    columns = {
        "threshold": CURVE.thresholds.tolist(),
        "tp_rate": CURVE.tp_rate.tolist(),
        "fp_mean_over_slices": CURVE.fp_mean.tolist(),
        "fp_per_scan": CURVE.fp_sum.tolist(),
    }
    table, plain, whole = (tmp_path / name for name in ("a.csv", "b.json", "c.json"))
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values()))]
    table.write_text("\n".join(lines), encoding="utf-8")
    plain.write_text(json.dumps(columns))
    whole.write_text(json.dumps({"cases": 1, "systems": {"network": {"points": columns}}}))
    for path in (table, plain, whole):
        points_by_reading = read_points(path)
        for reading, points in points_of(CURVE).items():
            np.testing.assert_allclose(points_by_reading[reading], points)


def test_one_reading_is_enough(tmp_path: Path) -> None:
    """Points in any order; the other reading is not made up."""
    path = tmp_path / "paper.csv"
    path.write_text("fp_mean_over_slices, tp_rate\n0.4,1\n0.2,0.891\n", encoding="utf-8")
    points_by_reading = read_points(path)
    assert set(points_by_reading) == {MEAN}
    np.testing.assert_allclose(points_by_reading[MEAN], ([0, 0.2, 0.4], [0, 0.891, 1]))
    assert np.interp(0.2, *PAPER[MEAN]) == pytest.approx(0.891)
    assert SUM not in PAPER  # the paper gives means over slices only


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tp_rate\n0.5\n",
        "tp_rate,fp_per_scan\n",
        "tp_rate,fp_per_scan\n1.2,3\n",
        "tp_rate,fp_per_scan\n0.5\n",
        "tp_rate,fp_per_scan\n0.5,many\n",
        "tp_rate,fp_per_scan\n0.5,-1\n",
        "tp_rate,fp_per_scan\nnan,1\n",
        "{",
        '{"systems": {"other": {}}}',
        '{"tp_rate": [0.5], "fp_per_scan": 3}',
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    """In one sentence that names the file and what it should hold."""
    path = tmp_path / "curve.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpinemetError, match=r"curve\.csv holds no FROC curve.*tp_rate"):
        read_points(path)
    with pytest.raises(SpinemetError, match="cannot be read"):
        read_points(tmp_path)
