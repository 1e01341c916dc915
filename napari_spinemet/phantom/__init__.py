"""A seeded cohort of synthetic spines, for training, tests and the paper's comparisons."""

from .case import PhantomCase, make_case
from .cohort import CohortSettings, make_cohort, write_cohort
from .implant import Implant, implant_lesion
from .implant_cohort import make_implants

__all__ = [
    "CohortSettings",
    "Implant",
    "PhantomCase",
    "implant_lesion",
    "make_case",
    "make_cohort",
    "make_implants",
    "write_cohort",
]
