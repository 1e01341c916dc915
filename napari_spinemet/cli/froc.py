"""``spinemet froc``: how well a model does on the cases of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    CONTOURED_STUDY,
    AreaOption,
    DeviceOption,
    GateOption,
    JsonOption,
    ModelOption,
    PointOptions,
    PresetOption,
    SecondLookOption,
    WeightOption,
)
from .terminal import print_froc, print_json, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..workflows.study_froc import SystemCurve


def froc(
    study: Annotated[Path, CONTOURED_STUDY],
    model: ModelOption = "default",
    min_area: AreaOption = None,
    weight: WeightOption = None,
    gate: GateOption = None,
    second_look: SecondLookOption = None,
    preset: PresetOption = None,
    max_distance: Annotated[float, typer.Option(help="mm between centres.")] = 20.0,
    baselines: Annotated[bool, typer.Option(help="Two plain detectors beside it.")] = False,
    device: DeviceOption = "auto",
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the picture and the JSON.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """FROC of a model over a study, with both readings of false positives per case."""
    from ..evaluation.matching import Matching
    from ..study import Study
    from ..workflows import MapSource, baseline_curves, study_curve
    from ..workflows.froc_report import froc_report

    open_study = Study(study)
    source = MapSource.of_model(model, device)
    options = PointOptions(
        preset, min_area_cm2=min_area, weight=weight, gate=gate, second_look=second_look
    )
    point = options.change(source.card.operating_point)
    matching = Matching(max_distance)
    with progress("froc") as job:
        systems = [study_curve(open_study, source, point, matching, job=job)]
        if baselines:
            systems += baseline_curves(open_study, point, matching)
    report = froc_report(systems, source.card.identity)
    if out_folder is not None:
        _write(out_folder, systems, report)
    if as_json:
        print_json(report)
        return
    print_froc(str(study), report)


def _write(out_folder: Path, systems: Sequence[SystemCurve], report: dict[str, Any]) -> None:
    from ..atomic_files import write_text
    from ..evaluation.pictures import froc_picture

    froc_picture([(s.name, s.curve) for s in systems], out_folder / "froc.png")
    write_text(out_folder / "froc.json", json.dumps(report, indent=1) + "\n")
