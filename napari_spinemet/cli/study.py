"""``spinemet study``: scans and contours in and out, and whether all is as it was left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SpinemetError
from .options import STUDY, JsonOption, StackOption
from .terminal import USER_CAN_MEND, console, print_cases, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..imaging import Annotation, SagittalSeries
    from ..study import Case, Study
    from ..study.case import CaseState

study_commands = typer.Typer(help="Scans and contours of a study, in and out; list and verify.")
CaseOption = Annotated[
    list[str] | None, typer.Option("--case", help="Name of a case; may be repeated.")
]


@study_commands.command("list")
def list_cases(study: Annotated[Path, STUDY], as_json: JsonOption = False) -> None:
    """The cases of a study with their states, and who brought them there."""
    from ..study import Study

    rows = [_case_row(case, state) for case, state in Study(study).states()]
    if as_json:
        print_json({"study": str(study), "cases": rows})
    else:
        print_cases(str(study), rows)


def _case_row(case: Case, state: CaseState) -> dict[str, Any]:
    """One case as plain values."""
    record = case.record
    user, time = "", ""
    if record is not None:
        user, time = record.state_by, record.state_at
        if record.findings:  # the later of the two
            user, time = record.findings_by, record.findings_at
    return {
        "case": case.name,
        "state": str(state),
        "by": user,
        "at": time,
        "scan": str(case.scan),
        "readers": case.readers(),
    }


@study_commands.command("import")
def import_case(
    study: Annotated[Path, STUDY],
    scan: Annotated[
        Path | None, typer.Argument(help="Folder, file or zip of a scan; a new case.")
    ] = None,
    series_uid: Annotated[
        str | None, typer.Option("--series", help="Which series; the detectable one by default.")
    ] = None,
    stack: StackOption = None,
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
    from ..study import Study
    from ..study.import_contours import take_contours

    if (scan is None) == (case is None):
        raise SpinemetError("Give either a scan, or a case of the study with --case.")
    if case is not None and not contours:
        raise SpinemetError("Give the contours with --contours.")
    # A folder that is no study yet becomes one, but not before the scan could be read.
    new_series = read_series(scan, series_uid, stack) if scan is not None else None
    open_study = Study(study, create=scan is not None, write=True)
    try:
        if scan is not None and new_series is not None:
            annotations = _read_annotations(contours, new_series, kind)
            target, series = open_study.import_scan(scan, new_series, copy=not refer), new_series
        else:
            target = open_study.case(str(case))
            series = target.series()
            annotations = _read_annotations(contours, series, kind)
        take_contours(target, annotations, series, reader=reader, replace=replace)
    finally:
        open_study.close()
    sentences = [warning.text for warning in series.warnings]
    sentences += [sentence for annotation in annotations for sentence in annotation.warnings]
    for sentence in sentences:
        console.print(f"Note: {sentence}")
    if as_json:
        print_json({"study": str(study), "case": target.name, "contours": len(annotations)})
    else:
        console.print(f"Case: {target.name}")


def _read_annotations(
    paths: Sequence[Path] | None, series: SagittalSeries, kind: str | None
) -> list[Annotation]:
    from ..exchange.formats import read_annotations

    return [a for path in paths or () for a in read_annotations(path, series, kind)]


@study_commands.command("export")
def export_contours(
    study: Annotated[Path, STUDY],
    folder: Annotated[Path, typer.Argument(help="Where the files go.")],
    case: CaseOption = None,
    as_format: Annotated[str, typer.Option("--format", help="seg, nifti or tiff.")] = "seg",
    reader: Annotated[str, typer.Option(help="Whose contours; the study's by default.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write the contours of a study's cases, each on the grid of its scan."""
    from ..exchange.formats import format_named
    from ..study import Study

    contour_format = format_named(as_format)
    files: list[str] = []
    for contoured_case in _contoured_cases(Study(study), case, reader):
        series = contoured_case.series()
        annotation = contoured_case.annotation(series, reader)
        paths = contour_format.write_files(annotation, series, folder, contoured_case.name)
        files += [str(path) for path in paths]
    if as_json:
        print_json({"study": str(study), "files": files})
    else:
        for path in files:
            console.print(path, soft_wrap=True)


def _contoured_cases(study: Study, names: Sequence[str] | None, reader: str) -> list[Case]:
    """The cases of those names, or all that have contours by a reader.

    Raises
    ------
    SpinemetError
        If there are none, or one that is named has none.
    """
    cases = [study.case(name) for name in names] if names else study.cases()
    contoured_cases = [c for c in cases if (reader in c.readers() if reader else c.has_contours)]
    if not contoured_cases or (names is not None and len(contoured_cases) < len(cases)):
        other_names = ", ".join(c.name for c in cases if c not in contoured_cases)
        whose = f" by {reader}" if reader else ""
        raise SpinemetError(f"There are no contours{whose} in {other_names or study.path}.")
    return contoured_cases


@study_commands.command()
def verify(study: Annotated[Path, STUDY], as_json: JsonOption = False) -> None:
    """Check that nothing was changed past the audit trail; exit status 2 if anything was."""
    from ..study import Study

    open_study = Study(study)
    faults = open_study.verify()
    changes = open_study.database.revision if open_study.database is not None else 0
    if as_json:
        print_json({"study": str(study), "changes": changes, "wrong": faults})
    else:
        for sentence in faults:
            console.print(sentence)
        console.print(f"{changes} changes in the audit trail; doubtful: {len(faults) or 'none'}.")
    if faults:
        raise SystemExit(USER_CAN_MEND)
