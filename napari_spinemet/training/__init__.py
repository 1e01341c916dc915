"""Training: samples, the loop, and what the trained network is worth."""

from .config import TrainingConfig
from .loop import train
from .result import TrainingResult

__all__ = ["TrainingConfig", "TrainingResult", "train"]
