"""Contours in the study: a compressed row per slice, layer, reader and origin."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .audit import Row, digest, subject_of
from .store import Store

PERSON, NETWORK = "person", "network"

LabelArray = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class PackedSlice:
    """Labels of one slice, compressed.

    Attributes
    ----------
    blob : bytes
    shape : tuple of int
        (rows, columns) of the labels.
    """

    blob: bytes
    shape: tuple[int, ...]


class ContourRows:
    """What was drawn, by whom.

    Contours have a ``reader``, whose they are where a case has several (empty for those
    that the study itself works with), and an ``origin``, ``"person"`` or ``"network"``: what
    a network proposed is never the row that a person approved.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(
        self,
        name: str,
        layer: str,
        slices: Mapping[int, npt.NDArray[Any] | PackedSlice],
        *,
        reader: str = "",
        origin: str = PERSON,
        who: str = "",
    ) -> None:
        """Store label images of some slices of a case; on the disk once this returns.

        Parameters
        ----------
        name : str
            Of the case.
        layer : {"lesions", "vertebrae"}
        slices : mapping of int to numpy.ndarray or PackedSlice
            ``(row, column)`` uint16 labels by slice; within a longer transaction packed
            before that began, since packing takes longer than storing.
        reader : str
            Whose they are; empty for those that the study itself works with.
        origin : {"person", "network"}
        who : str
            Who stores them; the user of the computer by default.

        Raises
        ------
        ValueError
            If a slice has another shape than those of the case; then none is stored.
        SpinemetError
            If there is no such case, or it cannot be saved.
        """
        case_id, shape = self._store.case_id(name)
        blobs = {int(index): _blob_of(labels, shape) for index, labels in slices.items()}
        with self._store.writing(who) as change:
            for index, blob in blobs.items():
                change.execute(
                    "INSERT INTO contours VALUES (?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                    "labels = excluded.labels, saved_at = excluded.saved_at",
                    *(case_id, reader, origin, layer, index, blob, change.timestamp),
                )
                change.note("contour", _subject(name, reader, origin, layer, index), digest(blob))

    def slices(
        self, name: str, layer: str, *, reader: str = "", origin: str = PERSON
    ) -> dict[int, LabelArray]:
        """Stored label images ``(row, column)`` of a case by slice; those never saved lack.

        Parameters
        ----------
        name : str
            Of the case.
        layer : {"lesions", "vertebrae"}
        reader : str
            Whose; empty for those that the study itself works with.
        origin : {"person", "network"}

        Raises
        ------
        SpinemetError
            If there is no such case.
        """
        case_id, shape = self._store.case_id(name)
        rows = self._store.select(
            "SELECT slice, labels FROM contours WHERE case_id = ? AND reader = ? AND origin = ? "
            "AND layer = ? ORDER BY slice",
            *(case_id, reader, origin, layer),
        )
        return {index: _unpack_slice(blob, shape) for index, blob in rows}

    def readers(self, name: str, *, origin: str = PERSON) -> list[str]:
        """Who has contours of a case; an empty name is the study itself.

        Parameters
        ----------
        name : str
            Of the case.
        origin : {"person", "network"}

        Raises
        ------
        SpinemetError
            If there is no such case.
        """
        case_id, _ = self._store.case_id(name)
        rows = self._store.select(
            "SELECT DISTINCT reader FROM contours WHERE case_id = ? AND origin = ? ORDER BY reader",
            *(case_id, origin),
        )
        return [reader for (reader,) in rows]

    def save_levels(
        self,
        name: str,
        levels: Mapping[int, str],
        *,
        reader: str = "",
        origin: str = PERSON,
        who: str = "",
    ) -> None:
        """Store the level of each vertebra; on the disk once this returns.

        Parameters
        ----------
        name : str
            Of the case.
        levels : mapping of int to str
            Level by label; those that were stored before are replaced, all of them.
        reader : str
            Whose; empty for those that the study itself works with.
        origin : {"person", "network"}
        who : str
            Who stores them; the user of the computer by default.

        Raises
        ------
        SpinemetError
            If there is no such case, or it cannot be saved.
        """
        case_id, _ = self._store.case_id(name)
        names = json.dumps({str(k): v for k, v in sorted(levels.items())}, ensure_ascii=False)
        with self._store.writing(who) as change:
            change.execute(
                "INSERT INTO levels VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                "names = excluded.names, saved_at = excluded.saved_at",
                *(case_id, reader, origin, names, change.timestamp),
            )
            change.note("levels", {"case": name, "reader": reader, "origin": origin}, digest(names))

    def levels(self, name: str, *, reader: str = "", origin: str = PERSON) -> dict[int, str]:
        """Stored levels by label; empty where none were stored.

        Parameters
        ----------
        name : str
            Of the case.
        reader : str
            Whose; empty for those that the study itself works with.
        origin : {"person", "network"}

        Raises
        ------
        SpinemetError
            If there is no such case.
        """
        case_id, _ = self._store.case_id(name)
        rows = self._store.select(
            "SELECT names FROM levels WHERE case_id = ? AND reader = ? AND origin = ?",
            *(case_id, reader, origin),
        )
        return {int(k): v for k, v in json.loads(rows[0][0]).items()} if rows else {}

    @property
    def revision(self) -> int:
        """Number of the last change of any contour in the audit trail; 0 if there is none."""
        rows = self._store.select(
            "SELECT number FROM audit WHERE action IN ('contour', 'levels') "
            "ORDER BY number DESC LIMIT 1"
        )
        return int(rows[0][0]) if rows else 0

    def row_hashes(self) -> Iterator[tuple[Row, str]]:
        """The hash of every row that the trail speaks of."""
        for name, reader, origin, layer, index, blob in self._store.select(
            "SELECT name, reader, origin, layer, slice, labels FROM contours "
            "JOIN cases ON cases.id = case_id"
        ):
            yield (
                ("contour", subject_of(_subject(name, reader, origin, layer, index))),
                digest(blob),
            )
        for name, reader, origin, names in self._store.select(
            "SELECT name, reader, origin, names FROM levels JOIN cases ON cases.id = case_id"
        ):
            subject = subject_of({"case": name, "reader": reader, "origin": origin})
            yield ("levels", subject), digest(names)


def pack_slice(labels: npt.NDArray[Any]) -> PackedSlice:
    """Labels of a slice as they are stored."""
    # Level 1: contours are mostly nought, and who draws waits for this.
    blob = zlib.compress(np.ascontiguousarray(labels, dtype="<u2").tobytes(), 1)
    return PackedSlice(blob, tuple(labels.shape))


def _blob_of(labels: npt.NDArray[Any] | PackedSlice, shape: tuple[int, int]) -> bytes:
    if labels.shape != shape:
        raise ValueError(f"A slice of this case has shape {shape}, not {labels.shape}.")
    return labels.blob if isinstance(labels, PackedSlice) else pack_slice(labels).blob


def _unpack_slice(blob: bytes, shape: tuple[int, int]) -> LabelArray:
    flat = np.frombuffer(zlib.decompress(blob), dtype="<u2").astype(np.uint16)
    return flat.reshape(shape)


def _subject(name: str, reader: str, origin: str, layer: str, index: int) -> dict[str, Any]:
    return {"case": name, "reader": reader, "origin": origin, "layer": layer, "slice": index}
