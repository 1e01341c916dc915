"""``spinemet adapt``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..jobs.allocator import keep_freed_memory
from .options import DeviceOption, JsonOption, ModelOption
from .terminal import console, print_adaptation, print_json, progress

STUDY = typer.Argument(help="Study with scans that are free of lesions, or have been reviewed.")


def adapt(
    study: Annotated[Path, STUDY],
    model: ModelOption = "default",
    model_path: Annotated[
        Path | None, typer.Option("--out", help="Model file; STUDY/models/NAME by default.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the adapted model.")] = "adapted",
    minutes: Annotated[float | None, typer.Option(help="How long all of it may take.")] = None,
    case: Annotated[
        list[str] | None, typer.Option(help="Only this case of the study; may be repeated.")
    ] = None,
    confirm: Annotated[
        list[str] | None,
        typer.Option(
            help="You have looked at what stands out in this case, and it is normal; may be "
            "repeated."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the adaptation that was cut short.")
    ] = False,
    seed: Annotated[int, typer.Option()] = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Adapt a model to your scanner, by scans that are free of lesions."""
    from ..workflows.adaptation import AdaptationPlan, StudyAdaptation, adapt_study
    from ..workflows.adaptation.study import stands_out_sentence

    keep_freed_memory()
    task = StudyAdaptation(
        study,
        model,
        name,
        only_cases=None if case is None else tuple(case),
        confirmed=tuple(confirm or ()),
        model_path=model_path,
        plan=AdaptationPlan(minutes=minutes, seed=seed, device=device),
        resume=resume,
        command=" ".join(["spinemet", *sys.argv[1:]]),
    )
    with progress("adapt") as job:
        path, card, adaptation = adapt_study(task, job=job)
    if as_json:
        named = [
            {"case": each.scan, "slices": list(each.finding.slices)}
            for each in adaptation.stands_out
        ]
        print_json({"model": str(path), "stands_out": named, **json.loads(card.to_json())})
        return
    print_adaptation(f"{study}: {name}", adaptation.scores)
    for each in adaptation.stands_out:
        console.print(stands_out_sentence(each), soft_wrap=True)
    if adaptation.stands_out:
        console.print("If it is normal, run the same command with --confirm CASE.", soft_wrap=True)
    console.print(f"Model: {path}", soft_wrap=True)
