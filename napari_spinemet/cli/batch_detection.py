"""``spinemet detect --many``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disclaimer import DISCLAIMER
from ..errors import SpinemetError
from .terminal import console, print_json, print_scans, progress

if TYPE_CHECKING:
    from ..imaging import OperatingPoint
    from ..network import ModelCard, SiameseNet


def run_many(
    folder: Path,
    out: Path | None,
    model: tuple[SiameseNet, ModelCard],
    point: OperatingPoint,
    settings: Mapping[str, Any],
    scheduler: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Detect on every scan of a folder, and print a table at the end.

    Raises
    ------
    SpinemetError
        After all is done and told, if a scan failed.
    """
    from ..workflows.batch_detection import DONE, FAILED, detect_many

    if out is None:
        raise SpinemetError("Many scans need a folder for what is found; give it with --out.")
    network, card = model
    here = scheduler == "none"
    with progress("detect") as (on_event, token):
        rows = detect_many(
            folder,
            out,
            network,
            card.identity,
            point,
            settings=settings,
            scheduler=None if here else scheduler,
            workers=workers,
            threads=None if here or settings.get("device") not in ("auto", "cpu") else 1,
            on_event=on_event,
            cancel=token,
        )
    told = [asdict(row) for row in rows]
    if as_json:
        print_json({"model": card.identity, **point.to_dict(), "scans": told})
    else:
        print_scans(str(folder), told)
        console.print(f"Reports, pictures and table.csv: {out}", soft_wrap=True)
        console.print(DISCLAIMER)
    failed = [row for row in rows if row.status == FAILED]
    if failed:
        raise SpinemetError(
            f"{len(failed)} of {len(rows)} series failed ({failed[0].scan}: {failed[0].reason}); "
            f"{sum(row.status == DONE for row in rows)} are done and kept, so mend these and run "
            "the same command again."
        )
