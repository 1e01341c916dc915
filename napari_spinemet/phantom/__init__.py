"""A seeded cohort of synthetic spines, for training, tests and the paper's comparisons."""

from .case import PhantomCase, PhantomImage, make_case
from .cohort import CohortSettings, make_cohort, write_cohort
from .implants.cohort import make_implants
from .implants.lesion_implant import Implant, implant_lesion

__all__ = [
    "CohortSettings",
    "Implant",
    "PhantomCase",
    "PhantomImage",
    "implant_lesion",
    "make_case",
    "make_cohort",
    "make_implants",
    "write_cohort",
]
