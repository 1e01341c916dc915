"""What a cross-validation has computed so far, in a folder: it goes on from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...atomic_files import write_text
from ...errors import SpinemetError
from ...imaging import LikelihoodMap, OperatingPoint
from ...network import ModelCard, load_card, load_model, save_model
from ...study.likelihood_maps import load_likelihood_map, save_likelihood_map
from ...training import TrainingConfig, TrainingResult
from ...training.steps import network_of

_DELETE_IT = "delete it and run the same again: that network alone is trained anew."


class FoldStore:
    """Networks, operating points and maps of the folds of one run.

    Parameters
    ----------
    folder : Path or None
        None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @property
    def fingerprint(self) -> str:
        """Of the run that the folder holds; empty without one, or where it cannot be read."""
        if self._folder is None:
            return ""
        try:
            text = (self._folder / "plan.json").read_text(encoding="utf-8")
            return str(json.loads(text)["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def agree(self, fingerprint: str, folds: Sequence[dict[str, Any]]) -> None:
        """Refuse the folder of another run; else leave word of this one.

        Parameters
        ----------
        fingerprint : str
            Of all that the run depends on.
        folds : sequence of dict
            Case numbers of each fold, for whoever looks into the folder.

        Raises
        ------
        SpinemetError
            If the folder holds a run of other settings or cases.
        """
        if self._folder is None:
            return
        path = self._folder / "plan.json"
        if not path.is_file():
            text = json.dumps({"fingerprint": fingerprint, "folds": list(folds)}, indent=1)
            write_text(path, text + "\n")
            return
        if self.fingerprint != fingerprint:
            raise SpinemetError(
                f"{self._folder} holds a cross-validation of other settings or cases; choose "
                "another folder."
            )

    def _network_path(self, number: int, decay: float) -> Path:
        assert self._folder is not None
        return self._folder / f"fold-{number + 1:02d}-decay-{decay:g}.safetensors"

    def network(self, number: int, config: TrainingConfig) -> TrainingResult | None:
        """The network of a fold, if it is there.

        Parameters
        ----------
        number : int
            Of the fold, from 0.
        config : TrainingConfig
            That trains it.

        Raises
        ------
        SpinemetError
            If what is there is damaged, or is not what these settings train.
        """
        if self._folder is None or not self._network_path(number, config.weight_decay).is_file():
            return None
        path = self._network_path(number, config.weight_decay)
        try:
            model, card = load_model(path), load_card(path)
            result = TrainingResult(
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
        return result

    def save_network(self, number: int, config: TrainingConfig, result: TrainingResult) -> None:
        """Keep the network of a fold.

        Parameters
        ----------
        number : int
            Of the fold, from 0.
        config : TrainingConfig
            That trained it.
        result : TrainingResult
        """
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
        save_model(result.model, self._network_path(number, config.weight_decay), card)

    def _point_path(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"fold-{number + 1:02d}-point.json"

    def has_point(self, number: int) -> bool:
        """Whether a fold has chosen its operating point, or found that there is none."""
        return self._folder is not None and self._point_path(number).is_file()

    def point(self, number: int) -> OperatingPoint | None:
        """What a fold has chosen; only where :meth:`has_point`."""
        values = json.loads(self._point_path(number).read_text(encoding="utf-8"))
        return None if values is None else OperatingPoint(**values)

    def save_point(self, number: int, point: OperatingPoint | None) -> None:
        """Keep what a fold has chosen.

        Parameters
        ----------
        number : int
            Of the fold, from 0.
        point : OperatingPoint or None
            None where no setting will do.
        """
        if self._folder is not None:
            values = None if point is None else point.to_dict()
            write_text(self._point_path(number), json.dumps(values) + "\n")

    def likelihood_map(self, case: int) -> LikelihoodMap | None:
        """The map of a case by its number, from 0, if it is there."""
        return None if self._folder is None else load_likelihood_map(self._map_path(case))

    def save_map(self, case: int, likelihood: LikelihoodMap) -> None:
        """Keep the map of a case.

        Parameters
        ----------
        case : int
            Its number, from 0.
        likelihood : LikelihoodMap
            Not aggregated.
        """
        if self._folder is not None:
            save_likelihood_map(likelihood, self._map_path(case))

    def _map_path(self, case: int) -> Path:
        assert self._folder is not None
        return self._folder / f"map-{case + 1:03d}.npz"
