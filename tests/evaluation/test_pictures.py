"""Pictures for reports."""

from __future__ import annotations

import numpy as np

from napari_spinemet.evaluation.curve import MEAN, SUM
from napari_spinemet.evaluation.pictures import froc_figure, render_figure

from .test_paper_figures import FIGURES, a_curve


def test_curves_are_drawn_in_both_readings() -> None:
    """Mean over slices at the left and, so many slices wider, their sum at the right."""
    name_and_curve = a_curve()
    mean, total = froc_figure([name_and_curve], 0.7, slices=4).axes
    for ax, reading, word, limit in ((mean, MEAN, "mean", 0.5), (total, SUM, "sum", 2.0)):
        assert f"{word} over slices" in ax.get_xlabel()
        assert ax.get_xlim()[1] == limit
        fp, tp = name_and_curve[1].envelope(reading)
        line, dot = ax.lines
        np.testing.assert_array_equal(line.get_xdata()[: len(fp)], fp)
        np.testing.assert_array_equal(line.get_ydata()[: len(tp)], tp)
        rate, *at = name_and_curve[1].at(0.7)
        np.testing.assert_array_equal(dot.get_xydata(), [[at[reading == SUM], rate]])


def test_the_same_figure_gives_the_same_bytes() -> None:
    """No time, no random names; a PNG of 200 dots an inch and an SVG."""
    one, other = (render_figure(FIGURES["contours"]()) for _ in range(2))
    assert one == other
    assert one["png"][:4] == b"\x89PNG"
    assert b"<svg" in one["svg"]
    assert b"<dc:date>" not in one["svg"]
