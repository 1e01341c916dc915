"""Training on a study: its cases split, a network trained, judged, and kept with its card."""

from .case_split import split_cases
from .run import StudyTraining, check_model_name, train_study

__all__ = ["StudyTraining", "check_model_name", "split_cases", "train_study"]
