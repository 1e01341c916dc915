"""What a stored likelihood map was made by: a model, or the networks of a cross-validation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..imaging.evaluated_region import CENTRE, SPINE

_CROSS_VALIDATION = "crossval-"
_COLUMNS = re.compile(r"(?P<model>.*)[ -](?P<columns>spine|centre|all)[ -]columns")


@dataclass(frozen=True)
class MapIdentity:
    """What a study knows a set of likelihood maps by.

    Attributes
    ----------
    source : str
        Identity of a model, or name of a cross-validation.
    is_cross_validation : bool
        Each case was then mapped by a network that never saw it.
    columns : str
        Which columns were asked for: maps along the spine are not those of the centre.
    """

    source: str
    is_cross_validation: bool = False
    columns: str = CENTRE

    @classmethod
    def of_model(cls, identity: str, columns: str = SPINE) -> MapIdentity:
        """The maps of a model.

        Parameters
        ----------
        identity : str
            Name and hash of its weights, as its card says.
        columns : str
            Which were asked for; empty is as before there was a choice, the central half.
        """
        return cls(identity, columns=columns or CENTRE)

    @classmethod
    def of_cross_validation(cls, name: str) -> MapIdentity:
        """The out-of-fold maps of a cross-validation of the study."""
        return cls(name, is_cross_validation=True)

    @classmethod
    def parse(cls, text: str) -> MapIdentity:
        """What :meth:`__str__` or :attr:`folder` gave.

        The name of a folder does not say all that the identity did: what it gives has the same
        folder, and may differ from the identity that it was made for.
        """
        if text.startswith(_CROSS_VALIDATION):
            return cls.of_cross_validation(text.removeprefix(_CROSS_VALIDATION))
        columns = _COLUMNS.fullmatch(text)
        return cls.of_model(columns["model"], columns["columns"]) if columns else cls(text)

    def __str__(self) -> str:
        if self.is_cross_validation:
            return f"{_CROSS_VALIDATION}{self.source}"
        return self.source if self.columns == CENTRE else f"{self.source} {self.columns} columns"

    @property
    def folder(self) -> str:
        """Name of the folder that holds the maps; two identities may not share one."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", str(self))


def is_reserved(model: str) -> bool:
    """Whether a model of that name would be taken for a cross-validation."""
    return model.startswith(_CROSS_VALIDATION)
