"""``spinemet series`` and ``detect``: what a folder holds, and what is found in a scan."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..disclaimer import DISCLAIMER
from ..errors import SpinemetError
from .options import (
    AreaOption,
    DeviceOption,
    GateOption,
    JsonOption,
    ModelOption,
    PointOptions,
    PresetOption,
    SecondLookOption,
    StackOption,
    ThresholdOption,
    WeightOption,
    worker_settings,
)
from .terminal import console, print_findings, print_json, print_series, progress

if TYPE_CHECKING:
    from ..detection import DetectionResult
    from ..imaging import SagittalSeries

SCAN = typer.Argument(help="Folder, file, zip or DICOMDIR.")


def series(path: Annotated[Path, SCAN], as_json: JsonOption = False) -> None:
    """Say what is in there, and what can be detected on."""
    from dataclasses import asdict

    from ..dicom import list_series

    summaries = list_series(path)
    if as_json:
        warnings = ([warning.to_dict() for warning in s.warnings] for s in summaries)
        rows = [{**asdict(s), "warnings": w} for s, w in zip(summaries, warnings, strict=True)]
        for each in rows:
            # Whose it is stays on the screen, and what it belongs to within the program.
            for key in ("examination", "study_uid", "frame_of_reference_uid"):
                del each[key]
        print_json({"series": rows})
        return
    print_series(summaries)


def detect(
    path: Annotated[Path, SCAN],
    series: Annotated[str | None, typer.Option(help="SeriesInstanceUID, if several fit.")] = None,
    stack: StackOption = None,
    model: ModelOption = "default",
    threshold: ThresholdOption = None,
    min_area: AreaOption = None,
    weight: WeightOption = None,
    gate: GateOption = None,
    second_look: SecondLookOption = None,
    preset: PresetOption = None,
    refine: Annotated[
        bool, typer.Option("--refine", help="Fit the outlines to the lesions' edges.")
    ] = False,
    engine: Annotated[str, typer.Option(help="auto, dense or patch.")] = "auto",
    stride: Annotated[int, typer.Option(help="Evaluate every so-many-th pixel.")] = 1,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Along the 'spine', the 'centre' (with the preset paper), or 'all' of the width."
        ),
    ] = None,
    device: DeviceOption = "auto",
    precision: Annotated[str, typer.Option(help="float32, float16, bfloat16 or auto.")] = "float32",
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for pictures and report.")
    ] = None,
    many: Annotated[
        bool, typer.Option("--many", help="Every scan of a folder or study; needs --out.")
    ] = False,
    scheduler: Annotated[
        str, typer.Option(help="With --many: 'none', 'local' workers, or a dask scheduler.")
    ] = "none",
    workers: Annotated[int | None, typer.Option(help="With --many: local workers.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Detect lesions in a scan; settings default to the model card's operating point."""
    start_time = time.perf_counter()
    if many and (series is not None or stack is not None):
        raise SpinemetError(
            "One series and many exclude each other; leave --many out, or --series and --stack."
        )
    if many and refine:
        raise SpinemetError(
            "Outlines are refined in single scans only; leave --refine or --many out."
        )
    # Read before torch is imported: what cannot be read is told at once.
    scan = None if many else _read_scan(path, series, stack)
    from ..detection.map_settings import MapSettings
    from ..detection.pipeline import detect_in_series
    from ..network import load_card, load_model

    network, card = load_model(model), load_card(model)
    options = PointOptions(preset, threshold, min_area, weight, gate, second_look)
    point = options.change(card.operating_point)
    settings = MapSettings(engine, stride, columns or options.columns, device, precision)
    if scan is None:
        from ..workflows.map_source import MapSource
        from .batch_detection import detect_in_folder

        source = MapSource.of_loaded(network, card, device)
        placement = worker_settings(scheduler, workers, device)
        detect_in_folder(path, out_folder, source, point, settings, placement, as_json=as_json)
        return
    for warning in scan.warnings:
        console.print(f"Note: {warning.text}")
    with progress("detect") as job:
        result = detect_in_series(scan, network, point, settings, identity=card.identity, job=job)
        if refine:
            result = result.refine(scan, job=job)
    report = {**result.to_dict(), "seconds": round(time.perf_counter() - start_time, 3)}
    _tell(scan, result, report, out_folder, as_json)


def _read_scan(path: Path, series_uid: str | None, stack: int | None) -> SagittalSeries:
    from ..dicom import read_series

    return read_series(path, series_uid, stack)


def _tell(
    scan: SagittalSeries,
    result: DetectionResult,
    report: dict[str, Any],
    out_folder: Path | None,
    as_json: bool,
) -> None:
    """Write picture and report, if there is a folder for them, and print what is found."""
    if out_folder is not None:
        from ..atomic_files import write_text
        from ..evaluation.pictures import detection_picture

        detection_picture(scan, result, out_folder / "detections.png")
        write_text(
            out_folder / "report.json",
            json.dumps({**report, "notice": DISCLAIMER}, indent=1) + "\n",
        )
    for warning in result.warnings[len(scan.warnings) :]:  # the others were told before
        console.print(f"Note: {warning.text}")
    if as_json:
        print_json(report)
        return
    # Above what is found: whoever reads it should know what it rests on.
    console.print(result.plain.learned_from, soft_wrap=True)
    print_findings(scan.description, result)
    for warning in result.warnings:
        if warning.is_grave:
            console.print(f"Doubtful: {warning.text}", style="bold red")
    console.print(DISCLAIMER)
