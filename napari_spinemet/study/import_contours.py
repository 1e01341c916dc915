"""Contours of several readers: whose those from files are, and what they may replace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from .case import Case


def take_contours(
    case: Case,
    annotations: Sequence[Annotation],
    series: SagittalSeries,
    *,
    reader: str | None = None,
    replace: bool = False,
) -> None:
    """Store contours that were read from files.

    Parameters
    ----------
    case : Case
    annotations : sequence of Annotation
        Lesions and vertebrae of one reader may come apart.
    series : SagittalSeries
    reader : str, optional
        Whose they are, whatever the files say; an empty name makes them those that the
        study works with. By default the only ones of a case without contours of their
        kind become these, and all others are kept beside them by the reader that the
        files name.
    replace : bool
        Whether they may take the place of other contours by the same reader.

    Raises
    ------
    SpinemetError
        If it cannot be told whose they are, or that reader has others; then nothing is
        stored.
    """
    by_reader: dict[str, Annotation] = {}
    for annotation in annotations:
        whose = annotation.reader if reader is None else reader
        former = by_reader.get(whose)
        by_reader[whose] = annotation if former is None else _joined(former, annotation)
    only = next(iter(by_reader.values())) if len(by_reader) == 1 else None
    if reader is None and only is not None and not _drawn(case, only.holds):
        by_reader = {"": only}
    elif reader is None and "" in by_reader:
        raise SpinemetError(
            f"The files do not say whose contours of {case.name} they are; name a reader to "
            "keep them beside the others."
        )
    for whose, annotation in by_reader.items():
        held = () if replace else _drawn(case, annotation.holds, whose)
        if held and not _same(case, annotation, held, series, whose):
            raise SpinemetError(
                f"{case.name} has {' and '.join(held)} by {whose or 'the study'} already; name "
                "another reader, or say that they are to be replaced."
            )
    with case.writable().transaction():
        for whose, annotation in by_reader.items():
            case.save_annotation(annotation, series, reader=whose)


def keep_beside(case: Case, annotation: Annotation, series: SagittalSeries, reader: str) -> str:
    """Store contours under the name of a reader, with a number if it has others.

    Returns
    -------
    str
        The name that they have now.
    """
    for number in count(1):
        name = reader if number == 1 else f"{reader} {number}"
        held = _drawn(case, annotation.holds, name)
        if not held or _same(case, annotation, held, series, name):
            break
    case.save_annotation(annotation, series, reader=name)
    return name


def _drawn(case: Case, layers: Sequence[str], reader: str = "") -> tuple[str, ...]:
    """Those of the layers in which somebody has drawn."""
    record = case.record
    if not reader and not (record is not None and record.has_stored_contours):
        return tuple(layers) if case.has_contour_files else ()
    if case.database is None or record is None:
        return ()
    rows = case.database.contours
    return tuple(
        layer
        for layer in layers
        if any(s.any() for s in rows.slices(case.name, layer, reader=reader).values())
    )


def _same(
    case: Case, annotation: Annotation, layers: Sequence[str], series: SagittalSeries, reader: str
) -> bool:
    stored = case.annotation(series, reader)
    return all(np.array_equal(getattr(annotation, k), getattr(stored, k)) for k in layers)


def _joined(one: Annotation, other: Annotation) -> Annotation:
    """Lesions and vertebrae of one reader that came in two files."""
    both = [layer for layer in one.holds if layer in other.holds]
    if both:
        raise SpinemetError(
            f"Two of the files hold {' and '.join(both)} by {one.reader or 'the same reader'}; "
            "choose one of them."
        )
    return replace(one.complete_from(other), warnings=(*one.warnings, *other.warnings))
