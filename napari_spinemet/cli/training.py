"""``spinemet train``, ``spinemet adapt`` and ``spinemet crossval``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..jobs.allocator import keep_freed_memory
from ..number_lists import parse_numbers
from .options import (
    CONTOURED_STUDY,
    DeviceOption,
    JsonOption,
    ModelOption,
    SchedulerOption,
    WorkersOption,
    refuse_preset,
    worker_settings,
)
from .terminal import console, print_adaptation, print_json, progress

if TYPE_CHECKING:
    from ..training import TrainingConfig
    from ..workflows.cross_validation.run import CrossValidationPlan
    from ..workflows.study_training import StudyTraining
    from ..workflows.worker_settings import WorkerSettings

ResolutionsOption = Annotated[
    str | None, typer.Option(help="Of the network, in mm, separated by commas: 0.5,1,2 as a rule.")
]
FormOption = Annotated[str | None, typer.Option(help="dense or patch.")]
PaperOption = Annotated[str | None, typer.Option(help="'paper' for its constants.")]
BatchesOption = Annotated[int | None, typer.Option(help="Batches of an epoch.")]
NormalSlicesOption = Annotated[
    str | None, typer.Option(help="Normal locations from 'lesion' slices or from 'all'.")
]
OptimiserOption = Annotated[str | None, typer.Option(help="sgd as in the paper, or adamw.")]
ReferenceOption = Annotated[
    str | None, typer.Option(help="marrow: images as shares of the patient's own marrow.")
]


def train(
    study: Annotated[Path, CONTOURED_STUDY],
    model_path: Annotated[
        Path | None, typer.Option("--out", help="Model file; STUDY/models/NAME by default.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the model.")] = "trained",
    validation: Annotated[
        Path | None, typer.Option(help="Study of validation cases; else a quarter of the cases.")
    ] = None,
    further_study: Annotated[
        list[Path] | None,
        typer.Option("--also", help="A further study to train on; may be repeated."),
    ] = None,
    start: Annotated[str | None, typer.Option(help="Go on from the weights of this model.")] = None,
    preset: PaperOption = None,
    form: FormOption = None,
    resolutions: ResolutionsOption = None,
    outputs: Annotated[int | None, typer.Option(help="2, or 3 with normal vertebra.")] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    batches: BatchesOption = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Twice the paper's lambda.")] = None,
    method: Annotated[str | None, typer.Option(help="blocks, or windows as in the paper.")] = None,
    optimiser: OptimiserOption = None,
    reference: ReferenceOption = None,
    normal_slices: NormalSlicesOption = None,
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
    from ..workflows.study_training import StudyTraining

    keep_freed_memory()
    config = _config(
        preset,
        form=form,
        resolutions=_resolutions(resolutions),
        outputs=outputs,
        epochs=epochs,
        batches_per_epoch=batches,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        method=method,
        optimiser=optimiser,
        reference=reference,
        normal_slices=normal_slices,
        vertebra_share=vertebra_share,
        seed=seed,
        device=device,
    )
    task = StudyTraining(
        study,
        name,
        only_cases=None if case is None else tuple(case),
        further_studies=tuple(further_study or ()),
        validation_study=validation,
        start=start,
        model_path=model_path,
        max_fp_per_scan=max_fp,
        minutes=minutes,
        resume=resume,
        command=" ".join(["spinemet", *sys.argv[1:]]),
    )
    _train(task, config, as_json=as_json)


def _train(task: StudyTraining, config: TrainingConfig, *, as_json: bool) -> None:
    from ..workflows.study_training import train_study

    with progress("train") as job:
        path, card = train_study(task, config, job=job)
    if as_json:
        print_json({"model": str(path), **json.loads(card.to_json())})
    else:
        console.print(f"Model: {path}")
        console.print_json(card.to_json())


def crossval(
    study: Annotated[Path, CONTOURED_STUDY],
    folds: Annotated[int, typer.Option(help="Parts of the cases; each is left out once.")] = 10,
    name: Annotated[str, typer.Option(help="Of the run; one that was cut short goes on.")] = "run",
    scheduler: SchedulerOption = "local",
    workers: WorkersOption = None,
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
    preset: PaperOption = None,
    form: FormOption = None,
    resolutions: ResolutionsOption = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    batches: BatchesOption = None,
    seed: Annotated[int, typer.Option(help="Of the split and of the networks.")] = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Cross-validate by case: every case is judged by a network that never saw it."""
    from ..workflows.cross_validation.run import CrossValidationPlan

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
    plan = CrossValidationPlan(
        folds,
        seed,
        tuple(weight_decay or ()),
        only_folds=None if fold is None else tuple(fold),
    )
    _cross_validate(
        study, config, plan, name, worker_settings(scheduler, workers, device), as_json=as_json
    )


