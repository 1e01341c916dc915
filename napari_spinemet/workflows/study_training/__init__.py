"""Training on a study: its cases split, a network trained, judged, and kept with its card."""

from .case_split import split_cases
from .run import StudyTraining, train_study

__all__ = ["StudyTraining", "split_cases", "train_study"]
