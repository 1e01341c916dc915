"""``spinemet phantom`` and ``implant``: synthetic scans, and synthetic lesions in a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import SpinemetError
from .terminal import console, progress


def phantom(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the cases go.")],
    cases: Annotated[int, typer.Option(help="Cases with lesions.")] = 26,
    normals: Annotated[int, typer.Option(help="Cases without.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    variety: Annotated[
        str, typer.Option(help="evaluation, or far wider: tissues, tissues-scanner, training.")
    ] = "evaluation",
    difficulty: Annotated[
        str, typer.Option(help="easy, standard or hard; of the evaluation variety.")
    ] = "standard",
    lesions: Annotated[
        int, typer.Option(help="Most diseased segments of a case; more than 2 to train on.")
    ] = 2,
    sample: Annotated[bool, typer.Option(help="The sample study instead.")] = False,
) -> None:
    """Make a cohort of synthetic cases: DICOM scans with contours."""
    from ..phantom import CohortSettings, write_cohort
    from ..phantom.case import VARIETIES
    from ..phantom.sample import make_sample_study

    if variety not in VARIETIES:
        raise SpinemetError(f"The variety is one of {', '.join(VARIETIES)}, not '{variety}'.")
    if sample:
        make_sample_study(folder)
    else:
        settings = CohortSettings(
            cases, normals, seed, variety=variety, difficulty=difficulty, lesions=lesions
        )
        with progress("phantom") as job:
            write_cohort(folder, settings, job=job)
    console.print(f"Cohort: {folder}")


def implant(
    scan: Annotated[Path, typer.Argument(help="Folder, file or zip of a healthy scan.")],
    contours: Annotated[Path, typer.Argument(help="DICOM Segmentation of its vertebrae.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the copies go.")],
    cases: Annotated[int, typer.Option(help="Copies, each with one lesion.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    contrast: Annotated[
        tuple[float, float],
        typer.Option(help="Least and largest; 0 is the body's marrow, 1 cerebrospinal fluid."),
    ] = (0.35, 1.0),
    series_uid: Annotated[
        str | None, typer.Option("--series", help="Which series; the detectable one by default.")
    ] = None,
) -> None:
    """Put synthetic lesions into copies of a real scan, to try a detector on real anatomy."""
    from ..phantom import make_implants

    with progress("implant") as job:
        make_implants(
            folder,
            scan,
            contours,
            cases,
            seed,
            contrast=contrast,
            series_uid=series_uid,
            job=job,
        )
    console.print(f"Implants: {folder}")
