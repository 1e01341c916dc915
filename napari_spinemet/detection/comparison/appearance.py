"""What a scan looks like as a whole, and how a model takes it, to tell whether it knows its like.

Everything but the number of marks is a share or a ratio, so that neither the scanner's scale nor
the size of the field counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .marrow import in_discs, in_strip, log_ratio
from .scan_view import ScanView

FloatArray = npt.NDArray[np.float64]


class AppearanceFeature(NamedTuple):
    """One number that a scan is known by.

    Attributes
    ----------
    name : str
    low, high : str
        What is said of a scan in which it is much lower, or much higher, than in what was learned
        from.
    is_look : bool
        Whether it makes a scan unlike others by itself; what rises with disease does not.
    is_risk : bool
        Whether it tells that a model errs.
    """

    name: str
    low: str
    high: str
    is_look: bool = True
    is_risk: bool = False


_FEWER_MARKS, _MORE_MARKS = "the model marks less in it", "the model marks more in it"
FEATURES = (
    AppearanceFeature(
        "marrow over discs",
        "its marrow is darker beside its discs",
        "its marrow is brighter beside its discs",
    ),
    AppearanceFeature(
        "marrow over the canal",
        "its marrow is darker beside the fluid of the canal",
        "its marrow is brighter beside the fluid of the canal",
    ),
    AppearanceFeature(
        "marrow over tissue in front",
        "its marrow is darker beside the tissue in front of it",
        "its marrow is brighter beside the tissue in front of it",
    ),
    AppearanceFeature(
        "spread among bodies", "its bodies are more alike", "its bodies differ more from each other"
    ),
    AppearanceFeature(
        "spread within bodies", "its bodies are smoother", "its bodies are more uneven"
    ),
    AppearanceFeature("noise", "it has less noise", "it has more noise"),
    AppearanceFeature("sharpness", "its edges are softer", "its edges are sharper"),
    AppearanceFeature(
        "bone in bodies",
        "its bodies are recognised less surely",
        "its bodies are recognised more surely",
    ),
    AppearanceFeature(
        "bone in discs",
        "its discs are told from bone more surely",
        "its discs are told from bone less surely",
    ),
    AppearanceFeature(
        "doubt in bodies",
        "the model is less in doubt of its bodies",
        "the model is more in doubt of its bodies",
        is_risk=True,
    ),
    AppearanceFeature(
        "doubt beside bodies",
        "the model is less in doubt of what lies beside its bodies",
        "the model is more in doubt of what lies beside its bodies",
    ),
    AppearanceFeature("height of bodies", "its bodies are lower", "its bodies are higher"),
    AppearanceFeature(
        "share of the picture",
        "less of the picture shows a spine",
        "more of the picture shows a spine",
    ),
    AppearanceFeature(
        "marks beside bodies",
        "the model marks less beside its bodies",
        "the model marks more beside its bodies",
    ),
    AppearanceFeature("marks", _FEWER_MARKS, _MORE_MARKS, is_look=False, is_risk=True),
    # A model that marks one thing has at most one false finding.
    AppearanceFeature("marks, up to two", _FEWER_MARKS, _MORE_MARKS, is_look=False, is_risk=True),
)
_CANAL_MM, _FRONT_MM = (20.0, 32.0), (-34.0, -22.0)
_FINE_MM = 1.5
"""Noise is what a Gaussian of so much takes away."""
_LEAST_LEVEL = 1e-6


@dataclass(frozen=True)
class MarkRule:
    """What counts as a mark of the model: as at its operating point, whatever a reader sets.

    Attributes
    ----------
    threshold : float
        Aggregated likelihood from which a pixel belongs to a mark.
    area_cm2 : float
        That a mark must have in one slice.
    """

    threshold: float = 0.9
    area_cm2: float = 0.5


def measure_appearance(view: ScanView, rule: MarkRule) -> FloatArray:
    """The numbers that :data:`FEATURES` names.

    Parameters
    ----------
    view : ScanView
    rule : MarkRule
    """
    marrow = view.is_marrow
    numbers = np.broadcast_to(view.body_number, marrow.shape)[marrow]
    values = view.image[marrow].astype(np.float64)
    by_body = [values[numbers == k] for k in range(len(view.bodies))]
    by_body = [own for own in by_body if len(own)]
    if not by_body:
        return np.zeros(len(FEATURES))
    levels = np.array([max(float(np.median(own)), _LEAST_LEVEL) for own in by_body])
    level = float(np.median(levels))
    spreads = [
        float(np.subtract(*np.percentile(own, (75, 25)))) / own_level
        for own, own_level in zip(by_body, levels, strict=True)
    ]
    fine = view.image - ndimage.gaussian_filter(view.image, (0, _FINE_MM, _FINE_MM))
    slope = np.hypot(
        ndimage.gaussian_filter1d(view.image, 1.0, axis=1, order=1),
        ndimage.gaussian_filter1d(view.image, 1.0, axis=2, order=1),
    )
    doubt = _doubt(view)
    is_around = np.broadcast_to(view.is_beside, marrow.shape) & ~marrow
    is_beside = is_around & (view.bone < 0.5)
    disc = _is_disc(view)
    marks = count_marks(view, rule)
    heights = view.bodies.borders[:, 1] - view.bodies.borders[:, 0]
    return np.array(
        [
            log_ratio(level, in_discs(view)),
            log_ratio(level, in_strip(view, _CANAL_MM, 0.8)),
            log_ratio(level, in_strip(view, _FRONT_MM, 0.5)),
            float(np.log(np.percentile(levels, 90) / np.percentile(levels, 10))),
            float(np.log(np.median(spreads) + 1e-3)),
            float(np.log(1.4826 * np.median(np.abs(fine[marrow])) / level + 1e-3)),
            float(np.log(np.percentile(slope[marrow | disc], 90) / level + 1e-3)),
            float(view.bone[marrow].mean()),
            float(view.bone[disc].mean()) if disc.any() else 0.0,
            float(doubt[marrow].mean()),
            float(doubt[is_beside].mean()) if is_beside.any() else 0.0,
            float(np.log(np.median(heights))),
            float(heights.sum() / view.image.shape[1]),
            float(np.log((view.plain[is_around] > 0.5).mean() + 1e-3)) if is_around.any() else 0.0,
            float(np.log1p(marks)),
            float(min(marks, 2)),
        ]
    )


def count_marks(view: ScanView, rule: MarkRule) -> int:
    """How many connected marks there are beside the bodies.

    Parameters
    ----------
    view : ScanView
    rule : MarkRule
    """
    marks = (view.average >= rule.threshold) & view.is_beside
    pixel_cm2 = view.spacing_mm[1] * view.spacing_mm[2] / 100
    for plane in marks:
        labels, count = ndimage.label(plane)
        areas = np.bincount(labels.ravel(), minlength=count + 1) * pixel_cm2
        areas[0] = 0
        plane &= (areas >= rule.area_cm2)[labels]
    return int(ndimage.label(marks)[1])


def _doubt(view: ScanView) -> FloatArray:
    """Entropy of the three answers at each pixel, in bits."""
    lesion, vertebra = view.plain.astype(np.float64), view.vertebra.astype(np.float64)
    answers = np.stack([lesion, vertebra, np.clip(1 - lesion - vertebra, 0, 1)])
    return np.asarray(-(answers * np.log2(np.clip(answers, 1e-9, 1))).sum(axis=0))


def _is_disc(view: ScanView) -> npt.NDArray[np.bool_]:
    """Around the middle of the discs, in the middle slices."""
    borders = view.bodies.borders
    middles = (borders[1:, 0] + borders[:-1, 1]) / 2
    from_disc_mm = np.abs(view.foot[..., None] - middles).min(axis=-1)
    plane = (from_disc_mm <= 2.5) & (np.abs(view.offset_mm) <= 8)
    count = view.image.shape[0]
    inside = np.zeros(view.image.shape, dtype=bool)
    inside[count // 2 - max(1, count // 6) : count // 2 + max(1, count // 6) + 1] = plane
    return inside
