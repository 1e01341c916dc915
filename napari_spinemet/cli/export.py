"""``spinemet export``: what a study gives to others, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SpinemetError
from .options import (
    AreaOption,
    DeviceOption,
    GateOption,
    JsonOption,
    PresetOption,
    StudyArgument,
    ThresholdOption,
    WeightOption,
    operating_point_of,
)
from .terminal import console, print_json, progress

if TYPE_CHECKING:
    from ..imaging import OperatingPoint

export_commands = typer.Typer(help="Reports and figures of a study, as files.")
FoldsOption = Annotated[
    str | None,
    typer.Option(
        help="Name of a cross-validation of the study: its maps in place of the model's, and the "
        "operating point that it chose, if it did."
    ),
]


@export_commands.command()
def figures(
    study: StudyArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the figures go.")],
    model: Annotated[str, typer.Option(help="Name of a shipped model, or a file.")] = "default",
    folds: FoldsOption = None,
    case: Annotated[str | None, typer.Option(help="Show this case; the FROC is of all.")] = None,
    only: Annotated[
        list[int] | None, typer.Option(help="Number of a figure, 3 to 8; may be repeated.")
    ] = None,
    preset: PresetOption = None,
    threshold: ThresholdOption = None,
    min_area: AreaOption = None,
    weight: WeightOption = None,
    gate: GateOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Draw figures 3 to 8 of the paper from a study, as PNG and SVG with captions.

    3: patches of a large and a small lesion; 4: contours of a slice; 5: FROC curves, with
    their points as CSV; 6 and 7: likelihood maps with and without aggregation; 8: a false
    positive, if there is one.
    """
    from ..experiments.figures import FIGURES, export_figures
    from ..network import load_card
    from ..study import Study
    from ..workflows.map_source import MapSource

    place = Study(study)
    source = MapSource.of_folds(place, folds) if folds is not None else MapSource.of_model(model)
    point = operating_point_of(
        source.point or load_card(model).operating_point,
        preset,
        threshold=threshold,
        min_area_cm2=min_area,
        weight=weight,
        gate=gate,
    )
    with progress("figures") as (on_event, token):
        made = export_figures(
            place,
            folder,
            source,
            point,
            only=only or FIGURES,
            case=case,
            device=device,
            on_event=on_event,
            cancel=token,
        )
    for sentence in made.left_out.values():
        console.print(sentence, soft_wrap=True)
    files = [str(path) for path in made.files]
    if as_json:
        print_json(
            {
                "study": str(study),
                "model": source.identity,
                "operating_point": point.to_dict(),
                "files": files,
                "left_out": dict(made.left_out),
            }
        )
    else:
        for file in files:
            console.print(file, soft_wrap=True)


@export_commands.command()
def report(
    study: StudyArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the report goes.")],
    case: Annotated[str | None, typer.Option(help="Of this case; of the study without.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Name of a shipped model, or a file; of a case what it was detected by."),
    ] = None,
    folds: FoldsOption = None,
    preset: PresetOption = None,
    threshold: ThresholdOption = None,
    min_area: AreaOption = None,
    weight: WeightOption = None,
    gate: GateOption = None,
    refine: Annotated[
        bool, typer.Option("--refine", help="Of a case: fit the outlines to the picture.")
    ] = False,
    max_distance: Annotated[float, typer.Option(help="Of a study: mm between centres.")] = 20.0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Write the report of a study or of one case: one HTML file, its tables and its figures.

    A case is reported as it was detected and signed last, unless a model or settings are given.
    """
    from ..reports import report_case, write_study_report
    from ..study import Study
    from ..workflows.map_source import MapSource

    if model is not None and folds is not None:
        raise SpinemetError("Maps are of a model or of a cross-validation; leave one of them out.")
    place = Study(study)
    settings = {
        "threshold": threshold,
        "min_area_cm2": min_area,
        "weight": weight,
        "gate": gate,
    }
    source = MapSource.of_folds(place, folds) if folds is not None else None
    if model is not None or (source is None and case is None):
        source = MapSource.of_model(model or "default")

    def point_of(usual: OperatingPoint) -> OperatingPoint:
        return operating_point_of(usual, preset, **settings)

    with progress("report") as (on_event, token):
        if case is not None:
            page = report_case(
                place, case, folder, point_of, source, refine=refine, device=device, cancel=token
            )
        else:
            assert source is not None
            page = write_study_report(
                place,
                source.identity,
                point_of(source.point or source.card.operating_point),
                folder,
                model=source.network if source.makes else None,
                card=source.card,
                max_distance_mm=max_distance,
                device=device,
                on_event=on_event,
                cancel=token,
            )
    if as_json:
        print_json({"study": str(study), "report": str(page)})
    else:
        console.print(str(page), soft_wrap=True)
