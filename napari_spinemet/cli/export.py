"""``spinemet export``: what a study gives to others, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SpinemetError
from .options import (
    STUDY,
    AreaOption,
    DeviceOption,
    GateOption,
    JsonOption,
    ModelOption,
    PointOptions,
    PresetOption,
    SecondLookOption,
    ThresholdOption,
    WeightOption,
)
from .terminal import console, print_json, progress

if TYPE_CHECKING:
    from ..study import Study
    from ..workflows.map_source import MapSource

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
    study: Annotated[Path, STUDY],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the figures go.")],
    model: ModelOption = "default",
    folds: FoldsOption = None,
    case: Annotated[str | None, typer.Option(help="Show this case; the FROC is of all.")] = None,
    figure: Annotated[
        list[int] | None,
        typer.Option("--only", help="Number of a figure, 3 to 8; may be repeated."),
    ] = None,
    preset: PresetOption = None,
    threshold: ThresholdOption = None,
    min_area: AreaOption = None,
    weight: WeightOption = None,
    gate: GateOption = None,
    second_look: SecondLookOption = None,
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

    open_study = Study(study)
    source = _source(open_study, model, folds, device)
    options = PointOptions(preset, threshold, min_area, weight, gate, second_look)
    point = options.change(source.point or load_card(model).operating_point)
    with progress("figures") as job:
        export = export_figures(
            open_study, folder, source, point, numbers=figure or FIGURES, case=case, job=job
        )
    for sentence in export.left_out.values():
        console.print(sentence, soft_wrap=True)
    files = [str(path) for path in export.files]
    if as_json:
        print_json(
            {
                "study": str(study),
                "model": str(source.identity),
                "operating_point": point.to_dict(),
                "files": files,
                "left_out": dict(export.left_out),
            }
        )
    else:
        for file in files:
            console.print(file, soft_wrap=True)


def _source(study: Study, model: str, folds: str | None, device: str) -> MapSource:
    """The cross-validation whose name was given, else the model."""
    from ..workflows.map_source import MapSource

    if folds is not None:
        return MapSource.of_cross_validation(study, folds)
    return MapSource.of_model(model, device)


@export_commands.command()
def report(
    study: Annotated[Path, STUDY],
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
    second_look: SecondLookOption = None,
    refine: Annotated[
        bool, typer.Option("--refine", help="Of a case: fit the outlines to the picture.")
    ] = False,
    hide_names: Annotated[
        bool, typer.Option("--hide-names", help="Of a case: neither whose scan nor of when.")
    ] = False,
    max_distance: Annotated[float, typer.Option(help="Of a study: mm between centres.")] = 20.0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Write the report of a study or of one case: one HTML file, its tables and its figures.

    A case is reported as it was detected and signed last, unless a model or settings are given.
    """
    from ..study import Study

    if model is not None and folds is not None:
        raise SpinemetError("Maps are of a model or of a cross-validation; leave one of them out.")
    open_study = Study(study)
    options = PointOptions(preset, threshold, min_area, weight, gate, second_look)
    source = None
    if case is None or model is not None or folds is not None:
        source = _source(open_study, model or "default", folds, device)
    with progress("report") as job:
        if source is None or case is not None:
            from ..reports import CaseRequest, report_case

            request = CaseRequest(str(case), options.change, refine, device, hide_names)
            page = report_case(open_study, request, folder, source, job=job)
        else:
            from ..evaluation.matching import Matching
            from ..reports import write_study_report

            point = options.change(source.point or source.card.operating_point)
            matching = Matching(max_distance)
            page = write_study_report(open_study, source, point, folder, matching, job=job)
    if as_json:
        print_json({"study": str(study), "report": str(page)})
    else:
        console.print(str(page), soft_wrap=True)
