"""Figure 5: the curves of the study, and of one resolution."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.evaluation.published_curves import points_of, read_points
from napari_spinemet.experiments.figures import export_figures
from napari_spinemet.experiments.figures.survey import (
    WITH_AGGREGATION,
    WITHOUT_AGGREGATION,
)
from napari_spinemet.network import save_model
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.study_froc import redraw_curve

from .figure_study import (
    MAPS,
    POINT,
    MappedStudy,
    contents,
    figure_index,
    small_net,
    source_of,
)


@pytest.mark.usefixtures("as_sketches")
def test_figure_5_tables_hold_the_curves(mapped_study: MappedStudy, tmp_path: Path) -> None:
    """Every raw point of the study's curve, as a table that can be read as a published one."""
    study, _ = mapped_study
    export_figures(study, tmp_path / "out", source_of(), POINT, numbers=[5])
    for name, weight in ((WITH_AGGREGATION, 0.4), (WITHOUT_AGGREGATION, None)):
        system = redraw_curve(study, MAPS, replace(POINT, weight=weight))
        assert system is not None
        curve = system.curve
        path = tmp_path / "out" / f"figure-5-{name}.csv"
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        for column, values in (
            ("threshold", curve.thresholds),
            ("tp_rate", curve.tp_rate),
            ("fp_mean_over_slices", curve.fp_mean),
            ("fp_per_scan", curve.fp_sum),
        ):
            assert [float(row[column]) for row in rows] == values.tolist()
        for reading, points in read_points(path).items():
            np.testing.assert_array_equal(points, points_of(curve)[reading])


@pytest.mark.usefixtures("as_sketches")
def test_a_network_with_one_resolution_is_the_third_curve(
    mapped_study: MappedStudy, tmp_path: Path
) -> None:
    """If the study says that it had one, and it has maps of the same cases."""
    study, cases = mapped_study
    for name in cases:
        likelihood = study.likelihood_map(study.case(name), MAPS)
        assert likelihood is not None
        fainter = replace(likelihood, values=likelihood.values * 0.7)
        study.save_likelihood_map(study.case(name), MapIdentity.of_cross_validation("one"), fainter)
        study.save_likelihood_map(
            study.case(name), MapIdentity.of_cross_validation("three"), fainter
        )
    for run, resolutions in (("one", (1.0,)), ("three", (0.5, 1.0, 2.0))):
        path = study.path / "crossval" / run / "fold-01-decay-0.001.safetensors"
        save_model(small_net(resolutions), path)
    export_figures(study, tmp_path / "out", source_of(), POINT, numbers=[5])
    facts = figure_index(tmp_path / "out")["figure-5"]
    third = facts["curves"]["one-resolution"]
    assert third["model"] == "crossval-one"
    assert third["tp_rate"] < facts["curves"]["with-aggregation"]["tp_rate"]
    assert "figure-5-one-resolution.csv" in facts["files"]
    assert "One resolution (1 mm/pixel)" in str(third["name"])
    # Without the map of a case it would be the curve of another cohort.
    next((study.path / "likelihood" / "crossval-one").glob("case-002*")).unlink()
    export_figures(study, tmp_path / "out", source_of(), POINT, numbers=[5])
    facts = figure_index(tmp_path / "out")["figure-5"]
    assert set(facts["curves"]) == {"with-aggregation", "without-aggregation"}
    assert "figure-5-one-resolution.csv" not in contents(tmp_path / "out")
