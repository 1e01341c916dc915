"""A study with maps that figures are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from napari_spinemet.experiments.figures import export
from napari_spinemet.imaging import (
    Annotation,
    SagittalSeries,
)
from napari_spinemet.imaging.grids import working_shape
from napari_spinemet.study import Case, Study

from .figure_study import (
    MAPS,
    SHAPE,
    SPACING_MM,
    MappedStudy,
    map_of_values,
)


@pytest.fixture
def mapped_study(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_series: Callable[..., SagittalSeries],
) -> MappedStudy:
    """Two cases with lesions and one without, as scans in memory and maps on disk.

    Everywhere each lesion is found. In slice 3 of case-002 both maps have a false positive, in
    slice 1 of case-001 the plain map alone.
    """
    study, cases = Study(tmp_path / "study", create=True), {}
    for number, name in enumerate(("case-001", "case-002", "normal-001")):
        (study.path / name / "scan").mkdir(parents=True)
        (study.path / name / "contours").mkdir()
        (study.path / name / "contours" / "contours.dcm").write_text("drawn")
        series = make_series(shape=SHAPE, spacing_mm=SPACING_MM, seed=number)
        lesions, vertebrae = np.zeros((2, *SHAPE), dtype=np.uint16)
        vertebrae[:, 10:40, 30:60] = 1
        # Below a thousandth curves stand still.
        rng = np.random.default_rng(number)
        values = 0.002 * rng.random(working_shape(series.shape, series.affine))
        if number < 2:
            lesions[1:4, 12:24, 32:48] = 1 + number
            values[1:4, 14:31, 25:40] = 0.9
        if number == 0:
            lesions[2, 30:35, 50:58] = 2
            values[2, 36:45, 38:48] = 0.95
            values[1, 66:76, 55:65] = 0.8
        if number == 1:
            values[2:5, 70:80, 20:32] = 0.7
        cases[name] = series, Annotation(lesions, vertebrae)
        study.save_likelihood_map(Case(study.path / name), MAPS, map_of_values(series, values))

    def contoured_cases(
        self: Study, names: Sequence[str] | None = None
    ) -> Iterator[tuple[Case, SagittalSeries, Annotation]]:
        for case in self.cases():
            if names is None or case.name in names:
                yield case, *cases[case.name]

    monkeypatch.setattr(Study, "contoured_cases", contoured_cases)
    return study, cases


@pytest.fixture
def as_sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not rendered, which takes a second each; their files hold their lines."""

    def render_figure(figure: Figure) -> dict[str, bytes]:
        lines = [line.get_xydata().tolist() for line in figure.findobj(Line2D)]
        return {kind: f"{kind} {lines}".encode() for kind in ("png", "svg")}

    monkeypatch.setattr(export, "render_figure", render_figure)
