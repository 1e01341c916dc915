"""Likelihood maps on disk: plain arrays, compressed, written whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..atomic_files import replace_atomically
from ..imaging import LikelihoodMap


def file_name(identity: str) -> str:
    """A file name for a model's identity."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", identity)


CROSSVAL = "crossval-"
"""Begins the identity of a cross-validation's maps, before its name."""


def crossval_identity(name: str) -> str:
    """What the out-of-fold maps of a cross-validation are known by, as those of a model are."""
    return f"{CROSSVAL}{name}"


def is_crossval(identity: str) -> bool:
    """Whether maps are out-of-fold ones."""
    return identity.startswith(CROSSVAL)


def map_identity(model: str, columns: str) -> str:
    """What a model's maps are known by: those of all columns are not those of the centre."""
    return f"{model} {columns} columns" if columns not in ("", "centre") else model


def save_likelihood(likelihood: LikelihoodMap, path: Path) -> None:
    """Write a plain map.

    Raises
    ------
    ValueError
        If the map is aggregated; plain ones are kept, so that any weight can be tried.
    """
    if likelihood.weight is not None:
        raise ValueError("An aggregated map is not stored; store the plain one.")
    with replace_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            values=likelihood.values,
            affine=likelihood.affine,
            columns=np.array(likelihood.columns),
            series_spacing_mm=np.array(likelihood.series_spacing_mm),
            vertebra=np.zeros(0, np.float32)
            if likelihood.vertebra is None
            else likelihood.vertebra,
            stride=np.array(likelihood.stride),
            model=np.array(likelihood.model),
            series_uid=np.array(likelihood.series_uid),
        )


def load_likelihood(path: Path) -> LikelihoodMap | None:
    """Read a map; None if the file is missing or damaged, since it can be made again."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            vertebra = stored["vertebra"]
            first, last = (int(v) for v in stored["columns"])
            spacing = [float(v) for v in stored["series_spacing_mm"]]
            return LikelihoodMap(
                values=stored["values"],
                affine=stored["affine"],
                columns=(first, last),
                series_spacing_mm=(spacing[0], spacing[1], spacing[2]),
                vertebra=vertebra if vertebra.size else None,
                stride=int(stored["stride"]),
                model=str(stored["model"]),
                series_uid=str(stored["series_uid"]),
            )
    except Exception:  # noqa: BLE001 zipfile, zlib and numpy raise a dozen kinds for damaged files
        return None
