"""``spinemet reproduce``: the paper's comparisons on a synthetic cohort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..jobs.allocator import keep_freed_memory
from .options import (
    DeviceOption,
    JsonOption,
    SchedulerOption,
    WorkersOption,
    worker_settings,
)
from .terminal import console, print_json, progress

if TYPE_CHECKING:
    from ..experiments.reproduction import ReproductionProgress


def reproduce(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where all of it is kept.")],
    budget: Annotated[
        str, typer.Option(help="'reduced' for a computer without a GPU, 'full', or 'smoke'.")
    ] = "reduced",
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so long; the same command goes on.")
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="Only this kind of network, such as 'three' or 'one', or 'three-again' or "
            "'one-again' for the second training of these; may be repeated.",
        ),
    ] = None,
    fold: Annotated[
        list[int] | None,
        typer.Option(help="Only this fold, from 1, to compare its report; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split and of the networks.")] = 0,
    scheduler: SchedulerOption = "local",
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run the paper's comparisons on a synthetic cohort: tables, figure 5, and p-values.

    The networks of three resolutions and of one are trained twice, with other seeds: the tables
    show each answer of both trainings, and how far these lie apart. It can be interrupted at any
    point; the same command goes on from there.
    """
    from ..experiments.reproduction import Reproduction
    from ..experiments.reproduction import reproduce as run

    keep_freed_memory()
    task = Reproduction(
        budget,
        seed=seed,
        minutes=minutes,
        only_systems=None if system is None else tuple(system),
        only_folds=None if fold is None else tuple(fold),
        device=device,
    )
    with progress("reproduce") as job:
        state = run(folder, task, workers=worker_settings(scheduler, workers, device), job=job)
    if as_json:
        print_json(
            {
                "done": list(state.evaluated_systems),
                "missing": list(state.missing_systems),
                "results": None if state.results is None else str(state.results),
            }
        )
    elif fold is not None:
        console.print(f"Reports: {folder / 'cohort' / 'crossval'}", soft_wrap=True)
    else:
        _tell(state)


def _tell(state: ReproductionProgress) -> None:
    """Print the tables, or what is still to come."""
    if state.results is None:
        console.print(
            f"Done: {', '.join(state.evaluated_systems) or 'nothing yet'}; still to come: "
            f"{', '.join(state.missing_systems)}. The same command goes on from here."
        )
        return
    console.print((state.results / "tables.md").read_text(encoding="utf-8"), soft_wrap=True)
    console.print(f"Results: {state.results}", soft_wrap=True)
