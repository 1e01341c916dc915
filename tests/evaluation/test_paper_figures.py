"""Figures 3 to 8: what is drawn is what was given, and all of it can be read."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from napari_spinemet.disclaimer import DISCLAIMER
from napari_spinemet.evaluation import FrocCurve, froc
from napari_spinemet.evaluation.paper_figures import (
    FLIPS,
    FigureSlice,
    PatchGroup,
    contours_figure,
    likelihood_figure,
    patches_figure,
)
from napari_spinemet.evaluation.pictures import (
    CONTOUR_COLOUR,
    DETECTION_COLOUR,
    froc_figure,
)
from napari_spinemet.imaging import Annotation, Detection, FrocCase, LikelihoodMap

SPACING_MM = (1.25, 0.8)


def a_group(title: str = "(a) case-001, slice 5 of 13: 9.4 cm²", seed: int = 0) -> PatchGroup:
    rng = np.random.default_rng(seed)
    patches = rng.normal(size=(3, 79, 55)).astype(np.float32)
    lesions = np.zeros(patches.shape, dtype=bool)
    lesions[:, 30:50, 10:30] = True
    return PatchGroup(title, (0.5, 1.0, 2.0), patches, lesions)


def a_detection(top: int, left: int) -> Detection:
    pixels = np.argwhere(np.ones((12, 14))) + np.array([top, left])
    row, column = pixels.mean(axis=0)
    at = (0.0, row, column)
    return Detection(0, 1.68, (row, column), at, at, 0.9, 0.8, pixels.astype(np.int32))


def a_slice(index: int, false_positives: tuple[Detection, ...] = ()) -> FigureSlice:
    """96 x 150 pixels of 1.25 x 0.8 mm: 120 x 120 mm, with a lesion in front of the middle."""
    image = np.random.default_rng(index).normal(100, 20, (96, 150)).astype(np.float32)
    lesions, vertebrae = np.zeros((2, 96, 150), dtype=np.uint16)
    lesions[30:40, 60:75] = 1
    vertebrae[25:45, 55:80] = 1
    vertebrae[50:70, 55:80] = 2
    likelihood = np.zeros((120, 120), dtype=np.float32)
    likelihood[36:50, 46:62] = 0.9
    one = (a_detection(37, 47),)
    picture = FigureSlice(
        index, 13, image, SPACING_MM, lesions, vertebrae, likelihood, one, false_positives
    )
    assert picture.title == f"slice {index + 1} of 13"
    return picture


def the_slices() -> list[FigureSlice]:
    return [a_slice(4), a_slice(5, (a_detection(80, 40), a_detection(60, 74))), a_slice(6)]


def a_curve() -> tuple[str, FrocCurve]:
    values = np.zeros((4, 60, 80), dtype=np.float32)
    values[1, 10:24, 30:44] = 0.8
    values[2, 40:50, 30:44] = 0.6
    lesions = np.zeros(values.shape, dtype=np.uint16)
    lesions[1, 10:24, 30:44] = 1
    likelihood = LikelihoodMap(values, np.eye(4), (0, 80), (1.0, 1.0, 1.0))
    case = FrocCase("case-001", ((likelihood, Annotation(lesions, np.zeros_like(lesions))),))
    return "With aggregation", froc([case], min_area_cm2=0.5)


FIGURES = {
    "patches": lambda: patches_figure([a_group(), a_group("(b) case-002, slice 1 of 13: 0.4 cm²")]),
    "one patch": lambda: patches_figure([a_group()], with_flips=False),
    "contours": lambda: contours_figure(a_slice(4)),
    "froc": lambda: froc_figure([a_curve(), a_curve()], 0.7, slices=13),
    "maps": lambda: likelihood_figure(
        the_slices(), (30, 90), "case-001, likelihood aggregated, weight 0.4, threshold 0.60"
    ),
    "two maps": lambda: likelihood_figure(the_slices()[:2], (30, 90), "case-001, threshold 0.60"),
}


def visible_texts(figure: Figure) -> list[Text]:
    """Texts that are seen, once all is in its place."""
    FigureCanvasAgg(figure).draw()
    hidden_labels = {  # ticks that no one sees
        label
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    every = [t for t in figure.findobj(Text) if t not in hidden_labels]
    return [t for t in every if t.get_visible() and t.get_text().strip()]


@pytest.mark.parametrize("name", FIGURES)
def test_every_text_fits_and_none_covers_another(name: str) -> None:
    """Titles, letters, legends and the notice lie within the figure and beside each other."""
    figure = FIGURES[name]()
    texts = visible_texts(figure)
    assert sum(t.get_text() == DISCLAIMER for t in texts) == 1
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts]
    width, height = figure.get_size_inches() * figure.dpi
    for text, box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1, text  # noqa: PT018
        assert box.x1 <= width + 1 and box.y1 <= height + 1, text  # noqa: PT018
    for (one, a), (other, b) in combinations(boxes, 2):
        columns = min(a.x1, b.x1) - max(a.x0, b.x0)
        rows = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(columns, rows) < 1, f"'{one}' covers '{other}'"


def letters(ax: object) -> dict[str, str]:
    """What stands at the left, right, top and bottom of a picture."""
    sides = {(0, 0.5): "left", (1, 0.5): "right", (0.5, 1): "top", (0.5, 0): "bottom"}
    by_side = {}
    for text in ax.texts:
        if text.get_text() in "APHF":
            x, y = (0.5 if abs(v - 0.5) < 0.1 else round(v) for v in text.get_position())
            by_side[sides[x, y]] = text.get_text()
    return by_side


def test_patches_and_their_contours_are_mirrored_alike() -> None:
    """Each column is numpy's mirror image, and the letters move with it."""
    groups = [a_group(seed=1), a_group(seed=2)]
    figure = patches_figure(groups)
    assert len(figure.subfigs) == 2
    mirrors = {
        "as it is": (np.s_[:, :], "AP", "HF"),
        "left-right": (np.s_[:, ::-1], "PA", "HF"),
        "top-bottom": (np.s_[::-1, :], "AP", "FH"),
        "both ways": (np.s_[::-1, ::-1], "PA", "FH"),
    }
    assert [name for name, _ in FLIPS] == list(mirrors)
    for part, group in zip(figure.subfigs, groups):
        axes = np.array(part.axes).reshape(3, 4)
        for k, row in enumerate(axes):
            assert row[0].get_ylabel() == f"{group.resolutions[k]:g} mm/pixel"
            for ax, (index, across, down) in zip(row, mirrors.values()):
                np.testing.assert_array_equal(ax.images[0].get_array(), group.patches[k][index])
                expected = dict(zip(("left", "right", "top", "bottom"), across + down))
                assert letters(ax) == expected
                corners = ax.collections[0].get_paths()[0].vertices
                inside = np.argwhere(group.lesions[k][index])[:, ::-1]
                np.testing.assert_allclose(corners.min(axis=0), inside.min(axis=0) - 0.5)
                np.testing.assert_allclose(corners.max(axis=0), inside.max(axis=0) + 0.5)


