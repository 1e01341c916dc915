"""How bright each tissue is: as in life, or far wider for training."""

from __future__ import annotations

import numpy as np

# Fat-suppressed T2 relative to cerebrospinal fluid: (mean, deviation) as in life, and the
# (lowest, highest) value of domain randomisation. The first were settled by measuring phantoms
# and a real STIR series alike (benchmarks/calibration.py), and by what the textbooks say of
# what that series does not show.
_LIFE = {
    "csf": (1.0, 0.06),
    "cord": (0.42, 0.06),
    "marrow": (0.215, 0.045),
    "cortex": (0.03, 0.01),
    "nucleus": (0.60, 0.22),
    "annulus": (0.07, 0.02),
    "muscle": (0.11, 0.03),
    "fat": (0.14, 0.04),
    "skin_fat": (0.15, 0.05),
    "brain": (0.45, 0.06),
    "flow": (0.05, 0.03),
    "slow_flow": (0.55, 0.2),
    "liver": (0.16, 0.04),
    "bowel": (0.35, 0.22),
    "fluid": (0.95, 0.12),
    "lung": (0.02, 0.01),
    "heart": (0.22, 0.06),
    "kidney": (0.6, 0.1),
    "nerve": (0.35, 0.08),
    "ligament": (0.05, 0.02),
}
_WIDE = {
    "csf": (0.45, 1.2),
    "cord": (0.15, 0.8),
    "marrow": (0.04, 0.42),
    "cortex": (0.0, 0.15),
    "nucleus": (0.04, 1.0),
    "annulus": (0.01, 0.35),
    "muscle": (0.04, 0.4),
    "fat": (0.01, 0.4),
    "skin_fat": (0.01, 0.6),
    "brain": (0.2, 0.8),
    "flow": (0.0, 0.3),
    "slow_flow": (0.05, 1.2),
    "liver": (0.05, 0.45),
    "bowel": (0.05, 1.1),
    "fluid": (0.3, 1.3),
    "lung": (0.0, 0.12),
    "heart": (0.05, 0.7),
    "kidney": (0.2, 1.0),
    "nerve": (0.1, 0.9),
    "ligament": (0.0, 0.3),
}


class Tissues:
    """Intensities of one patient.

    Parameters
    ----------
    rng : numpy.random.Generator
        Kept: :meth:`draw` goes on with it.
    wide : bool
        Domain randomisation: each tissue drawn far wider than life, so that a real scanner
        is one more draw (Billot et al., SynthSeg, Medical Image Analysis 86, 2023).
    """

    def __init__(self, rng: np.random.Generator, wide: bool) -> None:
        self._rng = rng
        self._wide = wide
        self.values = {name: self.draw(name) for name in _LIFE}

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def draw(self, name: str) -> float:
        """A fresh value: for tissues that differ from place to place, such as discs."""
        if self._wide:
            low, high = _WIDE[name]
            return float(self._rng.uniform(low, high))
        mean, deviation = _LIFE[name]
        return float(max(0.0, self._rng.normal(mean, deviation)))
