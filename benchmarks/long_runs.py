"""What benchmarks that take long share: how far they are, and maps that are made once."""

from __future__ import annotations

import time
from pathlib import Path

from napari_spinemet.detection.engines import map_series, model_identity
from napari_spinemet.imaging import LikelihoodMap, SagittalSeries
from napari_spinemet.jobs import Evaluated, Event, Progressed
from napari_spinemet.network import SiameseNet
from napari_spinemet.study.likelihood_maps import load_likelihood_map, save_likelihood_map

_last_line = [0.0]


def tell(event: Event) -> None:
    """Print each epoch, and twice a minute how far it is."""
    if isinstance(event, Evaluated):
        print(event.step, dict(event.values), flush=True)
    elif isinstance(event, Progressed) and time.monotonic() - _last_line[0] > 30:
        _last_line[0] = time.monotonic()
        print(f"  {event.done} of {event.total}: {event.message}", flush=True)


def map_once(series: SagittalSeries, model: SiameseNet, path: Path) -> LikelihoodMap:
    """The plain map of a scan, from a file if it was made before.

    Parameters
    ----------
    series : SagittalSeries
    model : SiameseNet
    path : Path
        Of the file; who has several models gives each a folder, see :func:`folder_of`.
    """
    likelihood = load_likelihood_map(path)
    if likelihood is None:
        likelihood = map_series(series, model)
        save_likelihood_map(likelihood, path)
    return likelihood


def folder_of(model: SiameseNet, parent: Path) -> Path:
    """Where maps of these very weights are kept."""
    return parent / model_identity(model).split(":")[1]
