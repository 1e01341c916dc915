"""Two systems by the area under their curves, and by their false positives at a rate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ...errors import SpinemetError
from ..curve import MEAN, FrocCurve, check_range
from .paired_tests import check_resampling, paired_difference
from .resampled_curves import fp_savings, weighted_areas


@dataclass(frozen=True, eq=False)
class FrocComparison:
    """How much larger the partial area of system a is than that of b.

    Attributes
    ----------
    area_a, area_b : float
        Partial area over the range, divided by its width.
    difference : float
        ``area_a - area_b``.
    interval : tuple of float
        95 % percentile interval of the difference over the resamples.
    p_one_sided, p_two_sided : float
        Bootstrap: share of resamples in which a is not better, and twice the smaller tail.
        Liberal for few cases.
    p_sign_flip_one_sided, p_sign_flip_two_sided : float
        Share of within-case exchanges of the systems with at least this difference.
    sign_flip_exact : bool
        Whether all exchanges were enumerated.
    n_resamples, n_cases : int
    """

    area_a: float
    area_b: float
    difference: float
    interval: tuple[float, float]
    p_one_sided: float
    p_two_sided: float
    p_sign_flip_one_sided: float
    p_sign_flip_two_sided: float
    sign_flip_exact: bool
    n_resamples: int
    n_cases: int


def compare_froc(
    a: FrocCurve,
    b: FrocCurve,
    *,
    fp_range: tuple[float, float] = (0, 0.5),
    n_resamples: int = 20_000,
    seed: int = 0,
    reading: str = MEAN,
) -> FrocComparison:
    """Compare two systems over the same cases by their partial FROC areas.

    Parameters
    ----------
    a, b : FrocCurve
        With the same cases in the same order.
    fp_range : tuple of float
        False positives per case over which the area is taken.
    n_resamples : int
        Bootstrap resamples of the cases, the same for both systems; as many sampled sign
        flips where there are too many to enumerate.
    seed : int
    reading : {"mean", "sum"}
        Which reading of false positives.

    Returns
    -------
    FrocComparison

    Raises
    ------
    SpinemetError
        If the cases differ, or the range, the reading or the number of resamples makes no sense.

    Examples
    --------
    Both systems find the lesion of each of three cases; the second has a false positive in each:

    >>> import napari_spinemet as spinemet
    >>> region, finds = [(50.0, 50.0)], (50.0, 52.0, 0.9)
    >>> good = spinemet.froc_from_detections(3 * [[(region, [finds])]])
    >>> worse = spinemet.froc_from_detections(3 * [[(region, [finds, (150.0, 50.0, 0.95)])]])
    >>> result = spinemet.compare_froc(good, worse, fp_range=(0, 2), n_resamples=100)
    >>> result.area_a, result.area_b
    (1.0, 0.5)
    >>> result.sign_flip_exact, result.p_sign_flip_one_sided
    (True, 0.125)
    """
    check_range(fp_range)
    statistic = partial(weighted_areas, fp_range=fp_range)
    areas = paired_difference(a, b, statistic, reading, n_resamples, seed)
    return FrocComparison(
        area_a=areas.value_a,
        area_b=areas.value_b,
        difference=areas.difference,
        sign_flip_exact=areas.sign_flip_exact,
        n_resamples=n_resamples,
        n_cases=len(a.cases),
        **areas.certainty,
    )


@dataclass(frozen=True)
class FpComparison:
    """How many false positives per case system a saves against b at a TP rate.

    Attributes
    ----------
    tp_rate, limit : float
        A system that does not reach the rate counts as if it did so at the limit.
    fp_a, fp_b : float
    fp_saved : float
        ``fp_b - fp_a``.
    interval : tuple of float
        95 % percentile interval of that over the resamples.
    p_one_sided, p_two_sided, p_sign_flip_one_sided, p_sign_flip_two_sided : float
        As in :class:`FrocComparison`.
    """

    tp_rate: float
    limit: float
    fp_a: float
    fp_b: float
    fp_saved: float
    interval: tuple[float, float]
    p_one_sided: float
    p_two_sided: float
    p_sign_flip_one_sided: float
    p_sign_flip_two_sided: float


def compare_fp_at(
    a: FrocCurve,
    b: FrocCurve,
    *,
    tp_rate: float = 0.9,
    limit: float | None = None,
    n_resamples: int = 20_000,
    seed: int = 0,
    reading: str = MEAN,
) -> FpComparison:
    """Compare two systems over the same cases by their false positives at a TP rate.

    Parameters
    ----------
    a, b : FrocCurve
        With the same cases in the same order.
    tp_rate : float
    limit : float, optional
        What counts where the rate is never reached: by default the most false positives that
        either curve goes to.
    n_resamples, seed, reading
        See :func:`compare_froc`.

    Raises
    ------
    SpinemetError
        If the cases differ, or the rate, the reading or the number of resamples makes no sense.
    """
    check_resampling(reading, n_resamples, seed)
    if not 0 < tp_rate <= 1:
        raise SpinemetError(f"A TP rate lies above 0 and is at most 1, not {tp_rate}.")
    if limit is None:
        limit = max(float(c.false_positives(reading).max(initial=0.0)) for c in (a, b))
    statistic = partial(fp_savings, tp_rate=tp_rate, limit=limit)
    savings = paired_difference(a, b, statistic, reading, n_resamples, seed)
    return FpComparison(
        tp_rate=tp_rate,
        limit=limit,
        fp_a=-savings.value_a,
        fp_b=-savings.value_b,
        fp_saved=savings.difference,
        **savings.certainty,
    )
