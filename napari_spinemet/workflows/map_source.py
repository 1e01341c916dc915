"""Where likelihood maps come from: a model, or the networks of a cross-validation of the study."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..detection.engines import map_series, with_familiarity
from ..detection.map_settings import MapSettings
from ..errors import SpinemetError
from ..imaging import LikelihoodMap, OperatingPoint
from ..imaging.evaluated_region import KINDS
from ..jobs import UNATTENDED, JobContext
from ..network import ModelCard, SiameseNet, load_card, load_model
from ..network.provenance import OUT_OF_FOLD, provenance_sentence
from ..study.map_identity import MapIdentity
from ..study.run_files import cross_validated_point

if TYPE_CHECKING:
    from ..study import Case, Study


@dataclass(frozen=True, eq=False)
class MapSource:
    """What makes, or made, the maps of a study.

    Attributes
    ----------
    identity : MapIdentity
        What the study knows the maps by.
    card : ModelCard
        Of the model, or of one network of the cross-validation.
    network : SiameseNet
        As the card describes it.
    can_make_maps : bool
        Whether a map that is missing can be made: not where each case has its own network.
    point : OperatingPoint or None
        Chosen on validation cases: of the card, or by the cross-validation; None if it is
        unknown.
    device : str
        That maps are made on.
    """

    identity: MapIdentity
    card: ModelCard
    network: SiameseNet
    can_make_maps: bool
    point: OperatingPoint | None = None
    device: str = "auto"

    @classmethod
    def of_model(cls, name: str, device: str = "auto") -> MapSource:
        """A model that is loaded now.

        Parameters
        ----------
        name : str
            Of a shipped model, or a file.
        device : str
            That maps are made on.
        """
        return cls.of_loaded(load_model(name), load_card(name), device)

    @classmethod
    def of_loaded(cls, network: SiameseNet, card: ModelCard, device: str = "auto") -> MapSource:
        """A model that is loaded already.

        Parameters
        ----------
        network : SiameseNet
        card : ModelCard
            Its card; the identity there must be that of the network.
        device : str
            That maps are made on.
        """
        identity = MapIdentity.of_model(card.identity)
        return cls(identity, card, network, True, card.operating_point, device)

    @classmethod
    def of_cross_validation(cls, study: Study, name: str) -> MapSource:
        """A cross-validation of the study by its name.

        Parameters
        ----------
        study : Study
        name : str

        Raises
        ------
        SpinemetError
            If the study holds none of that name, or its networks are lost.
        """
        identity = MapIdentity.of_cross_validation(name)
        identities = study.map_identities()
        if identity.folder not in {i.folder for i in identities}:
            names = [i.source for i in identities if i.is_cross_validation]
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
        return cls(identity, card, network, False, cross_validated_point(study.path, name))

    @property
    def learned_from(self) -> str:
        """What the model, or each network of the cross-validation, has learned from."""
        if self.identity.is_cross_validation:
            return OUT_OF_FOLD
        return provenance_sentence(self.card)

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
        self, study: Study, case: Case, *, job: JobContext = UNATTENDED
    ) -> LikelihoodMap | None:
        """Plain map of a case: from the study if it is there, else made and kept.

        Parameters
        ----------
        study : Study
        case : Case
        job : JobContext
            Its token is polled while a map is made.

        Returns
        -------
        LikelihoodMap or None
            None for a case that the cross-validation did not hold.
        """
        stored_map = study.likelihood_map(case, self.identity)
        if not self.can_make_maps or (stored_map is not None and self._is_complete(stored_map)):
            return stored_map
        if stored_map is None:
            settings = MapSettings(columns=self.identity.columns, device=self.device)
            likelihood = map_series(case.series(), self.network, settings, job=job.without_events())
        else:
            likelihood = with_familiarity(case.series(), stored_map, self.network)
        if os.access(study.path, os.W_OK):  # of a study on a read-only disk the map is made anew
            study.save_likelihood_map(case, self.identity, likelihood)
        return likelihood

    def _is_complete(self, stored_map: LikelihoodMap) -> bool:
        """Whether it tells how familiar the scan is, if its network can."""
        tells = self.card.familiarity is not None and stored_map.vertebra is not None
        return stored_map.familiarity is not None or not tells

    def made_map_of(
        self, study: Study, case: Case, *, job: JobContext = UNATTENDED
    ) -> LikelihoodMap:
        """The same of a source that can make maps, and so always has one.

        Parameters
        ----------
        study : Study
        case : Case
        job : JobContext
        """
        likelihood = self.map_of(study, case, job=job)
        assert likelihood is not None  # the caller has a model
        return likelihood

    def of_columns(self, columns: str) -> MapSource:
        """The same source for other columns, whose maps are kept apart."""
        return replace(self, identity=MapIdentity.of_model(self.identity.source, columns))


def single_resolution_sources(study: Study, source: MapSource) -> list[tuple[MapIdentity, float]]:
    """Stored maps whose network had one resolution, with its mm per pixel.

    First those of the same kind as ``source`` (of a model, or of a cross-validation), and the
    paper's 1 mm before others. None if ``source`` is such a network itself.

    Parameters
    ----------
    study : Study
    source : MapSource
        That they are compared with.
    """
    if len(source.network.resolutions) == 1:
        return []
    candidates = [
        (identity, float(card.configuration["resolutions"][0]))
        for identity, card in _stored_sources(study)
        if len(card.configuration.get("resolutions", ())) == 1
    ]
    kind = source.identity.is_cross_validation
    return sorted(
        candidates, key=lambda c: (c[0].is_cross_validation != kind, c[1] != 1.0, str(c[0]))
    )


def _stored_sources(study: Study) -> Iterator[tuple[MapIdentity, ModelCard]]:
    """What the study holds maps of and still knows the card of."""
    identities = study.map_identities()
    for identity in identities:
        card = _fold_card(study, identity.source) if identity.is_cross_validation else None
        if card is not None:
            yield identity, card
    folders = {identity.folder for identity in identities}
    for path in study.model_files():
        with suppress(SpinemetError):  # a model whose card is lost has no say
            card = load_card(path)
            for columns in KINDS:
                identity = MapIdentity.of_model(card.identity, columns)
                if identity.folder in folders:
                    yield identity, card


def _fold_card(study: Study, name: str) -> ModelCard | None:
    """The card of the first network of a cross-validation; all have the same layers."""
    folder: Path = study.path / "crossval" / name
    for path in sorted(folder.glob("fold-*.safetensors")):
        with suppress(SpinemetError):
            return load_card(path)
    return None
