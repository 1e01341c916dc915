"""Which networks the paper's comparisons need, and how much of each a budget pays for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import SpinemetError
from ...imaging import OperatingPoint
from ...imaging.evaluated_region import WHOLE_WIDTH
from ...phantom import CohortSettings
from ...phantom.case import PHYSICAL
from ...phantom.patient.disease import LOCALISED
from ...training import TrainingConfig

COHORT_SEED = 2017
"""Of the cases; apart from those of every test, and of what shipped models were trained on."""
REVISION = 3
"""Raised when the same networks would be judged otherwise, so that no table mixes both (1: until
lambda was chosen for one resolution too, and the gate followed the sacrum; 2: the second
generator's patients, evaluated in the central half of the columns)."""
_OF_REVISION_3: Mapping[str, Any] = {
    "form": "dense",
    "resolutions": (0.5, 1.0, 2.0),
    "blocks": (1, 2, 2),
    "outputs": 3,
    "patch_shape": (79, 55),
    "zscore_sigma_mm": 20.0,
    "wide_zscore_sigma_mm": None,
    "reference": None,
    "normal_slices": "all",
    "vertebra_share": 0.5,
    "background": WHOLE_WIDTH,
    "mistaken_share": 0.3,
    "looks": 4,
    "method": "blocks",
    "batch_size": 128,
    "samples_per_block": 8,
    "optimiser": "sgd",
    "learning_rate": 0.02,
    "schedule": "one-cycle",
    "momentum": 0.9,
    "weight_decay": 0.001,
    "clip_norm": 2.0,
    "flips": True,
    "variation": 1.0,
    "recoloured_share": 0.5,
    "case_limit": 3.0,
    "patience": None,
}
"""Every setting of a training that neither budget nor system gives: a default that changes later
moves no figure."""
DEFAULT_POINT = OperatingPoint(0.6, 1.0, 0.6, gate=True)
"""Whose area, weight and gate a fold keeps unless others are clearly better. Bodies of the neck
have about 2 cm² in a slice, so that with 3 cm² most lesions there could not be found. It is no
model's point: figures do not move with what is shipped."""


@dataclass(frozen=True)
class System:
    """One kind of network.

    Attributes
    ----------
    key : str
        Name of its cross-validation in the cohort's study.
    title : str
        For tables and figures.
    changes : mapping
        Of a training configuration, against the default.
    tries_decays : bool
        Whether lambda is chosen among several on each fold's validation cases.
    seed_shift : int
        Added to the seed of each fold's network; the folds have the same cases.
    """

    key: str
    title: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    tries_decays: bool = False
    seed_shift: int = 0

    @property
    def is_dense(self) -> bool:
        """Whether a whole slice is evaluated at once."""
        return bool(self.changes.get("form", "dense") == "dense")


MAIN, SINGLE, PATCH = "three", "one", "patch-form"
AGAIN_SUFFIX = "-again"
"""Behind the key of a system: its second training."""
TRAINED_TWICE = (MAIN, SINGLE, MAIN + AGAIN_SUFFIX, SINGLE + AGAIN_SUFFIX)
OTHER_SEEDS = 1000
"""More than there are folds, so that no network of the second training has a seed of the first."""
WHOLE_SLICE_MM = 10_000.0
"""A window beside which a slice is a point."""
_THREE, _ONE = "three resolutions (0.5, 1, 2 mm)", "one resolution (1 mm)"
SYSTEMS = (
    System(MAIN, _THREE, tries_decays=True),
    System(SINGLE, _ONE, {"resolutions": (1.0,)}, tries_decays=True),
    System(
        MAIN + AGAIN_SUFFIX, f"{_THREE}, trained again", tries_decays=True, seed_shift=OTHER_SEEDS
    ),
    System(
        SINGLE + AGAIN_SUFFIX,
        f"{_ONE}, trained again",
        {"resolutions": (1.0,)},
        tries_decays=True,
        seed_shift=OTHER_SEEDS,
    ),
    System("quarter", "0.25, 1 and 1.25 mm", {"resolutions": (0.25, 1.0, 1.25)}),
    System("half", "0.5, 1 and 1.5 mm", {"resolutions": (0.5, 1.0, 1.5)}),
    System(
        "one-small",
        "one resolution, patches of 39 x 27",
        {"resolutions": (1.0,), "patch_shape": (39, 27)},
    ),
    System(
        "one-large",
        "one resolution, patches of 119 x 83",
        {"resolutions": (1.0,), "patch_shape": (119, 83)},
    ),
    System("zscore-slice", "each slice z-scored as a whole", {"zscore_sigma_mm": WHOLE_SLICE_MM}),
    System("blocks-111", "blocks of (1, 1, 1) convolutions", {"blocks": (1, 1, 1)}),
    System(
        PATCH,
        "patch form, three resolutions",
        {"form": "patch", "outputs": 2, "method": "windows", "learning_rate": 0.03},
    ),
)
"""In the order in which they are trained: what matters most comes first."""


@dataclass(frozen=True)
class Budget:
    """How much is computed.

    Attributes
    ----------
    name, omissions : str
        ``omissions`` tells a reader what was left out.
    cases, folds : int
    epochs, batches : int or None
        Of each network of the dense form.
    looks : int
        How often these are looked at for mistakes.
    patch_epochs, patch_batches : int or None
        Of the patch form.
    weight_decays : tuple of float
        Twice the paper's lambda each; tried where a system asks for it.
    patch_stride, patch_cases : int
        Every so-many-th pixel of the maps of the patch form, and of how many cases.
    pixel_mm : float or None
        In-plane pixel of every case; None for those that scanners have.
    """

    name: str
    omissions: str
    cases: int
    folds: int
    epochs: int
    batches: int | None
    looks: int
    patch_epochs: int
    patch_batches: int | None
    weight_decays: tuple[float, ...]
    patch_stride: int
    patch_cases: int
    pixel_mm: float | None = None

    def config(self, system: System, *, seed: int = 0, device: str = "auto") -> TrainingConfig:
        """The training of one system, in float32: its pieces may run on unlike processors.

        Parameters
        ----------
        system : System
        seed : int
            Of the first fold's network, before the system's own shift.
        device : str
        """
        length = (
            {"epochs": self.epochs, "batches_per_epoch": self.batches, "looks": self.looks}
            if system.is_dense
            else {"epochs": self.patch_epochs, "batches_per_epoch": self.patch_batches}
        )
        machine = {
            "seed": seed + system.seed_shift,
            "device": device,
            "precision": "float32",
        }
        return TrainingConfig(**{**_OF_REVISION_3, **length, **system.changes, **machine})

    @property
    def cohort(self) -> CohortSettings:
        """Patients of the third generator as in life, none of whose whole marrow is diseased."""
        return CohortSettings(
            self.cases,
            seed=COHORT_SEED,
            variety="evaluation",
            pixel_mm=self.pixel_mm,
            generator=PHYSICAL,
            burden=LOCALISED,
        )

    @property
    def patch_subset(self) -> list[str]:
        """The cases whose maps the patch form makes: the first ones."""
        return [f"case-{number + 1:03d}" for number in range(self.patch_cases)]

    def decays(self, system: System) -> tuple[float, ...]:
        """Weight decays to try; none for the default alone."""
        return self.weight_decays if system.tries_decays else ()


BUDGETS = {
    budget.name: budget
    for budget in (
        Budget(
            "reduced",
            "5 folds in place of 10, 600 batches a network, two values of lambda for three "
            "resolutions and for one, the default for the others; the patch form with every fourth "
            "pixel of 8 cases",
            cases=26,
            folds=5,
            epochs=6,
            batches=100,
            looks=2,
            patch_epochs=6,
            patch_batches=100,
            weight_decays=(0.001, 0.01),
            patch_stride=4,
            patch_cases=8,
        ),
        Budget(
            "full",
            "of lambda all but the default, for other networks than three resolutions and one",
            cases=26,
            folds=10,
            epochs=30,
            batches=200,
            looks=4,
            patch_epochs=30,
            patch_batches=None,
            weight_decays=(0.001, 0.002, 0.02, 0.2),
            patch_stride=1,
            patch_cases=26,
        ),
        Budget(
            "smoke",
            "nearly all: it shows that every part runs, and its figures mean nothing",
            cases=6,
            folds=2,
            epochs=1,
            batches=2,
            looks=1,
            patch_epochs=1,
            patch_batches=1,
            weight_decays=(0.001, 0.01),
            patch_stride=24,
            patch_cases=1,
            pixel_mm=2.0,
        ),
    )
}


@dataclass(frozen=True)
class Reproduction:
    """What is run, and for how long.

    Attributes
    ----------
    budget : {"reduced", "full", "smoke"}
        Name of one of :data:`BUDGETS`.
    seed : int
        Of the split and of the first fold's network; fold ``k`` has the seed plus ``k``, and a
        second training that plus its shift.
    minutes : float or None
        Stop after so long, to go on another time.
    only_systems : tuple of str or None
        Keys of systems; the comparisons that need others are left out. None for all.
    only_folds : tuple of int or None
        Only these folds, from 1, to see that alone they give the same numbers. Nothing is
        evaluated; each system's report of them lies at :func:`.report_path`.
    device : str

    Raises
    ------
    SpinemetError
        If there is no such budget or system.
    """

    budget: str = "reduced"
    seed: int = 0
    minutes: float | None = None
    only_systems: tuple[str, ...] | None = None
    only_folds: tuple[int, ...] | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.budget not in BUDGETS:
            raise SpinemetError(f"The budget is one of {', '.join(BUDGETS)}, not '{self.budget}'.")
        keys = [system.key for system in SYSTEMS]
        for key in self.only_systems or ():
            if key not in keys:
                raise SpinemetError(f"There is no system '{key}'; there are {', '.join(keys)}.")

    @property
    def plan(self) -> Budget:
        """How much is computed."""
        return BUDGETS[self.budget]

    @property
    def systems(self) -> list[System]:
        """Those that are asked for, in their order."""
        return [s for s in SYSTEMS if self.only_systems is None or s.key in self.only_systems]
