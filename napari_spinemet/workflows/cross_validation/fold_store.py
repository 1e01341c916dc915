"""What a cross-validation has made so far, in a folder: it goes on from there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...atomic_files import write_text
from ...errors import SpinemetError
from ...imaging import LikelihoodMap, OperatingPoint
from ...network import ModelCard, load_card, load_model, save_model
from ...study.likelihood_maps import load_likelihood, save_likelihood
from ...training import TrainingConfig, TrainingResult
from ...training.loop import network_of

_DELETE_IT = "delete it and run the same again: that network alone is trained anew."


class FoldStore:
    """What an interrupted run has made so far, in a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def agree(self, fingerprint: str, plan: list[dict[str, Any]]) -> None:
        """Refuse the folder of another run; else leave word of this one."""
        if self._folder is None:
            return
        told = {"fingerprint": fingerprint, "folds": plan}
        place = self._folder / "plan.json"
        if place.is_file():
            try:
                held = json.loads(place.read_text(encoding="utf-8"))["fingerprint"]
            except (ValueError, KeyError, TypeError):
                held = ""
            if held != fingerprint:
                raise SpinemetError(
                    f"{self._folder} holds a cross-validation of other settings or cases; choose "
                    "another folder."
                )
            return
        write_text(place, json.dumps(told, indent=1) + "\n")

    def _network(self, number: int, decay: float) -> Path:
        assert self._folder is not None
        return self._folder / f"fold-{number + 1:02d}-decay-{decay:g}.safetensors"

    def network(self, number: int, config: TrainingConfig) -> TrainingResult | None:
        """The network of a fold, if it is there.

        Raises
        ------
        SpinemetError
            If what is there is damaged, or is not what these settings train.
        """
        if self._folder is None or not self._network(number, config.weight_decay).is_file():
            return None
        path = self._network(number, config.weight_decay)
        try:
            model, card = load_model(path), load_card(path)
            held = TrainingResult(
                model,
                int(card.training["best_epoch"]),
                list(card.metrics["history"]),
                int(card.training["locations"]),
                float(card.training["seconds"]),
            )
        except (SpinemetError, KeyError, TypeError, ValueError) as error:
            raise SpinemetError(f"{path} cannot be read; {_DELETE_IT}") from error
        if model.configuration() != network_of(config).configuration():
            raise SpinemetError(
                f"{path} holds a network of another form ({model.form}, "
                f"{', '.join(f'{r:g}' for r in model.resolutions)} mm) than this run trains; "
                f"{_DELETE_IT}"
            )
        return held

    def save_network(self, number: int, config: TrainingConfig, result: TrainingResult) -> None:
        """Keep the network of a fold."""
        if self._folder is None:
            return
        card = ModelCard(
            name=f"fold-{number + 1:02d}",
            training={
                "config": config.to_dict(),
                "best_epoch": result.best_epoch,
                "locations": result.samples,
                "seconds": result.seconds,
            },
            metrics={"history": result.history},
        )
        save_model(result.model, self._network(number, config.weight_decay), card)

    def _point(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"fold-{number + 1:02d}-point.json"

    def has_point(self, number: int) -> bool:
        """Whether a fold has chosen its operating point, or found that there is none."""
        return self._folder is not None and self._point(number).is_file()

    def point(self, number: int) -> OperatingPoint | None:
        """What a fold has chosen."""
        held = json.loads(self._point(number).read_text(encoding="utf-8"))
        return None if held is None else OperatingPoint(**held)

    def save_point(self, number: int, point: OperatingPoint | None) -> None:
        """Keep what a fold has chosen."""
        if self._folder is not None:
            told = None if point is None else point.to_dict()
            write_text(self._point(number), json.dumps(told) + "\n")

    def map_of(self, case: int) -> LikelihoodMap | None:
        """The map of a case, if it is there."""
        return None if self._folder is None else load_likelihood(self._map(case))

    def save_map(self, case: int, likelihood: LikelihoodMap) -> None:
        """Keep the map of a case."""
        if self._folder is not None:
            save_likelihood(likelihood, self._map(case))

    def _map(self, case: int) -> Path:
        assert self._folder is not None
        return self._folder / f"map-{case + 1:03d}.npz"
