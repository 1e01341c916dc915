"""``spinemet train`` and ``spinemet crossval``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SpinemetError
from ..jobs.allocator import keep_freed_memory
from ..number_lists import parse_numbers
from .options import DeviceOption, JsonOption
from .terminal import console, print_json, progress

ResolutionsOption = Annotated[
    str | None, typer.Option(help="Of the network, in mm, separated by commas: 0.5,1,2 as a rule.")
]


def train(
    study: Annotated[Path, typer.Argument(help="Study with contoured cases.")],
    out: Annotated[
        Path | None, typer.Option(help="Model file; STUDY/models/NAME by default.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the model.")] = "trained",
    validation: Annotated[
        Path | None, typer.Option(help="Study of validation cases; else a quarter of the cases.")
    ] = None,
    also: Annotated[
        list[Path] | None, typer.Option(help="A further study to train on; may be repeated.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="Go on from the weights of this model.")] = None,
    preset: Annotated[str | None, typer.Option(help="'paper' for its constants.")] = None,
    form: Annotated[str | None, typer.Option(help="dense or patch.")] = None,
    resolutions: ResolutionsOption = None,
    outputs: Annotated[int | None, typer.Option(help="2, or 3 with normal vertebra.")] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    batches: Annotated[int | None, typer.Option(help="Batches of an epoch.")] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Twice the paper's lambda.")] = None,
    method: Annotated[str | None, typer.Option(help="blocks, or windows as in the paper.")] = None,
    normal_slices: Annotated[
        str | None, typer.Option(help="Normal locations from 'lesion' slices or from 'all'.")
    ] = None,
    vertebra_share: Annotated[
        float | None, typer.Option(help="Share of normal locations that lies in vertebrae.")
    ] = None,
    seed: Annotated[int, typer.Option()] = 0,
    minutes: Annotated[
        float | None, typer.Option(help="How long all of it may take, instead of --epochs.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was cut short.")
    ] = False,
    case: Annotated[
        list[str] | None, typer.Option(help="Only this case of the study; may be repeated.")
    ] = None,
    device: DeviceOption = "auto",
    max_fp: Annotated[
        float, typer.Option(help="False positives per scan that the operating point may cost.")
    ] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Train a network on the contoured cases of a study."""
    from ..workflows.study_training import train_study

    keep_freed_memory()
    given = {
        "form": form,
        "resolutions": _resolutions(resolutions),
        "outputs": outputs,
        "epochs": epochs,
        "batches_per_epoch": batches,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "method": method,
        "normal_slices": normal_slices,
        "vertebra_share": vertebra_share,
        "seed": seed,
        "device": device,
    }
    config = _config(preset, **given)
    with progress("train") as (on_event, token):
        path, card = train_study(
            study,
            config,
            only=case,
            also=also or (),
            start=start,
            minutes=minutes,
            resume=resume,
            name=name,
            out=out,
            validation=validation,
            max_fp_per_scan=max_fp,
            command=" ".join(["spinemet", *sys.argv[1:]]),
            on_event=on_event,
            cancel=token,
        )
    if as_json:
        print_json({"model": str(path), **json.loads(card.to_json())})
    else:
        console.print(f"Model: {path}")
        console.print_json(card.to_json())


