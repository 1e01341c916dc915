"""Where the report of a cross-validation lies, and what others read from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ...imaging import OperatingPoint
from ...study import Study


def report_path(study: Study, name: str, only_folds: Sequence[int] | None = None) -> Path:
    """Where the report of a run lies; that of some folds is not taken for that of all.

    Parameters
    ----------
    study : Study
    name : str
        Of the run.
    only_folds : sequence of int, optional
        Numbers of the folds, from 1, if not all were run.
    """
    suffix = ""
    if only_folds is not None:
        suffix = "-fold-" + "-".join(str(k) for k in sorted({*only_folds}))
    return Path(study.path) / "crossval" / name / f"report{suffix}.json"


def cross_validated_point(study: Study, name: str) -> OperatingPoint | None:
    """The operating point of a cross-validation, chosen on its validation cases; None if unknown.

    It is known once the run is through, and not of runs by versions before 0.1.

    Parameters
    ----------
    study : Study
    name : str
        Of the run.
    """
    path = report_path(study, name)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))["operating_point"]
        return None if values is None else OperatingPoint(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
