"""The card of a model: what it is, what it was trained on, how good it was found to be.

Reading a card needs no torch, so that lists of models appear at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import SpinemetError
from ..imaging import OperatingPoint, SagittalSeries

SHIPPED_MODELS = Path(__file__).parent.parent / "weights"
DEFAULT = "default"


@dataclass(frozen=True)
class ModelCard:
    """What stands beside the weights.

    Attributes
    ----------
    name : str
        Name for people.
    configuration : mapping
        Form, resolutions and layers, as :meth:`SiameseNet.configuration` gives them.
    operating_point : OperatingPoint
        Chosen on the validation cases; what detection uses by default.
    training : mapping
        Training data, settings, date and the command that made the model; that of the model it
        started from is in it. Real scans among the cases may be named in a list ``real_scans``.
    metrics : mapping
        Figures of merit, each with the data they were measured on.
    sha256 : str
        Hash of the weights file.
    second_look : mapping or None
        What compares candidates in the maps of these weights; None where none was fitted.
    familiarity : mapping or None
        What scans are compared with to tell whether these weights know their like; None where that
        was not measured.
    """

    name: str = "unnamed"
    configuration: Mapping[str, Any] = field(default_factory=dict)
    operating_point: OperatingPoint = field(default_factory=OperatingPoint)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    second_look: Mapping[str, Any] | None = None
    familiarity: Mapping[str, Any] | None = None

    @property
    def identity(self) -> str:
        """Name and the start of a hash: enough to tell models apart in a report.

        The hash is of the weights, and of the second look where there is one: with another, the
        same weights give other maps.
        """
        if not self.sha256:
            return self.name
        mark = self.sha256[:12]
        if self.second_look is not None:
            facts = json.dumps(self.second_look, sort_keys=True)
            mark = hashlib.sha256(f"{self.sha256} {facts}".encode()).hexdigest()[:12]
        return f"{self.name}@{mark}"

    def to_json(self) -> str:
        """The card as it stands on disk; without what former versions do not know, if it is not."""
        values = {**asdict(self), "operating_point": self.operating_point.to_dict()}
        for name in ("second_look", "familiarity"):
            if values[name] is None:
                del values[name]
        return json.dumps(values, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """The card that :meth:`to_json` wrote.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is none.
        """
        values = json.loads(text)
        values["operating_point"] = OperatingPoint(**values["operating_point"])
        return cls(**values)


def scan_fingerprint(series: SagittalSeries) -> str:
    """What a card knows a scan by that a network has seen, without telling which it is."""
    return hashlib.sha256(series.series_uid.encode()).hexdigest()[:16]


def scans_trained_on(training: Mapping[str, Any] | None) -> frozenset[str]:
    """Marks of the scans that a model and those it started from learned from.

    As far as ``training`` of its card tells; the shipped models saw phantoms only.
    """
    fingerprints = (training or {}).get("seen", {})
    return frozenset(fingerprints.get("training", ()))


def model_names() -> list[str]:
    """Names of the models that ship with the program."""
    return sorted(p.stem for p in SHIPPED_MODELS.glob("*.safetensors"))


def weights_path(name_or_path: str | os.PathLike[str] = DEFAULT) -> Path:
    """File of a shipped model by name, or of any model by path.

    Raises
    ------
    SpinemetError
        If there is no such file.
    """
    shipped_path = SHIPPED_MODELS / f"{name_or_path}.safetensors"
    if str(name_or_path) in model_names():
        return shipped_path
    path = Path(name_or_path)
    if path.is_dir() and (path / "model.safetensors").exists():
        path = path / "model.safetensors"
    if not path.is_file():
        raise SpinemetError(
            f"There is no model '{name_or_path}'; give a .safetensors file or one of "
            f"{', '.join(model_names()) or 'none shipped'}."
        )
    return path


def load_card(name_or_path: str | os.PathLike[str] = DEFAULT) -> ModelCard:
    """Read the card that lies beside a model's weights.

    Raises
    ------
    SpinemetError
        If the model or its card is missing or damaged.
    """
    path = weights_path(name_or_path).with_suffix(".json")
    if not path.is_file():
        raise SpinemetError(f"The card {path.name} is missing beside the weights; copy both files.")
    try:
        return ModelCard.from_json(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError) as error:
        raise SpinemetError(f"The card {path.name} is damaged; copy the model again.") from error
