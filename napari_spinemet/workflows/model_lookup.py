"""Which file a model is that a study speaks of, and what it has learned from."""

from __future__ import annotations

from ..errors import SpinemetError
from ..network.card import load_card, model_names
from ..network.provenance import NOTHING_KNOWN, OUT_OF_FOLD, provenance_sentence
from ..study import Study
from ..study.map_identity import MapIdentity


def model_file(study: Study, identity: str) -> str:
    """Name of a shipped model, or file of one of the study's; empty if it is gone.

    Parameters
    ----------
    study : Study
    identity : str
        As the card says.
    """
    for name in (*model_names(), *map(str, study.model_files())):
        try:
            if load_card(name).identity == identity:
                return name
        except SpinemetError:  # a model whose card is lost is none of those
            continue
    return ""


def learned_from(study: Study, identity: MapIdentity) -> str:
    """What the network of stored maps has learned from, in a sentence.

    Parameters
    ----------
    study : Study
    identity : MapIdentity
        Of maps that do not say it themselves, as those of the version 0.1.
    """
    if identity.is_cross_validation:
        return OUT_OF_FOLD
    file = model_file(study, identity.source)
    return provenance_sentence(load_card(file)) if file else NOTHING_KNOWN
