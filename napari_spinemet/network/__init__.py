"""The Siamese network in its two forms, and its weights on disk."""

from .card import ModelCard, load_card
from .siamese import SiameseNet
from .weights import load_model, model_names, save_model

__all__ = ["ModelCard", "SiameseNet", "load_card", "load_model", "model_names", "save_model"]
