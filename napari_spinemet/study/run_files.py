"""Where trainings and cross-validations of a study keep what they have, beside its models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic_files import write_text
from ..errors import SpinemetError
from ..imaging import OperatingPoint

FOLDER = "unfinished"
REQUEST = "request.json"
"""What an adaptation was asked for."""


def training_state_files(model: Path, mark: str = "") -> tuple[Path, Path]:
    """Best weights so far and state of a run that is to make a model file.

    Parameters
    ----------
    model : Path
    mark : str
        Tells the runs of a grid apart.
    """
    weights = model.parent / FOLDER / f"{model.stem}{mark and '@'}{mark}.safetensors"
    return weights, weights.with_suffix(weights.suffix + ".state")


def has_training_state(model: Path) -> bool:
    """Whether a run that was to make a model file was cut short."""
    return bool(_states(model))


def remove_training_state(model: Path) -> None:
    """Remove what a run left that has made its model."""
    folder = model.parent / FOLDER
    for state in _states(model):
        weights = state.with_suffix("")
        for file in (weights, weights.with_suffix(".json"), state):
            file.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):  # other runs may have left theirs
        folder.rmdir()


def _states(model: Path) -> list[Path]:
    folder = model.parent / FOLDER
    names = (f"{model.stem}.safetensors.state", f"{model.stem}@*.safetensors.state")
    return sorted(p for name in names for p in folder.glob(name)) if folder.is_dir() else []


def adaptation_state_folder(model: Path) -> Path:
    """Where an adaptation that is to make a model file keeps its trainings."""
    return model.parent / FOLDER / f"{model.stem}.adapting"


def has_adaptation_state(model: Path) -> bool:
    """Whether an adaptation that was to make a model file was cut short."""
    return (adaptation_state_folder(model) / REQUEST).is_file()


def save_adaptation_request(model: Path, request: Mapping[str, Any]) -> None:
    """Keep what an adaptation was asked for, so that it can go on after a crash.

    Parameters
    ----------
    model : Path
        That it is to make.
    request : mapping
        Plain values.
    """
    write_text(adaptation_state_folder(model) / REQUEST, json.dumps(request, indent=1) + "\n")


def adaptation_request(model: Path) -> dict[str, Any]:
    """What the adaptation that was cut short was asked for.

    Parameters
    ----------
    model : Path
        That it was to make.

    Raises
    ------
    SpinemetError
        If none was cut short.
    """
    try:
        values = json.loads((adaptation_state_folder(model) / REQUEST).read_text("utf-8"))
        if {"model", "cases", "minutes", "seed"} <= set(values):
            return dict(values)
    except (OSError, ValueError, TypeError):
        pass
    raise SpinemetError(
        f"No adaptation that was to make {model.stem} was cut short; start it without resuming."
    )


def remove_adaptation_state(model: Path) -> None:
    """Remove what an adaptation left that has made its model."""
    folder = adaptation_state_folder(model)
    if not folder.is_dir():
        return
    shutil.rmtree(folder)
    if not any(folder.parent.iterdir()):  # other runs may have left theirs
        folder.parent.rmdir()


def report_path(study: Path, name: str, only_folds: Sequence[int] | None = None) -> Path:
    """Where the report of a run lies; that of some folds is not taken for that of all.

    Parameters
    ----------
    study : Path
        Its folder.
    name : str
        Of the run.
    only_folds : sequence of int, optional
        Numbers of the folds, from 1, if not all were run.
    """
    suffix = ""
    if only_folds is not None:
        suffix = "-fold-" + "-".join(str(k) for k in sorted({*only_folds}))
    return study / "crossval" / name / f"report{suffix}.json"


def cross_validated_point(study: Path, name: str) -> OperatingPoint | None:
    """The operating point of a cross-validation, chosen on its validation cases; None if unknown.

    It is known once the run is through, and not of runs by versions before 0.1.

    Parameters
    ----------
    study : Path
        Its folder.
    name : str
        Of the run.
    """
    path = report_path(study, name)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))["operating_point"]
        return None if values is None else OperatingPoint(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
