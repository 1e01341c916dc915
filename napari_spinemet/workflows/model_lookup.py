"""Which file a model is that a study speaks of."""

from __future__ import annotations

from ..errors import SpinemetError
from ..network.card import load_card, model_names
from ..study import Study


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
