"""Figure 3: what the network sees of a lesion, and what training makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...evaluation.paper_figures import FLIPS, PatchGroup, patches_figure
from ...imaging import Annotation, SagittalSeries
from ...imaging.brightness.marrow_level import MarrowLevel
from ...imaging.brightness.normalisation import zscore
from ...imaging.grids import resample_labels
from ...imaging.patches import build_pyramid
from ...network import SiameseNet
from ...workflows.map_source import MapSource
from .case_facts import LesionLocation
from .figure_context import PATCHES, FigureContext, PaperFigure


def draw_patches(context: FigureContext, lesions: Sequence[LesionLocation]) -> PaperFigure:
    """Figure 3: patches around a point in each lesion, with what training makes of them.

    Parameters
    ----------
    context : FigureContext
    lesions : sequence of LesionLocation
        One or two.
    """
    network, is_mirrored = context.source.network, context.source.mirrors
    groups = []
    for letter, lesion in zip("ab", lesions, strict=False):
        series, annotation = context.read_case(lesion.case)
        title = (
            f"({letter}) {lesion.case}, slice {lesion.slice + 1} of {series.shape[0]}: "
            f"{lesion.area_cm2:.1f} cm²"
        )
        groups.append(lesion_patches(series, annotation, network, lesion, title))
    facts = {
        **context.facts(),
        "resolutions_mm": list(network.resolutions),
        "patch_shape": list(network.patch_shape),
        "flips": [name for name, _ in (FLIPS if is_mirrored else FLIPS[:1])],
        "lesions": [
            {
                "case": lesion.case,
                "slice_indices": [lesion.slice],
                "working_row_column": [lesion.row, lesion.column],
                "area_cm2": lesion.area_cm2,
            }
            for lesion in lesions
        ],
        "chosen": "the largest and the smallest lesion, each in its largest slice",
    }
    caption = _caption(context.source, [group.title for group in groups], len(lesions))
    return context.describe(PATCHES, patches_figure(groups, is_mirrored), caption, facts)


def _caption(source: MapSource, titles: Sequence[str], lesion_count: int) -> str:
    """What is to be seen, and what training does with it."""
    network = source.network
    caption = (
        f"Patches around a point in {'two lesions' if lesion_count > 1 else 'a lesion'}, at "
        f"{_enumerate([f'{r:g}' for r in network.resolutions])} mm/pixel (rows). "
        f"{'; '.join(titles)}. Red: contoured lesions on the grid of the patch. "
    )
    caption += (
        "Columns: the patch, and how training mirrors it; letters say where front (A), back "
        "(P), head (H) and feet (F) then are. "
        if source.mirrors
        else "This network was trained without mirroring. "
    )
    caption += (
        f"Brightness is normalised locally over the slice; around each patch the network "
        f"reads {network.margin} more pixels. "
        if network.form == "dense"
        else "Each patch is normalised by itself. "
    )
    if source.varies:
        caption += "Training also turns, stretches and recolours at random, not shown here. "
    return caption


def lesion_patches(
    series: SagittalSeries,
    annotation: Annotation,
    network: SiameseNet,
    lesion: LesionLocation,
    title: str = "",
) -> PatchGroup:
    """The patches of a point, and the lesions on the grid of each.

    Of the dense form the part without its margin is shown, which is what the other form sees.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
    network : SiameseNet
        Whose resolutions, patches and normalisation are shown.
    lesion : LesionLocation
    title : str
        For the figure.
    """
    dense = network.form == "dense"
    pyramid = build_pyramid(
        series,
        network.resolutions,
        network.patch_shape,
        network.normalisation if dense else None,
        slices=[lesion.slice],
        marrow=MarrowLevel.of_contours(series, annotation),
    )
    half = [side // 2 for side in network.patch_shape]
    masks = tuple(
        np.pad(
            resample_labels(annotation.lesions[[lesion.slice]], series.spacing_mm[1:], r) > 0,
            ((0, 0), (half[0], half[0]), (half[1], half[1])),
            mode="symmetric",
        ).astype(np.float32)
        for r in network.resolutions
    )
    location = [np.array([index]) for index in (0, lesion.row, lesion.column)]
    patches = pyramid.windows(*location)[0]
    lesions = replace(pyramid, images=masks).windows(*location)[0] > 0
    return PatchGroup(title, network.resolutions, patches if dense else zscore(patches), lesions)


def _enumerate(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
