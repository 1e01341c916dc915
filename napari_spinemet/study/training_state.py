"""Where a training run that is not finished keeps what it has: not among the models."""

from __future__ import annotations

from pathlib import Path

FOLDER = "unfinished"


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
