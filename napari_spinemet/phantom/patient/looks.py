"""What each tissue of one patient gives in each image.

Two ways. By physics: relaxation and the sequences say it. By chance: every tissue is as bright as
it comes, so that nothing can be learned but what differs from its like (domain randomisation:
Billot et al., SynthSeg, Medical Image Analysis 2023;86:102789).

A look is a vector: water and fat of the first image, water and fat of the second, and so on. They
are kept apart until the scanner adds them, since fat is displaced, suppressed and nulled by itself,
and signed, since a voxel of two tissues adds their signals before a magnitude is taken.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..physics.relaxation import FAT, TISSUES, Relaxation, marrow_fat_share
from ..physics.sequences import Protocol

FloatArray = npt.NDArray[np.float32]

DISC_GRADES = {
    # Pfirrmann's grades: proton density, T1 at 1.5 T and T2 of the nucleus, and how often.
    1: (0.86, 1400.0, 210.0, 0.14),
    2: (0.82, 1250.0, 129.0, 0.26),
    3: (0.74, 950.0, 84.0, 0.27),
    4: (0.58, 720.0, 51.0, 0.26),
    5: (0.45, 600.0, 40.0, 0.07),
}


class Looks(ABC):
    """Looks of one patient's tissues.

    Parameters
    ----------
    images : int
        How many contrasts there are.
    rng : numpy.random.Generator
        Kept: :meth:`draw` goes on with it.
    """

    def __init__(self, images: int, rng: np.random.Generator) -> None:
        self.images = images
        self._rng = rng
        self._looks: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        """``(2 images,)``: the same for the whole patient."""
        if name not in self._looks:
            self._looks[name] = self.draw(name)
        return self._looks[name]

    @abstractmethod
    def draw(self, name: str) -> FloatArray:
        """A fresh look, for tissue that differs from place to place."""

    @abstractmethod
    def marrow(self, fat: float | npt.NDArray[np.floating]) -> FloatArray:
        """``(2 images, ...)``: marrow that holds so much fat at each place.

        Parameters
        ----------
        fat : numpy.ndarray
            Shares of the protons, in [0, 1].
        """

    @abstractmethod
    def nucleus(self, grade: int) -> FloatArray:
        """The nucleus of a disc of one of Pfirrmann's grades, 1 to 5."""

    @abstractmethod
    def fat_share(self, level_rank: float) -> float:
        """How much fat the marrow of a level holds in this patient."""

    def magnitude(self, look: FloatArray) -> npt.NDArray[np.float64]:
        """``(images, ...)``: of water and fat together."""
        pairs = np.asarray(look, dtype=np.float64).reshape(self.images, 2, *look.shape[1:])
        return np.asarray(np.abs(pairs.sum(axis=1)))


class PhysicalLooks(Looks):
    """By relaxation times, proton density and the sequences.

    Parameters
    ----------
    protocols : sequence of Protocol
        One an image, all of one field.
    age : float
        In years: marrow turns to fat with it.
    rng : numpy.random.Generator
    """

    def __init__(self, protocols: Sequence[Protocol], age: float, rng: np.random.Generator) -> None:
        super().__init__(len(protocols), rng)
        self._protocols = protocols
        self._age = age
        self._fat_offset = float(rng.normal(0, 0.09))
        self._fat = FAT.variant(rng, 0.05)
        self._marrow = TISSUES["marrow"].variant(rng, 0.13)
        # The unit of all images: this patient's fluid in the first.
        self._units = [abs(p.water_signal(TISSUES["csf"])) for p in protocols]

    def draw(self, name: str) -> FloatArray:
        """The tissue with the times of this person, and of this place."""
        if name == "cord":
            return self._look(TISSUES[name].variant(self._rng, 0.05))
        return self._look(TISSUES[name].variant(self._rng))

    def marrow(self, fat: float | npt.NDArray[np.floating]) -> FloatArray:
        """Water and fat in the shares that are given."""
        parts = []
        for protocol, unit in zip(self._protocols, self._units, strict=True):
            parts.append((1 - fat) * (protocol.water_signal(self._marrow) / unit))
            parts.append(fat * (protocol.fat_signal(self._fat) / unit))
        return np.stack(parts).astype(np.float32)

    def nucleus(self, grade: int) -> FloatArray:
        """By the times of its grade."""
        density, t1, t2, _ = DISC_GRADES[grade]
        return self._look(Relaxation(density, t1, t2).variant(self._rng))

    def fat_share(self, level_rank: float) -> float:
        """By age, level and person."""
        share = marrow_fat_share(self._age, level_rank) + self._fat_offset
        return float(np.clip(share, 0.04, 0.9))

    def _look(self, tissue: Relaxation) -> FloatArray:
        values = []
        for protocol, unit in zip(self._protocols, self._units, strict=True):
            water, fat = protocol.mixture(replace(tissue), self._fat)
            values += [water / unit, fat / unit]
        return np.array(values, dtype=np.float32)


