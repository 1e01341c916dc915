"""Likelihood maps on disk: plain arrays, compressed, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic_files import replace_atomically
from ..imaging import EvaluatedRegion, LikelihoodMap, ScanWarning
from ..imaging.comparison import Comparison
from ..imaging.likelihood import Familiarity


def save_likelihood_map(likelihood: LikelihoodMap, path: Path) -> None:
    """Write a plain map.

    Parameters
    ----------
    likelihood : LikelihoodMap
        Not aggregated.
    path : Path
        Of the file, which is replaced; folders are made.

    Raises
    ------
    ValueError
        If the map is aggregated; plain ones are kept, so that any weight can be tried.
    SpinemetError
        If it cannot be written.
    """
    if likelihood.weight is not None:
        raise ValueError("An aggregated map is not stored; store the plain one.")
    with replace_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            values=likelihood.values,
            affine=likelihood.affine,
            columns=np.array(likelihood.columns),
            region=likelihood.region.pack(),
            region_kind=np.array([likelihood.region.kind, likelihood.region.stands_in]),
            series_spacing_mm=np.array(likelihood.series_spacing_mm),
            vertebra=np.zeros(0, np.float32)
            if likelihood.vertebra is None
            else likelihood.vertebra,
            stride=np.array(likelihood.stride),
            model=np.array(likelihood.model),
            series_uid=np.array(likelihood.series_uid),
            warnings=np.array(json.dumps([w.to_dict() for w in likelihood.warnings])),
            **_pack_comparison(likelihood.comparison),
            learned_from=np.array(likelihood.learned_from),
            **_pack_familiarity(likelihood.familiarity),
        )


def load_likelihood_map(path: Path) -> LikelihoodMap | None:
    """Read a map; None if the file is missing or damaged, since it can be made again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            vertebra = arrays["vertebra"]
            first, last = (int(v) for v in arrays["columns"])
            spacing = [float(v) for v in arrays["series_spacing_mm"]]
            return LikelihoodMap(
                values=arrays["values"],
                affine=arrays["affine"],
                columns=(first, last),
                series_spacing_mm=(spacing[0], spacing[1], spacing[2]),
                vertebra=vertebra if vertebra.size else None,
                stride=int(arrays["stride"]),
                model=str(arrays["model"]),
                series_uid=str(arrays["series_uid"]),
                warnings=_warnings_of(arrays),
                region=_region_of(arrays),
                comparison=_comparison_of(arrays),
                # Maps of the version 0.1 do not hold it.
                learned_from=str(arrays["learned_from"]) if "learned_from" in arrays else "",
                familiarity=_familiarity_of(arrays),
            )
    except Exception:  # noqa: BLE001 zipfile, zlib and numpy raise a dozen kinds for damaged files
        return None


def _region_of(arrays: Mapping[str, Any]) -> EvaluatedRegion:
    """What was evaluated; maps of the version 0.1 have the same columns in every row."""
    shape = arrays["values"].shape[1:]
    if "region" not in arrays:
        first, last = (int(v) for v in arrays["columns"])
        return EvaluatedRegion.of_columns((first, last), shape)
    return EvaluatedRegion.unpack(arrays["region"], shape[1], *map(str, arrays["region_kind"]))


def _pack_comparison(comparison: Comparison | None) -> dict[str, Any]:
    """Nothing for a map that was looked at once."""
    if comparison is None:
        return {}
    return {
        "candidates": comparison.labels,
        "comparison": np.array(json.dumps(comparison.facts())),
    }


def _pack_familiarity(familiarity: Familiarity | None) -> dict[str, Any]:
    if familiarity is None:
        return {}
    return {"familiarity": np.array(json.dumps(familiarity.to_dict()))}


def _familiarity_of(arrays: Mapping[str, Any]) -> Familiarity | None:
    if "familiarity" not in arrays:
        return None
    return Familiarity.from_dict(json.loads(str(arrays["familiarity"])))


def _comparison_of(arrays: Mapping[str, Any]) -> Comparison | None:
    if "comparison" not in arrays:
        return None
    return Comparison.of_facts(arrays["candidates"], json.loads(str(arrays["comparison"])))


def _warnings_of(arrays: Mapping[str, Any]) -> tuple[ScanWarning, ...]:
    """Of the scan; maps of the version 0.1 hold none."""
    if "warnings" not in arrays:
        return ()
    return tuple(map(ScanWarning.from_dict, json.loads(str(arrays["warnings"]))))
