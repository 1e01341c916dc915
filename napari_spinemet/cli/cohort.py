"""``spinemet phantom`` and ``implant``: synthetic scans, and synthetic lesions in a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import SpinemetError
from .terminal import console, progress


def phantom(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Where the cases go.")],
    more: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    cases: Annotated[int, typer.Option(help="Cases with lesions.")] = 26,
    normals: Annotated[int, typer.Option(help="Cases without.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    variety: Annotated[
        str,
        typer.Option(
            help="evaluation, as in life; agnostic, any brightness; training, both in turn. Of "
            "generator 2 also tissues and tissues-scanner."
        ),
    ] = "evaluation",
    difficulty: Annotated[
        str, typer.Option(help="easy, standard or hard; of generator 2.")
    ] = "standard",
    lesions: Annotated[
        int | None, typer.Option(help="Most lesions of a case; as in life without.")
    ] = None,
    contrasts: Annotated[
        str | None,
        typer.Option(
            metavar="NAME...",
            help="Images of each patient, of stir, t1, t2, t2fs and water; the first is the scan.",
        ),
    ] = None,
    burden: Annotated[
        str,
        typer.Option(
            help="usual, as in life; localised, without diffuse marrow; half of the bodies; or "
            "diffuse, all marrow."
        ),
    ] = "usual",
    generator: Annotated[
        int,
        typer.Option(
            "--generator", "--revision", help="3; or 2, whose cohorts earlier figures rest on."
        ),
    ] = 3,
    sample: Annotated[bool, typer.Option(help="The sample study instead.")] = False,
) -> None:
    """Make a cohort of synthetic cases: DICOM scans with contours."""
    from ..phantom import CohortSettings, write_cohort
    from ..phantom.physics.sequences import CONTRASTS
    from ..phantom.sample import make_sample_study

    # "--contrasts stir t1 t2": an option takes one word, and the others come as arguments.
    words = [folder, *(more or ())]
    names = [w for w in words if contrasts is not None and w in CONTRASTS]
    folders = [w for w in words if w not in names]
    if len(folders) != 1:
        raise SpinemetError(
            f"One folder is needed, not {len(folders)}; give 'spinemet phantom DIR', and after "
            "--contrasts names of " + ", ".join(CONTRASTS) + "."
        )
    root = Path(folders[0])
    if sample:
        make_sample_study(root)
    else:
        settings = CohortSettings(
            cases,
            normals,
            seed,
            variety=variety,
            difficulty=difficulty,
            lesions=lesions,
            generator=generator,
            contrasts=None if contrasts is None else (*contrasts.replace(",", " ").split(), *names),
            burden=burden,
        )
        with progress("phantom") as job:
            write_cohort(root, settings, job=job)
    console.print(f"Cohort: {root}")


def implant(
    scan: Annotated[Path, typer.Argument(help="Folder, file or zip of a healthy scan.")],
    contours: Annotated[
        Path, typer.Argument(help="Of its vertebrae: DICOM SEG, NIfTI, TIFF, or a .npz.")
    ],
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
    without: Annotated[
        list[int] | None,
        typer.Option(help="Number of a vertebra that receives none; may be repeated."),
    ] = None,
    family: Annotated[
        str, typer.Option(help="lobed as in phantoms, or faceted as in none.")
    ] = "lobed",
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
            without_labels=without or (),
            family=family,
            job=job,
        )
    console.print(f"Implants: {folder}")
