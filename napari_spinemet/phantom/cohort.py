"""A cohort of phantoms as DICOM: one folder a case, with its scan and its contours."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ..atomic_files import write_text
from ..errors import SpinemetError, check_seed
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from .case import PhantomCase, make_case
from .difficulty import STANDARD, difficulty_of
from .lesions import AS_IN_THE_PAPER
from .writing import write_case

GENERATOR = 2
"""Raised when a seed comes to give other patients than before (1: until they were calibrated)."""


def make_cohort(
    folder: str | os.PathLike[str],
    cases: int = 26,
    normals: int = 0,
    seed: int = 0,
    *,
    variety: str = "evaluation",
    difficulty: str = STANDARD.name,
    pixel_mm: float | None = None,
    lesions: int = AS_IN_THE_PAPER,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> list[Path]:
    """Write a cohort of synthetic cases.

    Parameters
    ----------
    folder : path-like
        Receives one folder a case, each with ``scan/`` (DICOM MR images), ``contours/`` (one
        DICOM SEG of lesions and vertebrae) and ``case.json``, and ``cohort.json`` with the
        settings and the generator's version. Cases that are there already are left as they are.
    cases, normals : int
        Number of cases with lesions and without.
    seed : int
        The same seed gives the same files, bit for bit.
    variety : {"evaluation", "tissues", "tissues-scanner", "training"}
        As in life, or domain-randomised in part or in full, see :func:`.make_case`.
    difficulty : {"easy", "standard", "hard"}
        Of the evaluation variety, see :mod:`.difficulty`.
    pixel_mm : float, optional
        In-plane pixel of every case; drawn if not given.
    lesions : int
        Diseased segments of a case, at most.

    Returns
    -------
    list of Path
        The case folders.

    Raises
    ------
    SpinemetError
        If the folder holds a cohort that was made with other settings or by another generator.
    """
    check_seed(seed)
    if cases < 0 or normals < 0 or cases + normals == 0:
        raise SpinemetError("A cohort needs at least one case; ask for 1 or more.")
    if lesions < 1:
        raise SpinemetError(f"A case with lesions has at least one of them, not {lesions}.")
    root = Path(folder)
    paths = []
    facts = {
        "cases": cases,
        "normals": normals,
        "seed": seed,
        "variety": variety,
        "generator": GENERATOR,
    }
    difficulty_of(difficulty)
    if difficulty != STANDARD.name:
        facts["difficulty"] = difficulty
    if pixel_mm is not None:
        facts["pixel_mm"] = pixel_mm
    if lesions != AS_IN_THE_PAPER:
        facts["lesions"] = lesions
    _refuse_other(root, facts)
    # First, so that a cohort that was cut short also knows its settings.
    write_text(root / "cohort.json", json.dumps({"phantom": facts}) + "\n")
    for number in range(cases + normals):
        if cancel is not None:
            cancel.raise_if_cancelled()
        diseased = number < cases
        name = f"case-{number + 1:03d}" if diseased else f"normal-{number + 1 - cases:03d}"
        path = root / name
        if not (path / "case.json").exists():
            case = make_case(
                (seed, number),
                diseased=diseased,
                variety=variety,
                difficulty=difficulty,
                pixel_mm=pixel_mm,
                lesions=lesions,
            )
            identity = f"{seed}.{number}.{variety}"
            if difficulty != STANDARD.name:
                identity += f".{difficulty}"
            if lesions != AS_IN_THE_PAPER:
                identity += f".{lesions}"
            write_case(
                path,
                case.series,
                case.stored,
                case.annotation,
                _facts(case),
                identity=identity,
                name="Phantom^Spine",
            )
        paths.append(path)
        on_event(Progressed("phantom", number + 1, cases + normals, name))
    return paths


def _refuse_other(root: Path, facts: Mapping[str, object]) -> None:
    """Refuse a folder whose cases are not the first ones of the wanted cohort."""
    try:
        held = json.loads((root / "cohort.json").read_text(encoding="utf-8"))["phantom"]
    except (OSError, ValueError, TypeError, KeyError):
        return
    # Normal cases are numbered, and seeded, after the diseased ones.
    decisive = ["seed", "variety", "difficulty", "pixel_mm", "lesions", "generator"] + (
        ["cases"] if held.get("normals") else []
    )
    if any(held.get(key) != facts.get(key) for key in decisive):
        raise SpinemetError(
            f"{root} holds a cohort made with other settings, or by another version of the "
            f"generator ({json.dumps(held)}); choose another folder."
        )


def _facts(case: PhantomCase) -> dict[str, object]:
    return {
        "region": case.region,
        "lesions": [{"level": x.level, "contrast": round(x.contrast, 3)} for x in case.lesions],
    }
