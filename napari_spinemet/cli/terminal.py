"""What the command writes: results to stdout, messages and progress to stderr."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ..counts import count_of
from ..jobs import CancelToken, Evaluated, JobContext, Progressed

if TYPE_CHECKING:
    from ..detection import DetectionResult
    from ..imaging import SeriesSummary
    from ..jobs import Event
    from ..workflows.adaptation.judging import Score

USER_CAN_MEND, OUR_FAULT = 2, 1
"""Exit statuses."""
# What a scanner wrote is text, whatever brackets it has.
console = Console(stderr=True, markup=False, highlight=False)


def print_json(value: Any) -> None:
    """One object to stdout."""
    print(json.dumps(value, indent=1))


def _results() -> Console:
    # Made when used: stdout may have been replaced since.
    return Console(markup=False, highlight=False)


@contextmanager
def progress(task: str) -> Iterator[JobContext]:
    """A job whose events feed a progress bar on stderr, and whose token Ctrl-C raises."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    token = CancelToken()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    former = signal.getsignal(signal.SIGINT)

    def on_interrupt(*_: object) -> None:
        # Once asks to stop within a batch; twice stops whatever does not listen.
        if token.is_cancelled:
            raise KeyboardInterrupt
        token.cancel()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        with Progress(*columns, console=console, transient=True) as bar:
            line = bar.add_task(task, total=None, note="")

            def on_event(event: Event) -> None:
                if isinstance(event, Progressed):
                    values = " ".join(f"{k} {v:.3f}" for k, v in event.values.items())
                    bar.update(
                        line,
                        completed=event.done,
                        total=event.total,
                        note=f"{event.message} {values}",
                    )
                elif isinstance(event, Evaluated):
                    values = ", ".join(f"{k} {v:.4f}" for k, v in event.values.items())
                    bar.console.print(f"{task} {event.step}: {values}")

            yield JobContext(on_event, token)
    finally:
        signal.signal(signal.SIGINT, former)


def print_series(summaries: Sequence[SeriesSummary]) -> None:
    """What a folder or file holds, three lines a series and one for each warning."""
    stdout = _results()
    for s in summaries:
        spacing = " x ".join(f"{v:.3g}" for v in s.spacing_mm) if s.spacing_mm else "?"
        facts = f"{s.plane}, {s.contrast}, {s.slices} slices, {spacing} mm"
        title = ", ".join(filter(None, (s.description or "no description", s.stack_name)))
        stdout.print(f"{title}: {facts}", style="bold", soft_wrap=True)
        number = f", stack {s.stack}" if s.stack_name else ""
        stdout.print(f"  {s.series_uid}{number}", soft_wrap=True)
        verdict = "can be detected on" if s.detectable else f"cannot be detected on: {s.reason}"
        rule = f"; its contrast by {s.contrast_rule}" if s.detectable else ""
        stdout.print(f"  {verdict}{rule}", soft_wrap=True)
        for warning in s.warnings:
            stdout.print(f"  Note: {warning.text}", soft_wrap=True)


def print_findings(name: str, result: DetectionResult) -> None:
    """A table of findings.

    Parameters
    ----------
    name : str
        Of the series, for the heading.
    result : DetectionResult
    """
    doubt = ", doubtful" if result.is_doubtful else ""
    table = Table(title=f"{name}: {count_of(result.findings, 'finding')}{doubt}")
    table.caption = f"Evaluated: {result.plain.region.description}."
    headings = ("slices", "volume cm³", "largest area cm²", "peak", "level", "beside neighbours")
    for heading in (*headings, "centre mm (LPS)"):
        table.add_column(heading)
    for finding in result.findings:
        first, last = finding.slices
        table.add_row(
            f"{first + 1}-{last + 1}",
            f"{finding.volume_cm3:.1f}",
            f"{finding.largest.area_cm2:.1f}",
            f"{finding.peak:.2f}",
            finding.level_text or "-",
            "-" if finding.evidence is None else finding.evidence.contrast_text,
            ", ".join(f"{v:.0f}" for v in finding.centre_mm),
        )
    _results().print(table)


