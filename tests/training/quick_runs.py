"""Training runs that are over at once."""

from __future__ import annotations

from typing import Any

from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.training import TrainingConfig, TrainingResult

Case = tuple[SagittalSeries, Annotation]


def quick_config(**changes: Any) -> TrainingConfig:
    """One resolution, one convolution a block, batches of two blocks: the cheapest there is."""
    settings: dict[str, Any] = {
        "resolutions": (1.0,),
        "blocks": (1, 1, 1),
        "epochs": 1,
        "batches_per_epoch": 3,
        "method": "blocks",
        "batch_size": 8,
        "samples_per_block": 4,
        "device": "cpu",
        "precision": "float32",
    }
    return TrainingConfig(**{**settings, **changes})


def weight_bytes(result: TrainingResult) -> bytes:
    """All weights, to be compared bit for bit."""
    return b"".join(t.numpy().tobytes() for t in result.model.state_dict().values())
