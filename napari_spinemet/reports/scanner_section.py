"""By scanner and over time: what was found, what of it was rejected, and how familiar scans are."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..disclaimer import DISCLAIMER
from ..workflows.scanner_statistics import UNKNOWN, ScannerRow
from .page import Block, Paragraph, Picture, Section, Table

_COLUMNS = (
    *("Scanner", "Protocol", "Model", "Month", "Scans", "Findings a scan"),
    *("Rejected of judged", "Why", "Familiarity"),
)
_DRAWN_VALUES = ("rejected_share", "findings_per_scan", "familiarity")


def scanner_section(rows: Sequence[ScannerRow]) -> Section:
    """A table and, where there are months to compare, a plot.

    Parameters
    ----------
    rows : sequence of ScannerRow
    """
    blocks: list[Block] = []
    if not rows:
        blocks.append(Paragraph("Nothing has been detected in the window in this study yet."))
    else:
        caption = (
            "Detections in the window, the last of each scan and model. A share of rejected "
            "findings, or a familiarity, that rises from month to month says that the scanner, the "
            "protocol or the patients have changed."
        )
        blocks.append(Table("scanners", _COLUMNS, [_cells(row) for row in rows], caption))
        if len({row.scanner.month for row in rows} - {UNKNOWN}) > 1:
            caption = "The same over the months of the scans; one line for a station and protocol."
            blocks.append(Picture("scanners", scanner_figure(rows), caption, is_line_art=True))
    return Section("By scanner and over time", blocks)


def scanner_figure(rows: Sequence[ScannerRow]) -> Figure:
    """Share of rejected findings, findings a scan and familiarity over months.

    Parameters
    ----------
    rows : sequence of ScannerRow
        Those of unknown months are left out.
    """
    months = sorted({row.scanner.month for row in rows} - {UNKNOWN})
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    titles = ("rejected share of judged findings", "findings a scan", "familiarity (limit 1)")
    names = sorted({row.scanner.title for row in rows})
    for ax, title, attribute in zip(figure.subplots(1, 3), titles, _DRAWN_VALUES, strict=True):
        for number, name in enumerate(names):
            points = sorted(
                (months.index(row.scanner.month), value)
                for row in rows
                if row.scanner.title == name
                and row.scanner.month in months
                and (value := getattr(row, attribute)) is not None
            )
            if points:
                ax.plot(*zip(*points, strict=True), "o-", color=f"C{number % 10}", label=name)
        ax.set_title(title, fontsize=9)
        ax.set_xticks(range(len(months)), months, rotation=45, ha="right", fontsize=8)
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
    lines = {str(line.get_label()): line for ax in figure.axes for line in ax.get_lines()}
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", fontsize=7)
    figure.suptitle(DISCLAIMER, fontsize=8)
    return figure


def _cells(row: ScannerRow) -> tuple[str, ...]:
    scanner, share = row.scanner, row.rejected_share
    reasons = ", ".join(f"{name} {count}" for name, count in sorted(row.reasons.items()))
    familiarity = "–"
    if row.familiarity is not None:
        familiarity = f"{row.familiarity:.2f}, {row.unfamiliar} beyond the limit"
    return (
        f"{scanner.station}, {scanner.field}",
        scanner.protocol,
        scanner.model,
        scanner.month,
        str(row.scans),
        f"{row.findings_per_scan:.2f}",
        "–" if share is None else f"{row.rejected_count} of {row.judged_count} ({share:.0%})",
        reasons or "–",
        familiarity,
    )
