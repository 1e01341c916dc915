"""The ``spinemet`` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from ..disclaimer import DISCLAIMER
from ..errors import Cancelled, SpinemetError
from .cohort import implant, phantom
from .export import export_commands
from .options import (
    AreaOption,
    DeviceOption,
    GateOption,
    JsonOption,
    PresetOption,
    ThresholdOption,
    WeightOption,
    operating_point_of,
)
from .study import study_commands
from .terminal import (
    console,
    print_findings,
    print_froc,
    print_json,
    print_series,
    print_speed,
    progress,
)
from .training import crossval, reproduce, train

if TYPE_CHECKING:
    pass

USER_CAN_MEND, OUR_FAULT = 2, 1
_INTERRUPTED = 130
"""What Typer gives for Ctrl-C."""

app = typer.Typer(
    help=f"Detect spinal metastases on MRI. {DISCLAIMER}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command; a failure is one sentence and an exit status."""
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        if status == _INTERRUPTED:
            raise KeyboardInterrupt
        if isinstance(status, int) and status:
            raise SystemExit(status)
    except TyperException as error:
        _fail(f"{str(error).rstrip('.')}. See 'spinemet --help'.", USER_CAN_MEND)
    except (typer.Abort, KeyboardInterrupt):
        _fail("Stopped.", USER_CAN_MEND)
    except Cancelled:
        _fail("Stopped; what was there before is as it was.", USER_CAN_MEND)
    except SpinemetError as error:
        _fail(str(error), USER_CAN_MEND)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except Exception as error:
        if os.environ.get("SPINEMET_DEBUG"):
            raise
        _fail(
            f"The program failed ({type(error).__name__}: {error}); this is its fault, please "
            "report it (SPINEMET_DEBUG=1 shows where).",
            OUR_FAULT,
        )


def _fail(sentence: str, status: int) -> None:
    print(" ".join(sentence.split()), file=sys.stderr)
    raise SystemExit(status)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for pictures and report.")] = Path(
        "demo-output"
    ),
    headless: Annotated[bool, typer.Option(help="No window, even with a display.")] = False,
) -> None:
    """Run the main job on the sample study with the shipped model."""
    if not headless and _has_display():
        from ..gui.application import run_demo

        run_demo()
        return
    from ..workflows.demo import run_demo_headless

    with progress("demo") as (on_event, token):
        report = run_demo_headless(out, on_event=on_event, cancel=token)
    for case in report["cases"]:
        console.print(
            f"{case['case']}: {len(case['findings'])} findings, {case['contoured_regions']} "
            f"contoured regions, {case['seconds']:.1f} s"
        )
    console.print(f"Pictures and report: {out}")
    console.print(DISCLAIMER)


def _has_display() -> bool:
    """Whether a window can be opened; asked of a child, since Qt aborts where it cannot."""
    if sys.platform in ("win32", "darwin"):
        return True
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    probe = "from qtpy.QtGui import QGuiApplication; QGuiApplication([])"
    asked = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
    if asked.returncode:
        console.print("No window can be opened on this display; going on without one.")
    return asked.returncode == 0


@app.command()
def series(
    path: Annotated[Path, typer.Argument(help="Folder, file, zip or DICOMDIR.")],
    as_json: JsonOption = False,
) -> None:
    """Say what is in there, and what can be detected on."""
    from dataclasses import asdict

    from ..dicom import list_series

    summaries = list_series(path)
    if as_json:
        print_json({"series": [asdict(s) for s in summaries]})
        return
    print_series(summaries)