def print_froc(name: str, report: Mapping[str, Any]) -> None:
    """A table of the systems of a FROC report.

    Parameters
    ----------
    name : str
        Of the study, for the heading.
    report : mapping
        As :func:`.froc_report` gives it.
    """
    table = Table(
        title=f"{name}: {report['cases']} cases, {report['cases_with_lesions']} with lesions"
    )
    table.add_column("system")
    for reading in ("mean over slices", "per scan"):
        for figure in ("TP rate at 0.20 FP", "TP rate at 1 FP", "FP at 90 % TP rate"):
            table.add_column(f"{figure}, {reading}", justify="right")
    for title, system in report["systems"].items():
        cells = []
        for reading in ("mean_over_slices", "per_scan"):
            cells += [
                f"{system[f'tp_rate_at_0.20_fp_{reading}']:.3f}",
                f"{system[f'tp_rate_at_1_fp_{reading}']:.3f}",
                _or_never(system[f"fp_at_90_percent_{reading}"]),
            ]
        table.add_row(title, *cells)
    _results().print(table)
    at = report["at_operating_point"]
    weight = "no aggregation" if at["weight"] is None else f"weight {at['weight']:g}"
    _results().print(
        f"At its operating point (threshold {at['threshold']:.2f}, {at['min_area_cm2']:g} cm², "
        f"{weight}, {'gate' if at['gate'] else 'no gate'}"
        f"{', second look' if at.get('second_look') else ''}): TP rate {at['tp_rate']:.3f} at "
        f"{at['fp_per_scan']:.2f} false positives per scan, {at['fp_mean_over_slices']:.3f} as "
        "mean over slices."
    )


def print_scans(folder: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of what was found in many scans.

    Parameters
    ----------
    folder : str
        That holds the scans, for the heading.
    rows : sequence of mapping
        Attributes of a :class:`.ScanRow` each.
    """
    table = Table(title=f"{folder}: {len(rows)} series")
    headings = ("scan", "series", "status", "findings", "largest cm²", "peak", "familiarity")
    for heading in (*headings, "warnings", "s"):
        table.add_column(heading)
    for row in rows:
        figures = (
            [
                f"{row['findings']}",
                f"{row['largest_cm2']:.1f}",
                f"{row['peak']:.2f}",
                "-" if row["familiarity"] is None else f"{row['familiarity']:.2f}",
            ]
            if row["status"] in ("done", "doubtful")
            else [row["reason"], "", "", ""]
        )
        codes = ", ".join(warning["code"] for warning in row["warnings"])
        seconds = f"{row['seconds']:.1f}"
        table.add_row(row["scan"], row["series"], row["status"], *figures, codes, seconds)
    _results().print(table)


def print_cases(study: str, cases: Sequence[Mapping[str, Any]]) -> None:
    """A table of the cases of a study.

    Parameters
    ----------
    study : str
        Its path, for the heading.
    cases : sequence of mapping
        Each with ``case``, ``state``, ``by`` and ``at``.
    """
    table = Table(title=f"{study}: {len(cases)} case{'s' if len(cases) != 1 else ''}")
    for name in ("case", "state", "by", "at"):
        table.add_column(name)
    for row in cases:
        table.add_row(*(row[name] for name in ("case", "state", "by", "at")))
    _results().print(table)


def print_speed(device: str, measurements: Sequence[Mapping[str, Any]]) -> None:
    """A table of timings, each scaled to a whole case or epoch.

    Parameters
    ----------
    device : str
        In words, for the heading.
    measurements : sequence of mapping
        Plain values of a :class:`.Measurement` each.
    """
    table = Table(title=device)
    for name, justify in (
        ("what", "left"),
        ("done", "right"),
        ("s", "right"),
        ("a second", "right"),
        ("whole case or epoch, s", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in measurements:
        table.add_row(
            row["name"],
            f"{row['amount']}",
            f"{row['seconds']:.2f}",
            f"{row['rate']:.0f}",
            f"{row['whole_seconds']:.1f}",
        )
    _results().print(table)


def print_adaptation(title: str, scores: Sequence[Score]) -> None:
    """A table of what a model found before and after it was adapted.

    Parameters
    ----------
    title : str
    scores : sequence of Score
    """
    table = Table(title=title)
    for heading in (
        *("", "threshold", "least cm²", "false in own scans", "implants found"),
        *("false a copy", "lesions of phantoms", "false a phantom"),
    ):
        table.add_column(heading)
    for each in scores:
        table.add_row(
            each.name,
            f"{each.point.threshold:.2f}",
            f"{each.point.min_area_cm2:g}",
            f"{each.own_false} in {each.own_scans}",
            f"{each.implants.hits} of {each.implants.of}",
            f"{each.copies_false:.2f}",
            f"{each.lesions.hits} of {each.lesions.of}",
            f"{each.phantoms_false:.2f}",
        )
    _results().print(table)


def _or_never(value: float | None) -> str:
    return "never" if value is None else f"{value:.3g}"
