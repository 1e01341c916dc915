"""Relaxation times and proton density of what a sagittal picture of the spine shows.

T1 grows with the field as a power of it (Bottomley et al., Med Phys 1984;11:425; Rooney et al.,
Magn Reson Med 2007;57:308); T2 hardly changes, and is taken as the same at every field. Fat is a
tissue of its own: what is called marrow, muscle or subcutaneous fat is a mixture of water and fat,
each with its own times. Sources of each number stand in ``docs/phantoms.md``; those of which none
could be looked up are marked there, and here, as from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

REFERENCE_T = 1.5
"""Field of the tabled T1."""


@dataclass(frozen=True)
class Relaxation:
    """One tissue's water, and how much fat is mixed into it.

    Attributes
    ----------
    density : float
        Visible protons, of cerebrospinal fluid's.
    t1_ms : float
        At 1.5 T.
    t2_ms : float
        At any field.
    exponent : float
        T1 grows with the field to this power.
    fat : float
        Share of the visible protons that is fat.
    from_memory : bool
        Whether no source could be looked up.
    """

    density: float
    t1_ms: float
    t2_ms: float
    exponent: float = 1 / 3
    fat: float = 0.0
    from_memory: bool = False

    def t1_at(self, field_t: float) -> float:
        """T1 in ms at a field in tesla."""
        return float(self.t1_ms * (field_t / REFERENCE_T) ** self.exponent)

    def variant(self, rng: np.random.Generator, spread: float = 0.08) -> Relaxation:
        """The same tissue of another person: times and density off by some per cent.

        Parameters
        ----------
        rng : numpy.random.Generator
        spread : float
            Standard deviation, as a share.
        """
        t1, t2, density = np.exp(rng.normal(0, spread, 3))
        return replace(
            self,
            t1_ms=self.t1_ms * float(t1),
            t2_ms=self.t2_ms * float(t2),
            density=self.density * float(density) ** 0.5,
        )


def _memory(density: float, t1_ms: float, t2_ms: float, **more: float) -> Relaxation:
    return Relaxation(density, t1_ms, t2_ms, from_memory=True, **more)


FAT = Relaxation(0.93, 260, 95, exponent=0.28)
"""The fat in any tissue. A little shorter than measured alone (288 ms at 1.5 T): hospitals null it
with inversion times that say so. Its T2 hangs on the echo spacing (41 to 165 ms)."""

TISSUES: Mapping[str, Relaxation] = {
    "csf": Relaxation(1.0, 4300, 2000, exponent=0.0),
    "cord": Relaxation(0.70, 780, 95, exponent=0.4),
    "nerve": _memory(0.75, 900, 70),
    "brain": Relaxation(0.78, 950, 82, exponent=0.4),
    # Marrow water; how much fat lies beside it follows from age and level.
    "marrow": Relaxation(0.78, 1000, 58),
    "cortex": Relaxation(0.05, 200, 1.0),
    "nucleus": Relaxation(0.80, 1250, 150),
    "annulus": Relaxation(0.55, 750, 45),
    "ligament": _memory(0.35, 700, 9),
    "muscle": Relaxation(0.80, 950, 36, fat=0.06),
    "fat": Relaxation(0.9, 900, 40, fat=0.95),
    "skin_fat": Relaxation(0.9, 900, 40, fat=0.94),
    "blood": Relaxation(0.90, 1500, 180, exponent=0.25),
    "liver": Relaxation(0.82, 586, 46, exponent=0.45, fat=0.05),
    "spleen": Relaxation(0.87, 1057, 79),
    "kidney": Relaxation(0.88, 1150, 86, exponent=0.2),
    "bowel": _memory(0.80, 1000, 70),
    "fluid": _memory(1.0, 3500, 900, exponent=0.0),
    "heart": Relaxation(0.82, 1000, 52),
    "lung": Relaxation(0.15, 830, 20),
    "uterus": Relaxation(0.85, 1310, 115, exponent=0.22),
    "endometrium": Relaxation(0.90, 1600, 190, exponent=0.1),
    "prostate": Relaxation(0.85, 1317, 95, exponent=0.28),
    "node": _memory(0.85, 950, 75),
    # Lesions: cells in place of marrow, and mineral in place of both.
    "lytic": Relaxation(0.88, 1300, 78, fat=0.035),
    "sclerotic": Relaxation(0.28, 1150, 52, fat=0.06),
    "soft_mass": Relaxation(0.87, 1300, 85),
    # What looks like a lesion and is none.
    "oedema": _memory(0.85, 1250, 92, fat=0.20),
    "haemangioma": _memory(0.92, 1350, 130, fat=0.45),
    "fatty_endplate": _memory(0.82, 1000, 58, fat=0.68),
}
"""By name. The water of cerebrospinal fluid is the measure of density."""


def marrow_fat_share(age: float, level_rank: float) -> float:
    """Usual fat share of the visible protons of a vertebra's marrow.

    From spectroscopy and water-fat imaging: 0.27 to 0.32 in the twenties, 0.42 to 0.49 past sixty,
    a point or two more with each lumbar level, less above (there from memory).

    Parameters
    ----------
    age : float
        In years.
    level_rank : float
        0 for the second cervical vertebra, 22 for the fifth lumbar, 23 for the first sacral.
    """
    at_l3 = 0.29 + 0.0040 * (np.clip(age, 15, 90) - 25)
    return float(np.clip(at_l3 + 0.010 * (level_rank - 20), 0.05, 0.85))
