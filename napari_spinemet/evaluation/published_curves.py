"""Curves of others, to look at beside one's own."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError
from .curve import MEAN, SUM, FrocCurve, running_maximum

Points = dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]
"""False positives per case, rising, and TP rates, for each reading that is known."""

COLUMNS = {MEAN: "fp_mean_over_slices", SUM: "fp_per_scan"}
RATE = "tp_rate"

# Read off the text of the paper: 89.1 % at 0.20 false positives, 90 % at 0.207, all at 0.40.
PAPER: Points = {MEAN: (np.array([0.0, 0.2, 0.207, 0.4]), np.array([0.0, 0.891, 0.9, 1.0]))}
"""The network with three resolutions and aggregation, in Wang et al. (2017); 26 cases."""


def points_of(curve: FrocCurve) -> Points:
    """Both readings of a curve, with a TP rate that never falls."""
    return {reading: curve.envelope(reading) for reading in COLUMNS}


def read_points(path: str | os.PathLike[str]) -> Points:
    """Read a curve from a table or from what ``spinemet froc --json`` prints.

    Parameters
    ----------
    path : path-like
        A CSV file whose first line names ``tp_rate`` and one or both of ``fp_per_scan`` and
        ``fp_mean_over_slices``, or a JSON file.

    Raises
    ------
    SpinemetError
        If it is neither, or holds what cannot be a rate.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise SpinemetError(
            f"{source} cannot be read as text; choose a CSV or JSON file."
        ) from None
    try:
        columns = _from_json(text) if text.lstrip().startswith("{") else _from_csv(text)
        rates = np.array(list(columns[RATE]), dtype=float)
        readings = {
            reading: np.array(list(columns[name]), dtype=float)
            for reading, name in COLUMNS.items()
            if name in columns
        }
    except (KeyError, TypeError, ValueError):
        readings, rates = {}, np.zeros(0)
    numbers = [rates, *readings.values()]
    if (
        not readings
        or not len(rates)
        or any(len(n) != len(rates) or not np.isfinite(n).all() or n.min() < 0 for n in numbers)
        or rates.max() > 1
    ):
        raise SpinemetError(
            f"{source} holds no FROC curve; its first line must name {RATE} (from 0 to 1) and "
            f"{COLUMNS[SUM]} or {COLUMNS[MEAN]}, with numbers in each line below."
        )
    return {reading: running_maximum(fp, rates) for reading, fp in readings.items()}


def _from_csv(text: str) -> dict[str, list[str]]:
    rows = list(csv.DictReader(text.splitlines(), skipinitialspace=True))
    return {(name or "").strip(): [row[name] for row in rows] for name in rows[0]} if rows else {}


def _from_json(text: str) -> dict[str, list[float]]:
    facts = json.loads(text)
    systems = facts.get("systems", {})
    points: dict[str, list[float]] = systems["network"]["points"] if systems else facts
    return points
