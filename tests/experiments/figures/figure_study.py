"""A study with maps that figures are drawn from, and what was written of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_spinemet.disclaimer import DISCLAIMER
from napari_spinemet.imaging import (
    Annotation,
    LikelihoodMap,
    OperatingPoint,
    SagittalSeries,
)
from napari_spinemet.imaging.grids import working_affine
from napari_spinemet.network import ModelCard, SiameseNet
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.map_source import MapSource

MappedStudy = tuple[Study, dict[str, tuple[SagittalSeries, Annotation]]]
POINT = OperatingPoint(0.6, 0.5, 0.4)
SPACING_MM = (3.0, 1.25, 0.8)
SHAPE = (5, 72, 100)
MODEL = "made-up@1"
MAPS = MapIdentity.of_model(MODEL)


def small_net(resolutions: Sequence[float] = (0.5, 1, 2), form: str = "patch") -> SiameseNet:
    return SiameseNet(
        resolutions, form, (1, 1), widths=(2, 2), hidden=2, patch_shape=(31, 23)
    ).eval()


def source_of(
    identity: MapIdentity = MAPS, resolutions: Sequence[float] = (0.5, 1, 2), **config: object
) -> MapSource:
    """Maps that the study holds, of a network that was trained so."""
    card = ModelCard(str(identity), training={"config": config})
    return MapSource(identity, card, small_net(resolutions), can_make_maps=False)


def map_of_values(series: SagittalSeries, values: np.ndarray) -> LikelihoodMap:
    columns = (0, values.shape[2])
    affine = working_affine(series.affine)
    return LikelihoodMap(values.astype(np.float32), affine, columns, series.spacing_mm, model=MODEL)


def figure_index(folder: Path) -> dict[str, dict[str, object]]:
    index = json.loads((folder / "figures.json").read_text())
    assert index["notice"] == DISCLAIMER
    return index["figures"]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()} if folder.is_dir() else {}
