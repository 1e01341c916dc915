"""Figure 3: what the network sees of a lesion, and what training makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...evaluation.paper_figures import FLIPS, PatchGroup, patches_figure
from ...imaging import Annotation, SagittalSeries
from ...imaging.grids import resample_labels
from ...imaging.patches import build_pyramid, zscore
from ...network import SiameseNet
from .choice import LesionPlace
from .figure_context import PATCHES, Ground, Made


def make_patches(ground: Ground, places: Sequence[LesionPlace]) -> Made:
    """Figure 3: patches around a point in each lesion, with what training makes of them."""
    network, mirrored = ground.source.network, ground.source.mirrors
    groups, told = [], []
    for letter, place in zip("ab", places, strict=False):
        series, annotation = ground.read(place.case)
        title = (
            f"({letter}) {place.case}, slice {place.slice + 1} of {series.shape[0]}: "
            f"{place.area_cm2:.1f} cm²"
        )
        groups.append(lesion_patches(series, annotation, network, place, title))
        told.append(title)
    dense = network.form == "dense"
    caption = (
        f"Patches around a point in {'two lesions' if len(places) > 1 else 'a lesion'}, at "
        f"{_listed([f'{r:g}' for r in network.resolutions])} mm/pixel (rows). "
        f"{'; '.join(told)}. Red: contoured lesions on the grid of the patch. "
    )
    caption += (
        "Columns: the patch, and how training mirrors it; letters say where front (A), back "
        "(P), head (H) and feet (F) then are. "
        if mirrored
        else "This network was trained without mirroring. "
    )
    caption += (
        f"Brightness is normalised locally over the slice; around each patch the network "
        f"reads {network.margin} more pixels. "
        if dense
        else "Each patch is normalised by itself. "
    )
    if ground.source.varies:
        caption += "Training also turns, stretches and recolours at random, not shown here. "
    facts = {
        **ground.facts(),
        "resolutions_mm": list(network.resolutions),
        "patch_shape": list(network.patch_shape),
        "flips": [name for name, _ in (FLIPS if mirrored else FLIPS[:1])],
        "lesions": [
            {
                "case": place.case,
                "slice_indices": [place.slice],
                "working_row_column": [place.row, place.column],
                "area_cm2": place.area_cm2,
            }
            for place in places
        ],
        "chosen": "the largest and the smallest lesion, each in its largest slice",
    }
    return ground.made(PATCHES, patches_figure(groups, mirrored), caption, facts)


def lesion_patches(
    series: SagittalSeries,
    annotation: Annotation,
    network: SiameseNet,
    place: LesionPlace,
    title: str = "",
) -> PatchGroup:
    """The patches of a point, and the lesions on the grid of each.

    Of the dense form the part without its margin is shown, which is what the other form sees.
    """
    dense = network.form == "dense"
    pyramid = build_pyramid(
        series,
        network.resolutions,
        network.patch_shape,
        network.normalisation if dense else None,
        slices=[place.slice],
    )
    half = [side // 2 for side in network.patch_shape]
    masks = tuple(
        np.pad(
            resample_labels(annotation.lesions[[place.slice]], series.spacing_mm[1:], r) > 0,
            ((0, 0), (half[0], half[0]), (half[1], half[1])),
            mode="symmetric",
        ).astype(np.float32)
        for r in network.resolutions
    )
    at = [np.array([index]) for index in (0, place.row, place.column)]
    patches = pyramid.windows(*at)[0]
    lesions = replace(pyramid, images=masks).windows(*at)[0] > 0
    return PatchGroup(title, network.resolutions, patches if dense else zscore(patches), lesions)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
