"""Detection on many scans: restartable, and one that cannot be read does not stop the others."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..atomic_files import replace_atomically, write_text
from ..detection.map_settings import DEFAULT_MAP_SETTINGS, MapSettings
from ..detection.pipeline import detect_in_series
from ..dicom import list_series, read_series
from ..dicom.reading import content_hash
from ..errors import Cancelled, SpinemetError
from ..evaluation.pictures import detection_picture
from ..imaging import OperatingPoint
from ..jobs import UNATTENDED, JobContext
from ..network import SiameseNet
from ..network.threads import torch_threads
from ..study import Study
from ..study.case.warnings_file import read_warnings
from .map_source import MapSource
from .task_scheduler import run_tasks
from .worker_settings import THIS_PROCESS, WorkerSettings

STATUS_DONE, STATUS_DOUBTFUL = "done", "doubtful"
STATUS_SKIPPED, STATUS_FAILED = "not usable", "failed"
_FORMAT = 3
"""Of the reports that are kept (1: until they held the warnings of reading; 2: until they held the
familiarity)."""
TASK = "detect"


@dataclass(frozen=True)
class ScanRow:
    """One line of the table at the end.

    Attributes
    ----------
    scan, series, series_uid : str
        Name of the scan in the folder, and of the series in it.
    stack : int
        Which volume of the series, from 1.
    status : {"done", "doubtful", "not usable", "failed"}
        Doubtful is what is done, but has a grave warning.
    findings : int
    largest_cm2, peak : float
        Of the largest and of the most likely detection; 0 without one.
    seconds : float
    reason : str
        Why it is not done, in a sentence.
    warnings : sequence of dict
        ``code``, ``sentence`` and ``remedy`` each.
    familiarity : float or None
        Score, see :class:`.Familiarity`; None where the model cannot tell.
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
    warnings: Sequence[dict[str, str]] = ()
    stack: int = 1
    familiarity: float | None = None


def scans_in(folder: Path) -> list[tuple[str, Path]]:
    """Scans of a folder by name: cases of a study, else folders, zips and loose files.

    Raises
    ------
    SpinemetError
        If it is no folder, or an empty one.
    """
    if not folder.is_dir():
        raise SpinemetError(f"There is no folder {folder}; give one that holds one folder a scan.")
    cases = Study(folder).cases()
    if cases:
        return [(case.name, case.scan) for case in cases]
    entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    if not entries:
        raise SpinemetError(f"There is nothing in {folder}; give a folder of scans.")
    if not any(p.is_dir() or p.suffix.lower() == ".zip" for p in entries):
        return [(folder.name, folder)]
    return [(p.name, p) for p in entries]


@dataclass(frozen=True, eq=False)
class _Task:
    """One series to be detected on, and where its report goes."""

    key: tuple[int, int]
    row: ScanRow
    scan: Path
    report_folder: Path
    fingerprint: str


def detect_many(
    folder: str | os.PathLike[str],
    out_folder: str | os.PathLike[str],
    source: MapSource,
    point: OperatingPoint,
    *,
    settings: MapSettings = DEFAULT_MAP_SETTINGS,
    workers: WorkerSettings = THIS_PROCESS,
    job: JobContext = UNATTENDED,
) -> list[ScanRow]:
    """Run a model on every series of a folder that it can be run on.

    Parameters
    ----------
    folder : path-like
        A study, or a folder that holds one folder, zip or file a scan.
    out_folder : path-like
        Receives a folder a series with its report and picture, and ``table.csv``. What is there
        from the same model, settings and images is not made again.
    source : MapSource
        A model.
    point : OperatingPoint
    settings : MapSettings
    workers : WorkerSettings
        Workers read the scans themselves, at the same paths.
    job : JobContext

    Returns
    -------
    list of ScanRow
        In the order of the scans; a failure is a row.
    """
    root = Path(out_folder)
    identity = source.card.identity
    facts = [_FORMAT, identity, asdict(point), settings.to_dict()]
    rows, tasks = _plan(scans_in(Path(folder)), root, json.dumps(facts, sort_keys=True), job)

    def keep(number: int, result: tuple[dict[str, Any] | None, bytes, str]) -> None:
        task = tasks[number]
        report, picture, reason = result
        rows[task.key] = _filled_row(task.row, report, reason)
        if report is not None:
            with replace_atomically(task.report_folder / "detections.png") as temporary:
                temporary.write_bytes(picture)
            record = {**report, "mark": task.fingerprint, "row": asdict(rows[task.key])}
            write_text(task.report_folder / "report.json", json.dumps(record, indent=1) + "\n")

    run_tasks(
        _detect_one,
        [
            (
                str(task.scan),
                (task.row.series_uid, task.row.stack),
                identity,
                point,
                settings,
                workers.threads,
            )
            for task in tasks
        ],
        shared_data=(source.network,),
        scheduler=workers.scheduler,
        workers=workers.workers,
        task=TASK,
        on_done=keep,
        job=job,
    )
    table = [rows[key] for key in sorted(rows)]
    write_text(root / "table.csv", _as_csv(table))
    return table