_RANGES = {
    # What air, bone and ligaments are is known of every image; the rest may be anything.
    "cortex": (0.0, 0.15),
    "lung": (0.0, 0.12),
    "ligament": (0.0, 0.3),
    "annulus": (0.0, 0.5),
    "csf": (0.35, 1.2),
    "fluid": (0.3, 1.3),
}
_ANYTHING = (0.03, 1.1)
_UNLIKE_MARROW = {
    "lytic": 0.75,
    "soft_mass": 0.75,
    "sclerotic": 0.15,
    "oedema": 0.8,
    "haemangioma": 0.8,
    "fatty_endplate": 0.5,
}
"""How often each is brighter than marrow."""


class ChanceLooks(Looks):
    """Each tissue as bright as it comes, marrow from darker than muscle to brighter than discs.

    Parameters
    ----------
    images : int
    rng : numpy.random.Generator
    """

    def __init__(self, images: int, rng: np.random.Generator) -> None:
        super().__init__(images, rng)
        self._marrow = self._uniform(0.04, 1.0)
        # How far a place that holds more fat than usual differs, either way.
        self._uneven = self._uniform(-1.0, 1.0)
        self._fat_mean = float(rng.uniform(0.2, 0.6))
        self._nuclei = np.sort(self._uniform(0.03, 1.1, 5), axis=0)[::-1]
        if rng.random() < 0.25:  # with any order of grades
            rng.shuffle(self._nuclei)

    def draw(self, name: str) -> FloatArray:
        """Anything, within what the tissue can be at all; a lesion is what is not as its like."""
        if name in _UNLIKE_MARROW:
            return self._water(self._unlike_marrow(_UNLIKE_MARROW[name]))
        return self._water(self._uniform(*_RANGES.get(name, _ANYTHING)))

    def marrow(self, fat: float | npt.NDArray[np.floating]) -> FloatArray:
        """The patient's own level, uneven where the fat is."""
        extra = (1,) * np.ndim(fat)
        level, uneven = (v.reshape(-1, *extra) for v in (self._marrow, self._uneven))
        values = level * np.clip(1 + uneven * (fat - self._fat_mean), 0.2, 2.5)
        result = np.zeros((2 * self.images, *np.shape(fat)), dtype=np.float32)
        result[::2] = values
        return result

    def nucleus(self, grade: int) -> FloatArray:
        """Mostly the brighter the better the disc."""
        return self._water(self._nuclei[grade - 1] * self._rng.uniform(0.9, 1.1))

    def fat_share(self, level_rank: float) -> float:
        """About the same everywhere."""
        return float(np.clip(self._fat_mean + 0.006 * (level_rank - 20), 0.02, 0.95))

    def _unlike_marrow(self, brighter: float) -> npt.NDArray[np.float64]:
        """Plainly or faintly off the patient's own marrow, to either side."""
        shift = self._uniform(0.10, 0.8) * np.where(self._rng.random() < brighter, 1.0, -1.0)
        values = self._marrow + shift
        # What would be darker than nothing is as much brighter.
        return np.where(values < 0.02, self._marrow + np.abs(shift), values)

    def _uniform(self, low: float, high: float, *shape: int) -> npt.NDArray[np.float64]:
        return self._rng.uniform(low, high, (*shape, self.images))

    def _water(self, values: npt.NDArray[np.floating]) -> FloatArray:
        result = np.zeros(2 * self.images, dtype=np.float32)
        result[::2] = values
        return result
