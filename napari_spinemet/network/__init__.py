"""The Siamese network in its two forms, and its weights on disk.

Names that need torch are loaded when first used: reading a card needs none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .card import ModelCard, load_card, model_names, scan_fingerprint, scans_trained_on
from .provenance import provenance_sentence

if TYPE_CHECKING:
    from .siamese import SiameseNet
    from .weights import load_model, save_model

_HOME = {"SiameseNet": "siamese", "load_model": "weights", "save_model": "weights"}

__all__ = [
    "ModelCard",
    "SiameseNet",
    "load_card",
    "load_model",
    "model_names",
    "provenance_sentence",
    "save_model",
    "scan_fingerprint",
    "scans_trained_on",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
