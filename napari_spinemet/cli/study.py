"""``spinemet study``: scans and contours in and out, and whether all is as it was left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SpinemetError
from .options import JsonOption, StudyArgument
from .terminal import console, print_cases, print_json

USER_CAN_MEND = 2
study_commands = typer.Typer(help="Scans and contours of a study, in and out; list and verify.")
CaseOption = Annotated[
    list[str] | None, typer.Option("--case", help="Name of a case; may be repeated.")
]


@study_commands.command("list")
def list_cases(study: StudyArgument, as_json: JsonOption = False) -> None:
    """The cases of a study with their states, and who brought them there."""
    from ..study import Study

    rows: list[dict[str, Any]] = []
    for case, state in Study(study).states():
        record = case.record
        judged = record is not None and bool(record.findings)
        by, at = "", ""
        if record is not None:
            by = record.findings_by if judged else record.state_by
            at = record.findings_at if judged else record.state_at
        rows.append(
            {
                "case": case.name,
                "state": str(state),
                "by": by,
                "at": at,
                "scan": str(case.scan),
                "readers": case.readers(),
            }
        )
    if as_json:
        print_json({"study": str(study), "cases": rows})
    else:
        print_cases(str(study), rows)


@study_commands.command("import")
def import_case(
    study: StudyArgument,
    scan: Annotated[
        Path | None, typer.Argument(help="Folder, file or zip of a scan; a new case.")
    ] = None,
    series_uid: Annotated[
        str | None, typer.Option("--series", help="Which series; the detectable one by default.")
    ] = None,
    refer: Annotated[
        bool, typer.Option(help="Leave the scan where it is; remember its place and its hash.")
    ] = False,
    contours: Annotated[
        list[Path] | None,
        typer.Option(help="DICOM SEG, NIfTI or TIFF, or a folder of them; may be repeated."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="'lesions' or 'vertebrae', where no file name says it.")
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(help="Whose contours: kept beside those that the study works with."),
    ] = None,
    case: Annotated[str | None, typer.Option(help="Contours for this case of the study.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of other contours by the same reader.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a scan to a study, or contours to one of its cases.

    Contours must lie on the grid of the scan; they are never resampled. Those of several
    readers are kept apart by name.
    """
    from ..dicom import read_series
    from ..exchange.annotation_files import read_contours
    from ..study import Study
    from ..study.import_contours import take_contours

    if (scan is None) == (case is None):
        raise SpinemetError("Give either a scan, or a case of the study with --case.")
    if case is not None and not contours:
        raise SpinemetError("Give the contours with --contours.")
    # A folder that is no study yet becomes one, but not before the scan could be read.
    scanned = read_series(scan, series_uid) if scan is not None else None
    place = Study(study, create=scan is not None, write=True)
    try:
        if scan is not None and scanned is not None:
            drawn = [a for path in contours or () for a in read_contours(path, scanned, kind)]
            chosen = place.import_scan(scan, scanned, copy=not refer)
            series = scanned
        else:
            chosen = place.case(str(case))
            series = chosen.series()
            drawn = [a for path in contours or () for a in read_contours(path, series, kind)]
        take_contours(chosen, drawn, series, reader=reader, replace=replace)
    finally:
        place.close()
    for note in (*series.warnings, *(told for a in drawn for told in a.warnings)):
        console.print(f"Note: {note}")
    if as_json:
        print_json({"study": str(study), "case": chosen.name, "contours": len(drawn)})
    else:
        console.print(f"Case: {chosen.name}")


@study_commands.command("export")
def export_contours(
    study: StudyArgument,
    folder: Annotated[Path, typer.Argument(help="Where the files go.")],
    case: CaseOption = None,
    as_format: Annotated[str, typer.Option("--format", help="seg, nifti or tiff.")] = "seg",
    reader: Annotated[str, typer.Option(help="Whose contours; the study's by default.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write the contours of a study's cases, each on the grid of its scan."""
    from ..dicom.reading import source_images
    from ..exchange.annotation_files import FORMATS, write_contours
    from ..study import Study

    if as_format not in FORMATS:
        raise SpinemetError(f"The format is one of {', '.join(FORMATS)}, not '{as_format}'.")
    place = Study(study)
    cases = [place.case(name) for name in case] if case else place.cases()
    drawn = [c for c in cases if (reader in c.readers() if reader else c.has_contours)]
    if not drawn or (case is not None and len(drawn) < len(cases)):
        bare = ", ".join(c.name for c in cases if c not in drawn) or str(study)
        raise SpinemetError(f"There are no contours{f' by {reader}' * bool(reader)} in {bare}.")
    written: list[str] = []
    for each in drawn:
        series = each.series()
        images = source_images(each.scan, series.series_uid) if as_format == "seg" else ()
        annotation = each.annotation(series, reader)
        paths = write_contours(annotation, series, folder, each.name, as_format, images)
        written += [str(path) for path in paths]
    if as_json:
        print_json({"study": str(study), "files": written})
    else:
        for path in written:
            console.print(path, soft_wrap=True)


@study_commands.command()
def verify(study: StudyArgument, as_json: JsonOption = False) -> None:
    """Check that nothing was changed past the audit trail; exit status 2 if anything was."""
    from ..study import Study

    place = Study(study)
    wrong = place.verify()
    changes = place.database.revision if place.database is not None else 0
    if as_json:
        print_json({"study": str(study), "changes": changes, "wrong": wrong})
    else:
        for sentence in wrong:
            console.print(sentence)
        console.print(f"{changes} changes in the audit trail; doubtful: {len(wrong) or 'none'}.")
    if wrong:
        raise SystemExit(USER_CAN_MEND)