def test_a_patch_inside_a_lesion_has_no_contour_and_one_that_leaves_it_an_open_one() -> None:
    """No border of a lesion is drawn where only the patch ends."""
    group = a_group()
    group.lesions[0] = True
    group.lesions[1] = False
    group.lesions[1, 20:40] = True
    axes = patches_figure([group], with_flips=False).subfigs[0].axes
    assert not axes[0].collections
    (path,) = axes[1].collections[0].get_paths()
    lines = path.to_polygons(closed_only=False)
    assert [np.ptp(line, axis=0).tolist() for line in lines] == [[54, 0], [54, 0]]
    assert [line[0, 1] for line in lines] == [19.5, 39.5]


@pytest.mark.parametrize("name", ["contours", "maps"])
def test_front_is_left_and_head_is_up_where_mm_are_true(name: str) -> None:
    """Columns run to the right, rows down, and a mm is as long across as along."""
    figure = FIGURES[name]()
    FigureCanvasAgg(figure).draw()
    pictures = [ax for ax in figure.axes if letters(ax)]
    assert len(pictures) == (1 if name == "contours" else 6)
    for ax in pictures:
        assert letters(ax) == {"left": "A", "right": "P", "top": "H", "bottom": "F"}
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        assert left < right
        assert top < bottom
        box = ax.get_window_extent()
        assert box.width / (right - left) == pytest.approx(box.height / (bottom - top), rel=0.01)


def test_maps_lie_below_their_slices() -> None:
    """The same borders, the same size, and outlines in mm on both; false positives are named."""
    figure = likelihood_figure(the_slices(), (30, 90))
    FigureCanvasAgg(figure).draw()
    axes = np.array(figure.axes[:6]).reshape(2, 3)
    legend = axes[1, 0].get_legend().get_window_extent()
    assert legend.y1 <= axes[1, 0].get_window_extent().y0
    for image, heat, picture in zip(*axes, the_slices()):
        upper, lower = image.get_window_extent(), heat.get_window_extent()
        assert (upper.x0, upper.width, upper.height) == pytest.approx(
            (lower.x0, lower.width, lower.height), abs=0.5
        )
        assert image.get_xlim() == heat.get_xlim() == (29.5, 89.5)
        np.testing.assert_array_equal(heat.images[0].get_array(), picture.likelihood)
        for ax in (image, heat):
            assert len(ax.lines) == 1 + len(picture.false_positives)
            assert {line.get_color() for line in ax.lines} == {DETECTION_COLOUR}
            assert [t.get_text() for t in ax.texts].count("FP") == len(picture.false_positives)
            lesion = ax.collections[0].get_paths()[0].vertices
            np.testing.assert_allclose(lesion.min(axis=0), [59.5 * 0.8, 29.5 * 1.25])
            np.testing.assert_allclose(lesion.max(axis=0), [74.5 * 0.8, 39.5 * 1.25])
            outline = ax.lines[0].get_xydata()
            np.testing.assert_allclose(outline.min(axis=0), [46.5, 36.5])


def test_a_lesion_beside_the_evaluated_columns_is_not_cut_off() -> None:
    """The borders widen to it."""
    picture = a_slice(4)
    picture.lesions[50:60, 130:140] = 2
    (left, right) = likelihood_figure([picture], (30, 90)).axes[0].get_xlim()
    assert left == 29.5
    assert right >= 139 * 0.8


def test_lesions_are_red_and_each_vertebra_is_blue() -> None:
    """One contour a label: neighbours that touch stay two."""
    picture = a_slice(4)
    picture.vertebrae[45:50, 55:80] = 1
    (ax,) = contours_figure(picture).axes
    colours = [tuple(np.round(c.get_edgecolor()[0], 3)) for c in ax.collections]
    both_colours = (to_rgba(c) for c in (CONTOUR_COLOUR, DETECTION_COLOUR))
    red, blue = (tuple(np.round(c, 3)) for c in both_colours)
    assert colours == [blue, blue, red]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["lesion", "vertebra"]
    picture.vertebrae[:] = 0
    (ax,) = contours_figure(picture).axes
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["lesion"]