def _plan(
    scans: Sequence[tuple[str, Path]], root: Path, facts: str, job: JobContext
) -> tuple[dict[tuple[int, int], ScanRow], list[_Task]]:
    """The rows that are known without detection, and the series to be detected on."""
    rows: dict[tuple[int, int], ScanRow] = {}
    tasks: list[_Task] = []
    for number, (name, scan) in enumerate(scans):
        job.raise_if_cancelled()
        job.progress("look", number + 1, len(scans), f"looking at {name}")
        try:
            summaries = list_series(scan)
        except SpinemetError as error:
            rows[number, 0] = ScanRow(name, "", "", STATUS_FAILED, reason=str(error))
            continue
        for part, summary in enumerate(summaries):
            key, uid, stack = (number, part), summary.series_uid, summary.stack
            title = ", ".join(filter(None, (summary.description, summary.stack_name)))
            rows[key] = ScanRow(
                name, title, uid, STATUS_SKIPPED, reason=summary.reason, stack=stack
            )
            if not summary.detectable:
                continue
            volume = uid if stack == 1 else f"{uid} {stack}"
            report_folder = root / name / hashlib.sha256(volume.encode()).hexdigest()[:12]
            content = f"{facts} {stack} {content_hash(scan, uid, stack)}"
            fingerprint = hashlib.sha256(content.encode()).hexdigest()
            former = _former_row(report_folder / "report.json", fingerprint)
            if former is not None:
                rows[key] = former
            else:
                tasks.append(_Task(key, rows[key], scan, report_folder, fingerprint))
    return rows, tasks


def _detect_one(
    networks: Sequence[SiameseNet],
    scan: str,
    volume: tuple[str, int],
    identity: str,
    point: OperatingPoint,
    settings: MapSettings,
    threads: int | None,
    *,
    job: JobContext,
) -> tuple[dict[str, Any] | None, bytes, str]:
    """Report and picture of one series, or why there is none."""
    try:
        with torch_threads(threads), tempfile.TemporaryDirectory() as folder:
            series = read_series(scan, *volume)
            # A copy in a study looks whole, whatever was lost on the way there.
            warnings = dict.fromkeys((*read_warnings(Path(scan).parent), *series.warnings))
            series = replace(series, warnings=tuple(warnings))
            result = detect_in_series(
                series, networks[0], point, settings, identity=identity, job=job.without_events()
            )
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


def _filled_row(row: ScanRow, report: dict[str, Any] | None, reason: str) -> ScanRow:
    if report is None:
        return replace(row, status=STATUS_FAILED, reason=reason)
    detections, familiarity = report["detections"], report.get("familiarity")
    return replace(
        row,
        reason=reason,
        status=STATUS_DOUBTFUL if report["doubtful"] else STATUS_DONE,
        warnings=report["warnings"],
        findings=len(report["findings"]),
        largest_cm2=round(max((d["area_cm2"] for d in detections), default=0.0), 2),
        peak=round(max((d["peak"] for d in detections), default=0.0), 3),
        seconds=round(float(report["seconds"]), 2),
        familiarity=None if familiarity is None else round(float(familiarity["score"]), 3),
    )


def _former_row(report: Path, fingerprint: str) -> ScanRow | None:
    """The row of a series that was done before with all the same."""
    try:
        record = json.loads(report.read_text(encoding="utf-8"))
        return ScanRow(**record["row"]) if record["mark"] == fingerprint else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _as_csv(rows: Sequence[ScanRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ScanRow.__dataclass_fields__))
    writer.writeheader()
    for row in rows:
        sentences = (f"{w['code']}: {w['sentence']} {w['remedy']}" for w in row.warnings)
        writer.writerow({**asdict(row), "warnings": " | ".join(sentences)})
    return text.getvalue()
