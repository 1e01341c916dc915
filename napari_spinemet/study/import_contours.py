"""Contours of several readers: whose those from files are, and what they may replace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from .case import Case
from .case.contours import ContourChange, store_unless_overtaken


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
        Lesions and vertebrae of one reader may come in two.
    series : SagittalSeries
        The scan of the case.
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

    def prepare() -> list[ContourChange]:
        by_reader = _by_reader(case, annotations, reader)
        if not replace:
            _refuse_replacing(case, by_reader, series)
        return [case.prepare_change(a, series, whose) for whose, a in by_reader.items()]

    def store(changes: list[ContourChange]) -> None:
        for change in changes:
            case.store_change(change)

    store_unless_overtaken(case.writable_database(), prepare, store)


def _by_reader(
    case: Case, annotations: Sequence[Annotation], reader: str | None
) -> dict[str, Annotation]:
    """Whose the annotations become; an empty name is for those that the study works with."""
    by_reader: dict[str, Annotation] = {}
    for annotation in annotations:
        whose = annotation.reader if reader is None else reader
        former = by_reader.get(whose)
        by_reader[whose] = annotation if former is None else _join(former, annotation)
    if reader is not None:
        return by_reader
    if len(by_reader) == 1:
        (annotation,) = by_reader.values()
        if not _layers_present(case, annotation.holds):
            return {"": annotation}
    if "" in by_reader:
        raise SpinemetError(
            f"The files do not say whose contours of {case.name} they are; name a reader to "
            "keep them beside the others."
        )
    return by_reader


def _refuse_replacing(
    case: Case, by_reader: Mapping[str, Annotation], series: SagittalSeries
) -> None:
    """Refuse contours where that reader has others of the same kind."""
    for whose, annotation in by_reader.items():
        layers = _layers_present(case, annotation.holds, whose)
        if layers and not _is_stored(case, annotation, layers, series, whose):
            raise SpinemetError(
                f"{case.name} has {' and '.join(layers)} by {whose or 'the study'} already; name "
                "another reader, or say that they are to be replaced."
            )


def keep_beside(case: Case, annotation: Annotation, series: SagittalSeries, reader: str) -> str:
    """Store contours under the name of a reader, with a number if it has others.

    Parameters
    ----------
    case : Case
    annotation : Annotation
        Nothing that is stored is replaced by it.
    series : SagittalSeries
        The scan of the case.
    reader : str
        Whose they are; not empty.

    Returns
    -------
    str
        The name that they have now.

    Raises
    ------
    SpinemetError
        If they are of another series, or nothing can be saved.
    """
    for number in count(1):
        name = reader if number == 1 else f"{reader} {number}"
        layers = _layers_present(case, annotation.holds, name)
        if not layers or _is_stored(case, annotation, layers, series, name):
            break
    case.save_annotation(annotation, series, reader=name)
    return name


def _layers_present(case: Case, layers: Sequence[str], reader: str = "") -> tuple[str, ...]:
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


def _is_stored(
    case: Case, annotation: Annotation, layers: Sequence[str], series: SagittalSeries, reader: str
) -> bool:
    """Whether a reader has the same contours in some layers."""
    former = case.annotation(series, reader)
    return all(np.array_equal(getattr(annotation, k), getattr(former, k)) for k in layers)


def _join(one: Annotation, other: Annotation) -> Annotation:
    """Lesions and vertebrae of one reader that came in two files."""
    both = [layer for layer in one.holds if layer in other.holds]
    if both:
        raise SpinemetError(
            f"Two of the files hold {' and '.join(both)} by {one.reader or 'the same reader'}; "
            "choose one of them."
        )
    return replace(one.complete_from(other), warnings=(*one.warnings, *other.warnings))
