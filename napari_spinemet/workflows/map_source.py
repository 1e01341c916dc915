"""Where the likelihood maps of a figure come from: a model, or a cross-validation of the study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SpinemetError
from ..imaging import LikelihoodMap, OperatingPoint
from ..jobs import CancelToken
from ..network import ModelCard, SiameseNet, load_card, load_model
from ..study import Case, Study
from ..study.likelihood_maps import crossval_identity, file_name, is_crossval
from .cross_validation.study import validated_point
from .study_froc import model_map


@dataclass(frozen=True, eq=False)
class MapSource:
    """What made the maps.

    Attributes
    ----------
    identity : str
        What the study knows the maps by.
    card : ModelCard
        Of the model, or of one network of the cross-validation.
    network : SiameseNet
        As the card describes it.
    makes : bool
        Whether a map that is missing can be made: not where each case has its own network.
    point : OperatingPoint or None
        Chosen on validation cases: of the card, or by the cross-validation; None if it is
        unknown.
    """

    identity: str
    card: ModelCard
    network: SiameseNet
    makes: bool
    point: OperatingPoint | None = None

    @classmethod
    def of_model(cls, name: str) -> MapSource:
        """A shipped model by name, or a file."""
        card = load_card(name)
        return cls(card.identity, card, load_model(name), True, card.operating_point)

    @classmethod
    def of_folds(cls, study: Study, name: str) -> MapSource:
        """A cross-validation of the study by its name.

        Raises
        ------
        SpinemetError
            If the study holds none of that name, or its networks are lost.
        """
        identity = crossval_identity(name)
        held = study.likelihood_sets()
        if file_name(identity) not in held:
            names = [s.removeprefix(crossval_identity("")) for s in held if is_crossval(s)]
            others = f"there are {', '.join(names)}; choose one of them, or run" if names else "run"
            raise SpinemetError(
                f"{study.path} holds no maps of a cross-validation '{name}'; {others} "
                f"'spinemet crossval {study.path} --name {name}'."
            )
        card = _fold_card(study, name)
        if card is None:
            raise SpinemetError(
                f"The networks of the cross-validation '{name}' are no longer in "
                f"{study.path / 'crossval' / name}, so what it saw is not known; run it again."
            )
        network = SiameseNet.from_configuration(card.configuration).eval()
        return cls(identity, card, network, False, validated_point(study, name))

    @property
    def mirrors(self) -> bool:
        """Whether training mirrored what it learned from, as its card says."""
        return bool(self._config.get("flips", True))

    @property
    def varies(self) -> bool:
        """Whether training also turned, stretched and recoloured."""
        return bool(self._config.get("variation", 0.0))

    @property
    def _config(self) -> dict[str, Any]:
        return dict(self.card.training.get("config", {}))

    def map_of(
        self, study: Study, case: Case, *, device: str = "auto", cancel: CancelToken | None = None
    ) -> LikelihoodMap | None:
        """Plain map of a case; None for one that the cross-validation did not hold."""
        if not self.makes:
            return study.likelihood(case, self.identity)
        return model_map(study, case, self.network, self.identity, device=device, cancel=cancel)


def single_resolution_sets(study: Study, source: MapSource) -> list[tuple[str, float]]:
    """Identity and mm per pixel of the kept maps whose network had one resolution.

    First those of the same kind as ``source`` (of a model, or of a cross-validation), and the
    paper's 1 mm before others. None if ``source`` is such a network itself.
    """
    if len(source.network.resolutions) == 1:
        return []
    known = [
        (identity, float(card.configuration["resolutions"][0]))
        for identity, card in _kept(study)
        if len(card.configuration.get("resolutions", ())) == 1
    ]
    kind = is_crossval(source.identity)
    return sorted(known, key=lambda k: (is_crossval(k[0]) != kind, k[1] != 1.0, k[0]))


def _kept(study: Study) -> Iterator[tuple[str, ModelCard]]:
    """What the study holds maps of and still knows the card of."""
    held = study.likelihood_sets()
    for name in (s.removeprefix(crossval_identity("")) for s in held if is_crossval(s)):
        card = _fold_card(study, name)
        if card is not None:
            yield crossval_identity(name), card
    for path in study.model_files():
        with suppress(SpinemetError):  # a model whose card is lost has no say
            card = load_card(path)
            if file_name(card.identity) in held:
                yield card.identity, card


def _fold_card(study: Study, name: str) -> ModelCard | None:
    """The card of the first network of a cross-validation; all have the same layers."""
    folder: Path = study.path / "crossval" / name
    for path in sorted(folder.glob("fold-*.safetensors")):
        with suppress(SpinemetError):
            return load_card(path)
    return None
