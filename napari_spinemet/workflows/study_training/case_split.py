"""Which cases are kept back for validation, and what a reader of the card should know of that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import SpinemetError
from ...network import scan_fingerprint
from ...study import Study
from .validation_monitor import NamedCase


def has_lesions(cases: Sequence[NamedCase]) -> bool:
    """Whether any of the cases has a lesion contour."""
    return any(annotation.lesions.any() for _, _, annotation in cases)


def split_cases(
    cases: list[NamedCase], seed: int, known_scans: frozenset[str] = frozenset()
) -> tuple[list[NamedCase], list[NamedCase]]:
    """Keep a quarter of the cases with lesions, at least one of two, for validation.

    Parameters
    ----------
    cases : list of (str, SagittalSeries, Annotation)
    seed : int
        The same seed keeps back the same cases.
    known_scans : frozenset of str
        Fingerprints (:func:`.scan_fingerprint`) of scans that are kept back only where there are
        no others.

    Returns
    -------
    training, validation : list

    Raises
    ------
    SpinemetError
        If no case has a lesion.
    """
    cases_with_lesions = [c for c in cases if c[2].lesions.any()]
    if not cases_with_lesions:
        raise SpinemetError("None of the cases has a lesion contour, so there is nothing to learn.")
    count = (
        len(cases_with_lesions) - round(0.75 * len(cases_with_lesions))
        if len(cases_with_lesions) > 2
        else len(cases_with_lesions) - 1
    )
    order = np.random.default_rng(seed).permutation(len(cases_with_lesions))
    picks = sorted(order, key=lambda k: scan_fingerprint(cases_with_lesions[k][1]) in known_scans)[
        :count
    ]
    validation = [cases_with_lesions[k] for k in np.sort(picks)]
    return [c for c in cases if not any(c is v for v in validation)], validation


def _names_on_both_sides(training: list[NamedCase], validation: list[NamedCase]) -> list[str]:
    """Cases kept back whose scan is learned from as well."""
    fingerprints = {scan_fingerprint(series) for _, series, _ in training}
    return [name for name, series, _ in validation if scan_fingerprint(series) in fingerprints]


def refuse_overlap(training: list[NamedCase], validation: list[NamedCase]) -> None:
    """Refuse a scan on both sides: what is learned from must not say how good the model is.

    Parameters
    ----------
    training, validation : list of (str, SagittalSeries, Annotation)

    Raises
    ------
    SpinemetError
        If there is one.
    """
    names = _names_on_both_sides(training, validation)
    if names:
        raise SpinemetError(
            f"{enumerate_names(names)} of the validation study "
            f"{'is' if len(names) == 1 else 'are'} also among the scans to train on; take them "
            "out of one of the two."
        )


def training_notes(
    training: list[NamedCase], validation: list[NamedCase], known_scans: frozenset[str]
) -> list[str]:
    """What a reader of the card should know, a sentence each.

    Parameters
    ----------
    training, validation : list of (str, SagittalSeries, Annotation)
    known_scans : frozenset of str
        Fingerprints of what the model to start from had learned from.
    """
    notes = []
    without_bone = [name for name, _, a in training if not a.vertebrae.any()]
    if without_bone and len(without_bone) < len(training):
        notes.append(
            f"No vertebra is contoured in {enumerate_names(without_bone)}, so its normal bone was "
            "taken for background."
        )
    if not validation:
        notes.append(
            "The only case with lesions was trained on, so there was none to choose the "
            "operating point on."
        )
    elif not has_lesions(validation):
        notes.append(
            "None of the validation cases has a lesion, so the "
            "operating point is that of the shipped model."
        )
    familiar = [name for name, series, _ in validation if scan_fingerprint(series) in known_scans]
    if familiar:
        notes.append(
            f"The model that it started from had learned from {enumerate_names(familiar)}, so "
            "what is measured on them is better than what can be expected."
        )
    both = _names_on_both_sides(training, validation)
    if both:
        notes.append(
            f"The same scan as that of {enumerate_names(both)}, which was held back, was also "
            "trained on, so what is measured on it is better than what can be expected."
        )
    return notes


def changed_contours_notes(study: Study, cases: Sequence[NamedCase]) -> list[str]:
    """Whose contours are no longer those that were learned from.

    Parameters
    ----------
    study : Study
    cases : sequence of (str, SagittalSeries, Annotation)
        Of the study, as they were read.
    """
    names = [case[0] for case in cases if _has_changed(study, case)]
    if not names:
        return []
    note = (
        f"The contours of {enumerate_names(names)} were changed while it trained; the "
        "model knows them as they were at the start."
    )
    return [note]


def _has_changed(study: Study, case: NamedCase) -> bool:
    """Whether a case's contours are no longer those that were read; also if they are gone."""
    name, series, former = case
    try:
        latest = study.case(name).annotation(series)
    except SpinemetError:
        return True
    return not (
        np.array_equal(latest.lesions, former.lesions)
        and np.array_equal(latest.vertebrae, former.vertebrae)
    )


def enumerate_names(names: Sequence[str]) -> str:
    """Names in a sentence: commas, and an "and" before the last."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
