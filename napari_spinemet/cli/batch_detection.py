"""``spinemet detect --many``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..disclaimer import DISCLAIMER
from ..errors import SpinemetError
from .terminal import console, print_json, print_scans, progress

if TYPE_CHECKING:
    from ..detection.map_settings import MapSettings
    from ..imaging import OperatingPoint
    from ..workflows.map_source import MapSource
    from ..workflows.worker_settings import WorkerSettings


def detect_in_folder(
    folder: Path,
    out_folder: Path | None,
    source: MapSource,
    point: OperatingPoint,
    settings: MapSettings,
    placement: WorkerSettings,
    *,
    as_json: bool,
) -> None:
    """Detect on every scan of a folder, and print a table at the end.

    Parameters
    ----------
    folder : Path
        Of scans, or a study.
    out_folder : Path or None
        For what is found; refused here if it is none.
    source : MapSource
        A model.
    point : OperatingPoint
    settings : MapSettings
    placement : WorkerSettings
        Where the scans are computed.
    as_json : bool
        Print one object in place of the table.

    Raises
    ------
    SpinemetError
        After all is done and told, if a scan failed.
    """
    from ..workflows.batch_detection import (
        STATUS_DONE,
        STATUS_DOUBTFUL,
        STATUS_FAILED,
        detect_many,
    )

    if out_folder is None:
        raise SpinemetError("Many scans need a folder for what is found; give it with --out.")
    with progress("detect") as job:
        rows = detect_many(
            folder, out_folder, source, point, settings=settings, workers=placement, job=job
        )
    scans = [asdict(row) for row in rows]
    if as_json:
        print_json(
            {
                "model": source.card.identity,
                "learned_from": source.learned_from,
                **point.to_dict(),
                "scans": scans,
            }
        )
    else:
        console.print(source.learned_from, soft_wrap=True)
        print_scans(str(folder), scans)
        console.print(f"Reports, pictures and table.csv: {out_folder}", soft_wrap=True)
        console.print(DISCLAIMER)
    failures = [row for row in rows if row.status == STATUS_FAILED]
    if failures:
        first = failures[0]
        done_count = sum(row.status in (STATUS_DONE, STATUS_DOUBTFUL) for row in rows)
        raise SpinemetError(
            f"{len(failures)} of {len(rows)} series failed ({first.scan}: {first.reason}); "
            f"{done_count} are done and kept, so mend these and run the same command again."
        )