def _cross_validate(
    study: Path,
    config: TrainingConfig,
    plan: CrossValidationPlan,
    name: str,
    placement: WorkerSettings,
    *,
    as_json: bool,
) -> None:
    from ..study.run_files import report_path
    from ..workflows.cross_validation.study import cross_validate_study

    with progress("crossval") as job:
        report, _ = cross_validate_study(study, config, plan, name=name, workers=placement, job=job)
    if as_json:
        print_json(report)
        return
    if report["froc"] is None:
        console.print("No lesion is among the cases of these folds, so there is no FROC.")
    else:
        console.print_json(json.dumps(report["froc"]))
    path = report_path(Path(study), name, plan.only_folds)
    console.print(f"Report: {path}", soft_wrap=True)


def _config(preset: str | None, **options: Any) -> TrainingConfig:
    """The settings of a training: those of the preset where no option is given."""
    from ..training import TrainingConfig

    refuse_preset(preset)
    settings = {k: v for k, v in options.items() if v is not None}
    return TrainingConfig.paper(**settings) if preset else TrainingConfig(**settings)


def _resolutions(text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(parse_numbers(text, "Resolutions"))


ADAPTED_STUDY = typer.Argument(
    help="Study with scans that are free of lesions, or have been reviewed."
)


def adapt(
    study: Annotated[Path, ADAPTED_STUDY],
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
            help="You have looked at what stands out in this case, and it is normal: that is "
            "recorded as a rejected finding; may be repeated."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the adaptation that was cut short.")
    ] = False,
    seed: Annotated[int, typer.Option()] = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Adapt a model to your scanner, by scans that are free of lesions.

    Without --case it learns from all cases that nobody has detected on, and from those whose
    findings have all been judged.
    """
    from ..study import Study
    from ..workflows.adaptation import AdaptationPlan, StudyAdaptation, adapt_study
    from ..workflows.adaptation.study import confirm_normal

    keep_freed_memory()
    task = StudyAdaptation(
        study,
        model,
        name,
        only_cases=None if case is None else tuple(case),
        model_path=model_path,
        plan=AdaptationPlan(minutes=minutes, seed=seed, device=device),
        resume=resume,
        command=" ".join(["spinemet", *sys.argv[1:]]),
    )
    if confirm:
        opened_study = Study(study, write=True)
        try:
            for case_name in confirm:
                confirm_normal(
                    opened_study, opened_study.case(case_name), task.target(opened_study)
                )
        finally:
            opened_study.close()
    with progress("adapt") as job:
        adapted_model = adapt_study(task, job=job)
    if as_json:
        named_places = [
            {"case": each.scan, "slices": list(each.finding.slices)}
            for each in adapted_model.adaptation.stands_out
        ]
        print_json(
            {
                "model": str(adapted_model.path),
                "stands_out": named_places,
                "sentences": list(adapted_model.sentences),
                **json.loads(adapted_model.card.to_json()),
            }
        )
        return
    print_adaptation(f"{study}: {name}", adapted_model.adaptation.scores)
    for sentence in adapted_model.sentences:
        console.print(sentence, soft_wrap=True)
    if adapted_model.adaptation.stands_out:
        console.print("If it is normal, run the same command with --confirm CASE.", soft_wrap=True)
    console.print(f"Model: {adapted_model.path}", soft_wrap=True)
