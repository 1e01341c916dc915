"""Where a training run stands, on disk: enough to go on as if it had never stopped.

One safetensors file: weights, best weights, momentum and random states as tensors, all else as
JSON in its header. No pickle, so that nothing which could run code is ever opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..atomic_files import replace_atomically
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries

_KEY = "napari-spinemet training"


@dataclass
class TrainingState:
    """How far a run is.

    Attributes
    ----------
    epoch, batch : int
        The epoch that is under way, from 1, and how many of its batches are done.
    losses : list of float
        Of those batches.
    history : list of dict
        Of the epochs before.
    best_score : float
    best_epoch : int
    epochs : int
        How many there will be; 0 before that is known.
    progress : float
        Share of the run that was over when the epoch began.
    length : int
        Batches of the epoch that is under way; 0 for as many as the settings say.
    looks : int
        How often it was seen what the network gets wrong.
    seconds : float
        Taken so far.
    """

    epoch: int = 1
    batch: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    best_score: float = float("inf")
    best_epoch: int = 0
    epochs: int = 0
    progress: float = 0.0
    length: int = 0
    looks: int = 0
    seconds: float = 0.0


def save_training_state(
    path: Path,
    state: TrainingState,
    fingerprint: str,
    tensors: Mapping[str, Tensor],
    states: Mapping[str, Any],
) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : Path
    state : TrainingState
    fingerprint : str
        Of settings and data, see :func:`fingerprint_of`.
    tensors : mapping of str to torch.Tensor
    states : mapping
        What else is needed, as plain values.
    """
    header = {"standing": vars(state), "fingerprint": fingerprint, "states": dict(states)}
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with replace_atomically(path) as temporary:
        try:
            save_file(plain, temporary, metadata={_KEY: json.dumps(header)})
        except SafetensorError as error:  # how a full disk shows itself here
            raise SpinemetError(
                f"{path} cannot be written ({error}); free some space or choose another place."
            ) from error


def load_training_state(
    path: Path, fingerprint: str
) -> tuple[TrainingState, dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
    fingerprint : str
        Of the run that wants to go on from it, see :func:`fingerprint_of`.

    Returns
    -------
    state : TrainingState
    tensors : dict of str to torch.Tensor
    states : dict
        As they were written.

    Raises
    ------
    SpinemetError
        If it is damaged, or of other settings or other data.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise SpinemetError(
            f"The checkpoint {path} is damaged; start the training again without resuming."
        ) from error
    if header["fingerprint"] != fingerprint:
        raise SpinemetError(
            f"The checkpoint {path} is of other settings or of contours that were changed since; "
            "start the training again without resuming."
        )
    return TrainingState(**header["standing"]), tensors, header["states"]


def stored_fingerprint(path: Path) -> str:
    """Of the run that wrote a checkpoint; empty if it cannot be read, which loading it tells."""
    try:
        with safe_open(path, framework="pt") as file:
            return str(json.loads(file.metadata()[_KEY])["fingerprint"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return ""


def fingerprint_of(
    settings: Mapping[str, Any],
    *cohorts: Sequence[tuple[SagittalSeries, Annotation]],
    start: Mapping[str, Tensor] | None = None,
) -> str:
    """A hash of all that a run depends on.

    Parameters
    ----------
    settings : mapping
        Plain values; what JSON does not know counts as it is printed.
    *cohorts : sequence of (SagittalSeries, Annotation)
        The cases that are learned from, and those that are validated on.
    start : mapping of str to torch.Tensor, optional
        Weights that the run begins with.
    """
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True, default=str).encode())
    for cases in cohorts:
        digest.update(f"{len(cases)} cases".encode())
        for series, annotation in cases:
            digest.update(np.ascontiguousarray(series.voxels).tobytes())
            digest.update(np.asarray(series.affine, dtype=float).tobytes())
            for labels in (annotation.lesions, annotation.vertebrae):
                digest.update(np.ascontiguousarray(labels).tobytes())
            if annotation.uncertain is not None:
                digest.update(np.packbits(annotation.uncertain).tobytes())
            if annotation.mimics is not None:
                digest.update(b"mimics")
                digest.update(np.packbits(annotation.mimics).tobytes())
    for name, tensor in sorted((start or {}).items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def pack_optimiser(optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], Any]:
    """An optimiser's state as tensors and plain values."""
    state = optimiser.state_dict()
    tensors = {
        f"optimiser.{number}.{name}": value
        for number, values in state["state"].items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }
    return tensors, state["param_groups"]


def unpack_optimiser(
    optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], groups: Any
) -> None:
    """Put an optimiser back to where it stood.

    Parameters
    ----------
    optimiser : torch.optim.Optimizer
        Of the same parameters in the same order.
    tensors : mapping of str to torch.Tensor
        Those of :func:`pack_optimiser` among others.
    groups : list
        The plain values of :func:`pack_optimiser`.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": groups})
