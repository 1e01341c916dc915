"""How hard a cohort of phantoms is."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import SpinemetError


@dataclass(frozen=True)
class Difficulty:
    """What makes lesions hard to find and mimics hard to tell from them.

    Patients of one seed have the same spine, organs and seats of lesions at every difficulty.

    Attributes
    ----------
    name : str
    contrast : tuple of float
        Two shapes of a beta distribution, then least and largest: how far of the way from
        marrow to cerebrospinal fluid a lesion lies.
    mimics : float
        Factor on how many bodies have a haemangioma, an endplate change, a Schmorl's node.
    noise : tuple of float
        Least and largest deviation of each channel, as a share of cerebrospinal fluid.
    """

    name: str
    contrast: tuple[float, float, float, float]
    mimics: float
    noise: tuple[float, float]


# Lesions from plain to barely visible, as many mimics as lesions; noise as measured.
STANDARD = Difficulty(
    "standard",
    contrast=(2.0, 2.2, 0.17, 0.95),
    mimics=1.0,
    noise=(0.025, 0.06),
)
DIFFICULTIES = {
    difficulty.name: difficulty
    for difficulty in (
        # Every lesion at least half-way to the fluid, few mimics, little noise.
        Difficulty(
            "easy",
            contrast=(2.0, 2.0, 0.5, 1.0),
            mimics=0.4,
            noise=(0.012, 0.03),
        ),
        STANDARD,
        # Most lesions faint, some below what can be seen, many mimics, much noise.
        Difficulty(
            "hard",
            contrast=(1.6, 3.4, 0.10, 0.75),
            mimics=1.7,
            noise=(0.045, 0.09),
        ),
    )
}


def difficulty_of(name: str) -> Difficulty:
    """By name.

    Raises
    ------
    SpinemetError
        If there is none of that name.
    """
    if name not in DIFFICULTIES:
        raise SpinemetError(f"The difficulty is one of {', '.join(DIFFICULTIES)}, not '{name}'.")
    return DIFFICULTIES[name]
