"""A training run as a program, killed by the test that started it.

``python interrupted.py CASE.npz STATE METHOD``: goes on from STATE if it is there, writes it after
every batch, says "batch" after each, and prints the hash of the weights at the end.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import torch

from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.jobs import Progressed
from napari_spinemet.training import TrainingConfig, train, training_run, validation_error


def main() -> None:
    """Train to the end, or as far as one lets us."""
    torch.set_num_threads(1)
    arrays = np.load(sys.argv[1])
    series = SagittalSeries(arrays["voxels"], arrays["affine"], series_uid="1.2")
    case = (series, Annotation(arrays["lesions"], arrays["vertebrae"]))
    training_run.KEEP_EVERY_S = 0.0
    validation_error.BLOCK_BATCHES = validation_error.WINDOW_BATCHES = 2
    config = TrainingConfig(
        resolutions=(1.0,),
        blocks=(1, 1, 1),
        epochs=2,
        batches_per_epoch=8,
        method=sys.argv[3],
        batch_size=8,
        samples_per_block=4,
        device="cpu",
        precision="float32",
    )
    result = train(
        [case],
        config,
        validation=[case],
        state=Path(sys.argv[2]),
        resume=True,
        on_event=lambda e: print("batch", flush=True) if isinstance(e, Progressed) else None,
    )
    weights = b"".join(t.numpy().tobytes() for t in result.model.state_dict().values())
    print(hashlib.sha256(weights + repr(result.history).encode()).hexdigest(), flush=True)


if __name__ == "__main__":
    main()
