"""What was warned of as a scan was copied into a study: the copy looks whole by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ...atomic_files import write_text
from ...errors import SpinemetError
from ...imaging import ScanWarning

FILE = "scan-warnings.json"


def write_warnings(case_folder: Path, warnings: Sequence[ScanWarning]) -> None:
    """Keep the warnings of a scan beside its copy; without any there is no file.

    Parameters
    ----------
    case_folder : Path
    warnings : sequence of ScanWarning
    """
    if warnings:
        records = [warning.to_dict() for warning in warnings]
        write_text(case_folder / FILE, json.dumps(records, indent=1) + "\n")


def read_warnings(case_folder: Path) -> tuple[ScanWarning, ...]:
    """What was warned of as the scan of a case was copied.

    Parameters
    ----------
    case_folder : Path
        One without such a file has no warnings.
    """
    try:
        records = json.loads((case_folder / FILE).read_text(encoding="utf-8"))
        return tuple(map(ScanWarning.from_dict, records))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpinemetError(
            f"The warnings of the scan in {case_folder / FILE} cannot be read; copy the "
            "scan into the study again."
        ) from error