@app.command()
def detect(
    path: Annotated[Path, typer.Argument(help="Folder, file, zip or DICOMDIR.")],
    series: Annotated[str | None, typer.Option(help="SeriesInstanceUID, if several fit.")] = None,
    model: Annotated[str, typer.Option(help="Name of a shipped model, or a file.")] = "default",
    threshold: ThresholdOption = None,
    min_area: AreaOption = None,
    weight: WeightOption = None,
    gate: GateOption = None,
    preset: PresetOption = None,
    refine: Annotated[
        bool, typer.Option("--refine", help="Fit the outlines to the lesions' edges.")
    ] = False,
    engine: Annotated[str, typer.Option(help="auto, dense or patch.")] = "auto",
    stride: Annotated[int, typer.Option(help="Evaluate every so-many-th pixel.")] = 1,
    columns: Annotated[str, typer.Option(help="centre, or all of the width.")] = "centre",
    device: DeviceOption = "auto",
    precision: Annotated[str, typer.Option(help="float32, float16, bfloat16 or auto.")] = "float32",
    out: Annotated[Path | None, typer.Option(help="Folder for pictures and report.")] = None,
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
    started = time.perf_counter()
    if many and series is not None:
        raise SpinemetError("One series and many exclude each other; leave --series or --many out.")
    if many and refine:
        raise SpinemetError(
            "Outlines are refined in single scans only; leave --refine or --many out."
        )
    if not many:
        from ..dicom import read_series

        scan = read_series(path, series)
    from ..detection import detect as run
    from ..network import load_card, load_model

    network = load_model(model)
    card = load_card(model)
    point = operating_point_of(
        card.operating_point,
        preset,
        threshold=threshold,
        min_area_cm2=min_area,
        weight=weight,
        gate=gate,
    )
    if many:
        from .batch_detection import run_many

        settings = {
            "engine": engine,
            "stride": stride,
            "columns": columns,
            "device": device,
            "precision": precision,
        }
        run_many(path, out, (network, card), point, settings, scheduler, workers, as_json)
        return
    for warning in scan.warnings:
        console.print(f"Note: {warning}")
    with progress("detect") as (on_event, token):
        result = run(
            scan,
            network,
            point,
            engine=engine,
            stride=stride,
            columns=columns,
            device=device,
            precision=precision,
            identity=card.identity,
            on_event=on_event,
            cancel=token,
        )
        if refine:
            result = result.refined(scan, cancel=token)
    report = {**result.to_dict(), "seconds": round(time.perf_counter() - started, 3)}
    if out is not None:
        from ..atomic_files import write_text
        from ..evaluation.pictures import detection_picture

        detection_picture(scan, result, out / "detections.png")
        write_text(
            out / "report.json", json.dumps({**report, "notice": DISCLAIMER}, indent=1) + "\n"
        )
    for warning in result.warnings:
        console.print(f"Note: {warning}")
    if as_json:
        print_json(report)
        return
    print_findings(scan.description, result)
    console.print(DISCLAIMER)


@app.command()
def froc(
    study: Annotated[Path, typer.Argument(help="Study with contoured cases.")],
    model: Annotated[str, typer.Option(help="Name of a shipped model, or a file.")] = "default",
    min_area: AreaOption = None,
    weight: WeightOption = None,
    gate: GateOption = None,
    preset: PresetOption = None,
    max_distance: Annotated[float, typer.Option(help="mm between centres.")] = 20.0,
    baselines: Annotated[bool, typer.Option(help="Two plain detectors beside it.")] = False,
    device: DeviceOption = "auto",
    out: Annotated[Path | None, typer.Option(help="Folder for the picture and the JSON.")] = None,
    as_json: JsonOption = False,
) -> None:
    """FROC of a model over a study, with both readings of false positives per case."""
    from ..network import load_card, load_model
    from ..study import Study
    from ..workflows import baseline_curves, study_curve
    from ..workflows.froc_report import froc_report

    place = Study(study)
    network, card = load_model(model), load_card(model)
    point = operating_point_of(
        card.operating_point, preset, min_area_cm2=min_area, weight=weight, gate=gate
    )
    with progress("froc") as (on_event, token):
        systems = [
            study_curve(
                place,
                network,
                card.identity,
                point,
                max_distance_mm=max_distance,
                device=device,
                on_event=on_event,
                cancel=token,
            )
        ]
        if baselines:
            systems += baseline_curves(place, point, max_distance_mm=max_distance)
    report = froc_report(systems, card.identity)
    if out is not None:
        from ..atomic_files import write_text
        from ..evaluation.pictures import froc_picture

        froc_picture([(s.name, s.curve) for s in systems], out / "froc.png")
        write_text(out / "froc.json", json.dumps(report, indent=1) + "\n")
    if as_json:
        print_json(report)
        return
    print_froc(str(study), report)


@app.command()
def benchmark(
    model: Annotated[str, typer.Option(help="Name of a shipped model, or a file.")] = "default",
    samples: Annotated[int, typer.Option(help="To train on; the paper's epoch is 85503.")] = 2560,
    stride: Annotated[int, typer.Option(help="Window by window at every so-many-th pixel.")] = 10,
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or auto.")] = "auto",
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Time detection and training on this device, dense and window by window."""
    from ..network import load_model
    from ..workflows.speed import describe_device, measure_speed

    network = load_model(model)
    where = describe_device(device)
    with progress("benchmark") as (on_event, token):
        measured = measure_speed(
            network,
            device=device,
            precision=precision,
            samples=samples,
            stride=stride,
            on_event=on_event,
            cancel=token,
        )
    rows = [m.to_dict() for m in measured]
    if as_json:
        print_json({"device": where, "precision": precision, "measurements": rows})
    else:
        print_speed(where, rows)


app.add_typer(study_commands, name="study", no_args_is_help=True)
app.add_typer(export_commands, name="export", no_args_is_help=True)
for command in (phantom, implant, train, crossval, reproduce):
    app.command()(command)


if __name__ == "__main__":
    main()
