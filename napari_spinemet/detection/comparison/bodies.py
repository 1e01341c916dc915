"""The vertebral bodies of a scan, told apart along the spine by the network's own outputs.

What is bone is what the network calls lesion or normal vertebra: a body that is diseased
altogether is bone too. Along the course of the bodies that likelihood falls at each disc.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

from ...imaging import LikelihoodMap
from ..bone import bone_likelihood
from ..coarse_look import lattice
from ..corridor import CORRIDOR_RULE, trace_course

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class BodyRule:
    """How bodies are told apart, in mm and likelihoods.

    Attributes
    ----------
    reach_mm : float
        The likelihood of bone is averaged so far in front of the course and behind it.
    blur_mm : float
        Sigma of the Gaussian along the course that takes away what is no disc.
    depth : float
        By so much bone is less likely in a disc than in the bodies beside it.
    least_mm, most_mm : float
        Height of a body with its disc. Two discs that lie farther apart have others between them.
    bone : float
        A body is one where bone is as likely in the middle of it.
    gap_mm : float
        Where no bone is seen over so much there is no disc, but a body that is not recognised.
    edge_mm : float
        Marrow is measured so far from discs.
    half_depth_mm : float
        And so far from the course: bodies reach farther, but not all of them.
    """

    reach_mm: float = 8.0
    blur_mm: float = 1.5
    depth: float = 0.08
    least_mm: float = 11.0
    most_mm: float = 48.0
    bone: float = 0.3
    gap_mm: float = 13.0
    edge_mm: float = 3.0
    half_depth_mm: float = 16.0


BODY_RULE = BodyRule()


@dataclass(frozen=True, eq=False)
class Bodies:
    """Where the bodies lie on the working grid, the same in all slices.

    Attributes
    ----------
    middle : numpy.ndarray
        ``(row,)``: column of the course.
    borders : numpy.ndarray
        ``(n, 2)``: first and last row of each body on the course, from head to feet.
    """

    middle: FloatArray
    borders: FloatArray

    def __len__(self) -> int:
        return len(self.borders)

    @property
    def is_gapless(self) -> bool:
        """Whether each body adjoins the next: none between them was missed."""
        return bool((np.abs(self.borders[1:, 0] - self.borders[:-1, 1]) < 1).all())

    @property
    def slope(self) -> FloatArray:
        """``(row,)``: columns to the back with each row to the feet."""
        return np.asarray(np.gradient(ndimage.gaussian_filter1d(self.middle, 5.0)))

    def coordinates(self, shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
        """Row of the foot of each pixel's perpendicular on the course, and its distance from it.

        Parameters
        ----------
        shape : tuple of int
            (rows, columns).

        Returns
        -------
        tuple of numpy.ndarray
            ``(row, column)`` each; the distance is in mm, and below 0 in front of the course.
        """
        rows, columns = np.arange(shape[0]), np.arange(shape[1])
        offset_mm = columns - self.middle[:, None]
        slope = self.slope[:, None]
        steep = np.sqrt(1 + slope**2)
        return rows[:, None] + slope * offset_mm / steep**2, offset_mm / steep

    def numbers(self, foot: FloatArray) -> npt.NDArray[np.int64]:
        """Number of the body, from 0, at feet on the course; the nearest one beyond its ends.

        Parameters
        ----------
        foot : numpy.ndarray
        """
        limits = (self.borders[1:, 0] + self.borders[:-1, 1]) / 2
        return np.asarray(np.searchsorted(limits, foot), dtype=np.int64)


def body_likelihood(likelihood: LikelihoodMap) -> npt.NDArray[np.float32] | None:
    """Of lesion or normal vertebra; None for a network that does not tell vertebrae.

    A body that is called lesion for certain counts too, along a course that is known.

    Parameters
    ----------
    likelihood : LikelihoodMap
        Plain.
    """
    if likelihood.vertebra is None:
        return None
    return np.asarray(np.minimum(likelihood.values + likelihood.vertebra, 1), dtype=np.float32)


def find_bodies(likelihood: LikelihoodMap, rule: BodyRule = BODY_RULE) -> Bodies | None:
    """Tell bodies apart.

    Parameters
    ----------
    likelihood : LikelihoodMap
        Plain, of a network with three outputs.
    rule : BodyRule

    Returns
    -------
    Bodies or None
        None where no spine is seen, or fewer than two bodies.
    """
    bone = body_likelihood(likelihood)
    if bone is None or likelihood.vertebra is None:
        return None
    rows, columns = (lattice(size, CORRIDOR_RULE.stride) for size in bone.shape[1:])
    points = np.s_[:, rows[:, None], columns]
    # Not of what is lesion for certain: a bright organ would lead the course astray.
    course = trace_course(
        bone_likelihood(likelihood.values[points], likelihood.vertebra[points]), rows, columns
    )
    if course is None:
        return None
    # Where the stack is wide, or the spine bends sideways, some slices miss the bodies.
    best = np.sort(bone, axis=0)[len(bone) // 2 :].mean(axis=0)
    middle = ndimage.gaussian_filter1d(course.at(np.arange(len(best))), 6.0, mode="nearest")
    profile = _profile(best, middle, rule)
    discs = _find_discs(profile, rule)
    if len(discs) < 2:
        return None
    borders = np.array(
        [
            (first, last)
            for first, last in itertools.pairwise(discs)
            if profile[
                int(first + 0.3 * (last - first)) : int(last - 0.3 * (last - first)) + 1
            ].mean()
            > rule.bone
        ]
    )
    return Bodies(middle, borders) if len(borders) >= 2 else None


def _profile(bone: npt.NDArray[np.floating], middle: FloatArray, rule: BodyRule) -> FloatArray:
    """Mean likelihood of bone across the bodies, at right angles to the course, in each row."""
    slope = np.gradient(ndimage.gaussian_filter1d(middle, 5.0))
    offset_mm = np.arange(-rule.reach_mm, rule.reach_mm + 1)
    steep = np.sqrt(1 + slope**2)[:, None]
    rows = np.arange(len(middle))[:, None] - offset_mm * slope[:, None] / steep
    columns = middle[:, None] + offset_mm / steep
    across = ndimage.map_coordinates(bone, [rows, columns], order=1, mode="nearest")
    return np.asarray(ndimage.gaussian_filter1d(across.mean(axis=1), rule.blur_mm))


def _find_discs(profile: FloatArray, rule: BodyRule) -> list[float]:
    """Rows of the discs, and of the ends of what is seen."""
    # The ends of the spine are borders too: beyond the picture there is no bone.
    framed = np.pad(1 - profile, 2, constant_values=1.0)
    peaks, _ = signal.find_peaks(framed, distance=rule.least_mm, prominence=rule.depth)
    discs = [float(p - 2) for p in peaks]
    bone_rows = np.flatnonzero(profile > rule.bone)
    if not len(bone_rows):
        return []
    first, last = float(bone_rows[0]), float(bone_rows[-1])
    discs = [d for d in discs if first < d < last]
    if not discs or discs[0] - first >= rule.least_mm:
        discs.insert(0, first)
    if last - discs[-1] >= rule.least_mm:
        discs.append(last)
    discs = _fill_gaps(discs, rule)
    for start, end in _gaps(profile[int(first) : int(last) + 1], rule):
        inner = [d for d in discs if not first + start - 1 <= d <= first + end + 1]
        discs = sorted([*inner, first + start, first + end])
    return discs


def _gaps(profile: FloatArray, rule: BodyRule) -> list[tuple[int, int]]:
    """First row and one past the last of each stretch in which no bone is seen."""
    edges = np.flatnonzero(np.diff(np.r_[False, profile < rule.bone, False].astype(int)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a > rule.gap_mm]


def _fill_gaps(discs: list[float], rule: BodyRule) -> list[float]:
    """Put discs where one was missed: bodies beside each other are about as high."""
    heights = np.diff(discs)
    if len(heights) < 3:
        usual = np.full(
            len(heights), min(30.0, float(np.median(heights))) if len(heights) else 30.0
        )
    else:
        usual = ndimage.median_filter(heights, size=5, mode="nearest")
    result = discs[:1]
    for height, own, end in zip(heights, usual, discs[1:], strict=True):
        own = min(float(own), rule.most_mm)
        parts = max(1, round(height / own)) if height > 1.6 * own else 1
        result += [float(v) for v in np.linspace(result[-1], end, parts + 1)[1:]]
    return result
