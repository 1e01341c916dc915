"""A second look learns what tells lesions from other marks, and which marrow is unusual."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.detection.comparison.candidates import FEATURES, Candidate
from napari_spinemet.detection.comparison.marrow import MARROW_FEATURES
from napari_spinemet.detection.comparison.second_look import ComparedScan
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation
from napari_spinemet.workflows.study_training.second_look_fit import (
    JudgedScan,
    fit_second_look,
    judge_scan,
    left_out_logits,
    left_out_marrow,
)
from tests.detection.comparison.drawn_scan import draw_scan


def _scans(count: int) -> list[JudgedScan]:
    """Lesions deviate by 5, other marks by 1, as uncertain as that; every third scan is unusual."""
    rng = np.random.default_rng(7)
    deviation = FEATURES.index("deviations from healthy marrow")
    scans = []
    nothing = np.zeros((1, 1, 1), np.uint16)
    for number in range(count):
        truth = (rng.random(6) < 0.5).astype(np.int8)
        truth[5] = -1
        features = rng.normal(size=(6, len(FEATURES)))
        features[:, deviation] = np.where(truth == 1, 5, 1) + rng.normal(size=6)
        candidates = [Candidate(f, 0, 1.0, 1.0, 0.5, 0.5) for f in features]
        is_unusual = number % 3 == 0
        marrow = rng.normal(size=len(MARROW_FEATURES))
        marrow[1] += 4 * is_unusual
        scan = ComparedScan(
            nothing, candidates, [""] * 9, marrow, nothing.astype(np.float32), nothing
        )
        scans.append(JudgedScan(f"{number}", scan, truth, not is_unusual))
    return scans


def test_what_differs_is_learned() -> None:
    """By the feature that differs, and it holds in scans that were left out."""
    scans = _scans(60)
    look = fit_second_look(scans)
    weights = dict(zip(FEATURES, look.candidates.weights, strict=True))
    assert max(weights, key=lambda name: weights[name]) == "deviations from healthy marrow"
    comparable = [s for s in scans if s.is_comparable]
    logits, truth = left_out_logits(comparable)
    assert len(logits) == 5 * len(comparable)  # what is neither plainly does not count
    assert ((logits > 0) == (truth == 1)).mean() > 0.9


def test_nearly_all_unusual_marrow_is_told() -> None:
    """On scans of the same kind that the fit has not seen: more than nine of ten."""
    scans = _scans(90)
    look = fit_second_look(scans)
    left_out, truth = left_out_marrow(scans)
    assert (left_out >= look.marrow_threshold)[truth].mean() >= 0.93
    fresh = _scans(240)[90:]
    told = look.marrow.probabilities(np.array([s.scan.marrow for s in fresh]))
    is_told = told >= look.marrow_threshold
    is_unusual = np.array([not s.is_comparable for s in fresh])
    assert is_told[is_unusual].mean() > 0.9
    assert is_told[~is_unusual].mean() < 0.15


def test_candidates_are_held_against_contours() -> None:
    """A lesion, a mark on healthy bone, and one that a contour only touches."""
    scan = draw_scan(lesions={1: 1.5, 4: 1.5, 7: 1.5})
    shape = scan.likelihood.values.shape
    lesions = np.zeros(shape, dtype=np.uint16)
    lesions[:, scan.body == 1] = 1
    touched = scan.body == 7
    rows = np.flatnonzero(touched.any(axis=1))
    lesions[:, rows[0] - 8 : rows[0] + 3, 36:64] = 2
    judged = judge_scan("one", scan.series, scan.likelihood, Annotation(lesions, 0 * lesions))
    by_body = {c.body: int(t) for c, t in zip(judged.scan.candidates, judged.truth, strict=True)}
    assert by_body[1] == 1
    assert by_body[4] == 0
    assert by_body[7] != 0
    few = lesions.copy()
    few[:, rows[0] - 8 : rows[0], :] = 2
    few[:, rows[0] + 1 :, :] = np.where(few[:, rows[0] + 1 :, :] == 2, 0, few[:, rows[0] + 1 :, :])
    judged = judge_scan("two", scan.series, scan.likelihood, Annotation(few, 0 * few))
    by_body = {c.body: int(t) for c, t in zip(judged.scan.candidates, judged.truth, strict=True)}
    assert by_body[7] == -1


def test_what_teaches_nothing_is_refused() -> None:
    """Scans of one kind, or candidates of one kind."""
    scans = _scans(12)
    with pytest.raises(SpinemetError, match="take both"):
        fit_second_look([s for s in scans if s.is_comparable])
    with pytest.raises(SpinemetError, match="take more scans"):
        fit_second_look([s for s in scans if not s.is_comparable])
