"""A seeded cohort of synthetic spines, for training, tests and the paper's comparisons."""

from .case import PhantomCase, make_case
from .cohort import make_cohort

__all__ = ["PhantomCase", "make_case", "make_cohort"]