def crossval(
    study: Annotated[Path, typer.Argument(help="Study with contoured cases.")],
    folds: Annotated[int, typer.Option(help="Parts of the cases; each is left out once.")] = 10,
    name: Annotated[str, typer.Option(help="Of the run; one that was cut short goes on.")] = "run",
    scheduler: Annotated[
        str, typer.Option(help="'local' workers, 'none', or the address of a dask scheduler.")
    ] = "local",
    workers: Annotated[int | None, typer.Option(help="Local workers; one a core.")] = None,
    fold: Annotated[
        list[int] | None,
        typer.Option(
            help="Only this fold, from 1, as it is among all; may be repeated. Under a name of its "
            "own it is trained anew."
        ),
    ] = None,
    weight_decay: Annotated[
        list[float] | None,
        typer.Option(help="To be tried in each fold (twice the paper's lambda); may be repeated."),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="'paper' for its constants.")] = None,
    form: Annotated[str | None, typer.Option(help="dense or patch.")] = None,
    resolutions: ResolutionsOption = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    batches: Annotated[int | None, typer.Option(help="Batches of an epoch.")] = None,
    seed: Annotated[int, typer.Option(help="Of the split and of the networks.")] = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Cross-validate by case: every case is judged by a network that never saw it."""
    from ..study import Study
    from ..workflows.cross_validation.study import cross_validate_study, report_path

    keep_freed_memory()
    config = _config(
        preset,
        form=form,
        resolutions=_resolutions(resolutions),
        epochs=epochs,
        batches_per_epoch=batches,
        seed=seed,
        device=device,
    )
    with progress("crossval") as (on_event, token):
        report, _ = cross_validate_study(
            study,
            config,
            name=name,
            folds=folds,
            seed=seed,
            weight_decays=weight_decay or (),
            scheduler=None if scheduler == "none" else scheduler,
            workers=workers,
            threads=1 if scheduler != "none" and device in ("auto", "cpu") else None,
            only_folds=fold,
            on_event=on_event,
            cancel=token,
        )
    if as_json:
        print_json(report)
    else:
        if report["froc"] is None:
            console.print("No lesion is among the cases of these folds, so there is no FROC.")
        else:
            console.print_json(json.dumps(report["froc"]))
        console.print(f"Report: {report_path(Study(study), name, fold)}", soft_wrap=True)


def _config(preset: str | None, **given: Any) -> Any:
    """The settings of a run: those of the preset where nothing else is given."""
    from ..training import TrainingConfig

    if preset not in (None, "paper"):
        raise SpinemetError(f"There is no preset '{preset}'; the only one is 'paper'.")
    settings = {k: v for k, v in given.items() if v is not None}
    return TrainingConfig.paper(**settings) if preset else TrainingConfig(**settings)


def _resolutions(told: str | None) -> tuple[float, ...] | None:
    return None if told is None else tuple(parse_numbers(told, "Resolutions"))


def reproduce(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where all of it is kept.")],
    budget: Annotated[
        str, typer.Option(help="'reduced' for a computer without a GPU, 'full', or 'smoke'.")
    ] = "reduced",
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so long; the same command goes on.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this kind of network; may be repeated.")
    ] = None,
    fold: Annotated[
        list[int] | None,
        typer.Option(help="Only this fold, from 1, to compare its report; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split and of the networks.")] = 0,
    scheduler: Annotated[
        str, typer.Option(help="'local' workers, 'none', or the address of a dask scheduler.")
    ] = "local",
    workers: Annotated[int | None, typer.Option(help="Local workers; one a core.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run the paper's comparisons on a synthetic cohort: tables, figure 5, and p-values.

    It can be interrupted at any point; the same command goes on from there.
    """
    from ..experiments.reproduction import reproduce as run

    keep_freed_memory()
    with progress("reproduce") as (on_event, token):
        standing = run(
            folder,
            budget=budget,
            seed=seed,
            minutes=minutes,
            only=only,
            only_folds=fold,
            scheduler=None if scheduler == "none" else scheduler,
            workers=workers,
            threads=1 if scheduler != "none" and device in ("auto", "cpu") else None,
            device=device,
            on_event=on_event,
            cancel=token,
        )
    if as_json:
        print_json(
            {
                "done": list(standing.done),
                "missing": list(standing.missing),
                "results": None if standing.results is None else str(standing.results),
            }
        )
    elif fold is not None:
        console.print(f"Reports: {folder / 'cohort' / 'crossval'}", soft_wrap=True)
    elif standing.results is None:
        console.print(
            f"Done: {', '.join(standing.done) or 'nothing yet'}; still to come: "
            f"{', '.join(standing.missing)}. The same command goes on from here."
        )
    else:
        console.print((standing.results / "tables.md").read_text(encoding="utf-8"), soft_wrap=True)
        console.print(f"Results: {standing.results}", soft_wrap=True)
