"""Detection on many scans: restartable, and one that cannot be read does not stop the others."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..atomic_files import replace_atomically, write_text
from ..detection import detect
from ..dicom import list_series, read_series
from ..dicom.reading import content_hash
from ..errors import Cancelled, SpinemetError
from ..evaluation.pictures import detection_picture
from ..imaging import OperatingPoint
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from ..network import SiameseNet
from ..study import Study
from .task_scheduler import run_tasks

DONE, SKIPPED, FAILED = "done", "not usable", "failed"
TASK = "detect"


@dataclass(frozen=True)
class ScanRow:
    """One line of the table at the end.

    Attributes
    ----------
    scan, series, series_uid : str
        Name of the scan in the folder, and of the series in it.
    status : {"done", "not usable", "failed"}
    findings : int
    largest_cm2, peak : float
        Of the largest and of the most likely detection; 0 without one.
    seconds : float
    reason : str
        Why it is not done, in a sentence.
    """

    scan: str
    series: str
    series_uid: str
    status: str
    findings: int = 0
    largest_cm2: float = 0.0
    peak: float = 0.0
    seconds: float = 0.0
    reason: str = ""


def scans_in(folder: Path) -> list[tuple[str, Path]]:
    """Scans of a folder by name: cases of a study, else folders, zips and loose files.

    Raises
    ------
    SpinemetError
        If it is no folder, or an empty one.
    """
    if not folder.is_dir():
        raise SpinemetError(f"There is no folder {folder}; give one that holds one folder a scan.")
    study = Study(folder).cases()
    if study:
        return [(case.name, case.scan) for case in study]
    held = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    parts = [p for p in held if p.is_dir() or p.suffix.lower() == ".zip"]
    if not parts and held:
        return [(folder.name, folder)]
    if not held:
        raise SpinemetError(f"There is nothing in {folder}; give a folder of scans.")
    return [(p.name, p) for p in held]


def detect_many(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    model: SiameseNet,
    identity: str,
    point: OperatingPoint,
    *,
    settings: Mapping[str, Any] | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> list[ScanRow]:
    """Run a model on every series of a folder that it can be run on.

    Parameters
    ----------
    folder : path-like
        A study, or a folder that holds one folder, zip or file a scan.
    out : path-like
        Receives a folder a series with its report and picture, and ``table.csv``. What is there
        from the same model, settings and images is not made again.
    model : SiameseNet
    identity : str
        Of the model, as its card says.
    point : OperatingPoint
    settings : mapping, optional
        Of :func:`~napari_spinemet.likelihood_map`, as plain values.
    scheduler, workers
        Where it is computed, see :func:`.run_tasks`. Workers read the scans themselves, at the
        same paths.
    threads : int, optional
        Processor threads of each task.
    on_event, cancel
        See :mod:`~napari_spinemet.jobs`.

    Returns
    -------
    list of ScanRow
        In the order of the scans; a failure is a row.
    """
    root, options = Path(out), dict(settings or {})
    told = json.dumps([identity, asdict(point), options], sort_keys=True, default=str)
    rows: dict[tuple[int, int], ScanRow] = {}
    tasks: list[tuple[Any, ...]] = []
    places: list[tuple[tuple[int, int], ScanRow, Path, str]] = []
    scans = scans_in(Path(folder))
    for number, (name, place) in enumerate(scans):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_event(Progressed("look", number + 1, len(scans), f"looking at {name}"))
        try:
            found = list_series(place)
        except SpinemetError as error:
            rows[number, 0] = ScanRow(name, "", "", FAILED, reason=str(error))
            continue
        for part, summary in enumerate(found):
            key, uid = (number, part), summary.series_uid
            row = ScanRow(name, summary.description, uid, SKIPPED, reason=summary.reason)
            rows[key] = row
            if not summary.detectable:
                continue
            target = root / name / hashlib.sha256(uid.encode()).hexdigest()[:12]
            mark = hashlib.sha256(f"{told} {content_hash(place, uid)}".encode()).hexdigest()
            known = _known(target / "report.json", mark)
            if known is not None:
                rows[key] = known
                continue
            tasks.append((str(place), uid, identity, point, options, threads))
            places.append((key, row, target, mark))

    def done(task: int, result: tuple[dict[str, Any] | None, bytes, str]) -> None:
        key, row, target, mark = places[task]
        report, picture, reason = result
        rows[key] = _row(row, report, reason)
        if report is not None:
            with replace_atomically(target / "detections.png") as temporary:
                temporary.write_bytes(picture)
            kept = {**report, "mark": mark, "row": asdict(rows[key])}
            write_text(target / "report.json", json.dumps(kept, indent=1) + "\n")

    run_tasks(
        _detect_one,
        tasks,
        shared=(model,),
        scheduler=scheduler,
        workers=workers,
        task=TASK,
        on_done=done,
        on_event=on_event,
        cancel=cancel,
    )
    table = [rows[key] for key in sorted(rows)]
    write_text(root / "table.csv", _as_csv(table))
    return table


def _detect_one(
    shared: Sequence[Any],
    place: str,
    uid: str,
    identity: str,
    point: OperatingPoint,
    options: dict[str, Any],
    threads: int | None,
    *,
    on_event: EventCallback,
    cancel: CancelToken | None,
) -> tuple[dict[str, Any] | None, bytes, str]:
    """Report and picture of one series, or why there is none."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    try:
        series = read_series(place, uid)
        result = detect(series, shared[0], point, identity=identity, cancel=cancel, **options)
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder) / "detections.png"
            detection_picture(series, result, picture)
            return result.to_dict(), picture.read_bytes(), ""
    except Cancelled:
        raise
    except SpinemetError as error:
        return None, b"", str(error)
    except Exception as error:  # noqa: BLE001 - whatever one scan does, the others go on
        text = " ".join(str(error).split())
        return None, b"", f"The program failed on it ({type(error).__name__}: {text}); report it."


def _row(row: ScanRow, report: dict[str, Any] | None, reason: str) -> ScanRow:
    facts = {**asdict(row), "reason": reason}
    if report is None:
        return ScanRow(**{**facts, "status": FAILED})
    found = report["detections"]
    return ScanRow(
        **{
            **facts,
            "status": DONE,
            "findings": len(report["findings"]),
            "largest_cm2": round(max((d["area_cm2"] for d in found), default=0.0), 2),
            "peak": round(max((d["peak"] for d in found), default=0.0), 3),
            "seconds": round(float(report["seconds"]), 2),
        }
    )


def _known(report: Path, mark: str) -> ScanRow | None:
    """The row of a series that was done before with all the same."""
    try:
        held = json.loads(report.read_text(encoding="utf-8"))
        return ScanRow(**held["row"]) if held["mark"] == mark else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _as_csv(rows: Sequence[ScanRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ScanRow.__dataclass_fields__))
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()
