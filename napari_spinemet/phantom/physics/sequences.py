"""Sequences as hospitals run them on the spine, and the signal that follows.

The signal of an inversion recovery spin echo is
``PD (1 - 2 exp(-TI / T1) + exp(-TR / T1)) exp(-TE / T2)``, that of a spin echo
``PD (1 - exp(-TR / T1)) exp(-TE / T2)``; signed, since a voxel that holds two tissues adds them
before a magnitude is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .relaxation import FAT, Relaxation

CONTRASTS = ("stir", "t1", "t2", "t2fs", "water")
"""STIR; T1; T2; T2 with spectral fat suppression; the water image of a Dixon T2."""
FIELDS_T = (0.3, 0.5, 1.0, 1.5, 3.0)
FIELD_SHARES = (0.10, 0.04, 0.10, 0.46, 0.30)
SHIFT_PPM = 3.45
"""Of fat against water."""
_PROTON_MHZ_PER_T = 42.577


@dataclass(frozen=True)
class Protocol:
    """One sequence.

    Attributes
    ----------
    contrast : str
        See :data:`CONTRASTS`.
    field_t : float
    repetition_ms, echo_ms : float
        TR and the effective TE.
    inversion_ms : float or None
        TI; None for a spin echo.
    inversion_efficiency : float
        What the inversion reaches, 1 if it is perfect.
    fat_left : float
        Share of the fat signal that spectral suppression or water-fat separation leaves.
    bandwidth_hz : float
        Of a pixel: fat is displaced by its frequency in these.
    """

    contrast: str
    field_t: float
    repetition_ms: float
    echo_ms: float
    inversion_ms: float | None = None
    inversion_efficiency: float = 1.0
    fat_left: float = 1.0
    bandwidth_hz: float = 150.0

    @property
    def fat_shift_pixels(self) -> float:
        """How far fat lies from its place along the frequency direction."""
        return SHIFT_PPM * _PROTON_MHZ_PER_T * self.field_t / self.bandwidth_hz

    def signal(self, t1_ms: float, t2_ms: float) -> float:
        """Of one proton density, signed.

        Parameters
        ----------
        t1_ms, t2_ms : float
            At the field of the protocol.
        """
        recovery = math.exp(-self.repetition_ms / t1_ms)
        if self.inversion_ms is None:
            longitudinal = 1 - recovery
        else:
            inversion = (1 + self.inversion_efficiency) * math.exp(-self.inversion_ms / t1_ms)
            longitudinal = 1 - inversion + self.inversion_efficiency * recovery
        return longitudinal * math.exp(-self.echo_ms / t2_ms)

    def water_signal(self, tissue: Relaxation) -> float:
        """Of a tissue that were water alone: density and relaxation, signed."""
        return tissue.density * self.signal(tissue.t1_at(self.field_t), tissue.t2_ms)

    def fat_signal(self, fat: Relaxation = FAT) -> float:
        """Of fat alone, signed, after suppression."""
        return self.fat_left * self.water_signal(fat)

    def mixture(self, tissue: Relaxation, fat: Relaxation = FAT) -> tuple[float, float]:
        """Water's and fat's share of the signal of a tissue.

        Parameters
        ----------
        tissue : Relaxation
            With its own share of fat.
        fat : Relaxation
        """
        water = (1 - tissue.fat) * self.water_signal(tissue)
        return water, tissue.fat * self.fat_signal(fat)


def draw_field(rng: np.random.Generator) -> float:
    """A field in tesla, as often as scanners of it stand in hospitals (from memory)."""
    return float(rng.choice(FIELDS_T, p=FIELD_SHARES))


def draw_protocol(contrast: str, field_t: float, rng: np.random.Generator) -> Protocol:
    """A sequence within the ranges that hospitals use.

    Parameters
    ----------
    contrast : str
        See :data:`CONTRASTS`.
    field_t : float
    rng : numpy.random.Generator
    """
    low = field_t < 0.8
    bandwidth = float(rng.uniform(25, 80) if low else rng.uniform(110, 300))
    if contrast == "stir":
        null_ms = math.log(2) * FAT.t1_at(field_t)
        return Protocol(
            contrast,
            field_t,
            float(rng.uniform(1800, 3500) if low else rng.uniform(2500, 5500)),
            float(rng.uniform(30, 80) if low else rng.uniform(30, 110)),
            null_ms * float(rng.uniform(0.85, 1.15)),
            float(rng.uniform(0.93, 1.0)),
            bandwidth_hz=bandwidth,
        )
    if contrast == "t1":
        repetition = rng.uniform(350, 600) if low else rng.uniform(420, 800)
        echo = rng.uniform(14, 26) if low else rng.uniform(8, 15)
        return Protocol(contrast, field_t, float(repetition), float(echo), bandwidth_hz=bandwidth)
    repetition, echo = rng.uniform(2500, 5000), rng.uniform(80, 125)
    fat_left = 1.0
    if contrast == "t2fs":
        echo = rng.uniform(45, 100)
        fat_left = rng.uniform(0.09, 0.18)
    if contrast == "water":
        # From nearly proton density to T2; shorter echoes are not read as a T2 (dicom/contrast).
        echo = rng.uniform(36, 110)
        fat_left = rng.uniform(0.01, 0.12)
    return Protocol(
        contrast,
        field_t,
        float(repetition),
        float(echo),
        fat_left=float(fat_left),
        bandwidth_hz=bandwidth,
    )
