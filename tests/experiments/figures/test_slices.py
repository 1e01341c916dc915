"""Figures 6 to 8 mark what their captions count."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from napari_spinemet.experiments.figures import export, export_figures

from .figure_study import (
    POINT,
    MappedStudy,
    figure_index,
    source_of,
)


def test_false_positives_are_marked_in_each_map(
    mapped_study: MappedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the slice and in its map, as many as the caption counts."""
    study, _ = mapped_study
    figures: list[Figure] = []
    monkeypatch.setattr(export, "render_figure", lambda figure: figures.append(figure) or {})
    export_figures(study, tmp_path / "out", source_of(), POINT, numbers=[6, 7, 8])
    counts = [
        facts["false_positives"]["shown"] for facts in figure_index(tmp_path / "out").values()
    ]
    marks = [[t.get_text() for t in figure.findobj(Text)].count("FP") for figure in figures]
    assert counts == [0, 1, 2]
    assert marks == [0, 2, 4]
