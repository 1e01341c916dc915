"""Whose maps are looked at, and when there is no need of any."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.experiments.figures import export_figures
from napari_spinemet.experiments.figures.survey import (
    WITH_AGGREGATION,
    survey_study,
)
from napari_spinemet.imaging import (
    OperatingPoint,
)
from napari_spinemet.network import ModelCard, save_model
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.map_source import MapSource

from .figure_study import (
    MAPS,
    POINT,
    MappedStudy,
    figure_index,
    small_net,
    source_of,
)


@pytest.mark.usefixtures("as_sketches")
def test_a_cross_validation_shows_its_own_maps(mapped_study: MappedStudy, tmp_path: Path) -> None:
    """Of the cases that it held; what it was trained with comes from its networks."""
    study, _ = mapped_study
    with pytest.raises(SpinemetError, match=r"no maps of a cross-validation 'run'; run 'spinemet"):
        MapSource.of_cross_validation(study, "run")
    likelihood = study.likelihood_map(study.case("case-002"), MAPS)
    assert likelihood is not None
    study.save_likelihood_map(
        study.case("case-002"), MapIdentity.of_cross_validation("run"), likelihood
    )
    with pytest.raises(SpinemetError, match="no longer in"):
        MapSource.of_cross_validation(study, "run")
    with pytest.raises(SpinemetError, match="there are run; choose one"):
        MapSource.of_cross_validation(study, "other")
    card = ModelCard(training={"config": {"flips": False, "variation": 0.5}})
    path = study.path / "crossval" / "run" / "fold-02-decay-0.001.safetensors"
    save_model(small_net((1.0, 2.0)), path, card)
    assert MapSource.of_cross_validation(study, "run").point is None
    point = OperatingPoint(0.7, 0.5, 0.4).to_dict()
    (path.parent / "report.json").write_text(json.dumps({"operating_point": point}))
    source = MapSource.of_cross_validation(study, "run")
    assert source.point == OperatingPoint(0.7, 0.5, 0.4)
    assert source.network.resolutions == (1, 2)
    survey = survey_study(study, source, POINT)
    assert [c.case_id for c in survey.curves[WITH_AGGREGATION].cases] == ["case-002"]
    export_figures(study, tmp_path / "out", source, POINT, numbers=[3, 6])
    figures = figure_index(tmp_path / "out")
    assert figures["figure-6"]["case"] == "case-002"
    assert figures["figure-6"]["model"] == "crossval-run"
    assert figures["figure-3"]["flips"] == ["as it is"]
    assert figures["figure-3"]["resolutions_mm"] == [1, 2]
    assert "without mirroring" in figures["figure-3"]["caption"]
    assert "turns, stretches" in figures["figure-3"]["caption"]
    with pytest.raises(SpinemetError, match="no likelihood map by crossval-run of case-001"):
        export_figures(study, tmp_path / "out", source, POINT, numbers=[6], case="case-001")


@pytest.mark.usefixtures("as_sketches")
def test_patches_and_contours_need_no_maps(
    mapped_study: MappedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network runs for figures that show none of its work."""
    study, _ = mapped_study
    monkeypatch.setattr(MapSource, "map_of", lambda *_, **__: pytest.fail("a map was asked for"))
    export_figures(study, tmp_path / "out", source_of(), POINT, numbers=[3, 4], case="case-002")
    figures = figure_index(tmp_path / "out")
    (lesion,) = figures["figure-3"]["lesions"]
    assert lesion["case"] == figures["figure-4"]["case"] == "case-002"


@pytest.mark.usefixtures("as_sketches")
def test_a_point_without_aggregation_takes_the_papers_weight(
    mapped_study: MappedStudy, tmp_path: Path
) -> None:
    """Figure 6 is of aggregated maps whatever a model uses, and says with what weight."""
    study, _ = mapped_study
    point = replace(POINT, weight=None)
    export_figures(study, tmp_path / "out", source_of(), point, numbers=[6])
    assert figure_index(tmp_path / "out")["figure-6"]["operating_point"]["weight"] == 0.4
