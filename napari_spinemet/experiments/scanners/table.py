"""The exam as a page: every sensitivity beside its false findings, with n and interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...evaluation.case_level import Proportion
from ...evaluation.lesion_scores import LesionOutcome, Tally

_SIZES = ((0.0, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 99.0))
_CONTRASTS = ((-9.0, 0.0), (0.0, 0.2), (0.2, 0.4), (0.4, 0.7), (0.7, 99.0))


def exam_page(tallies: Sequence[Tally]) -> str:
    """Markdown of all parts.

    Parameters
    ----------
    tallies : sequence of Tally
    """
    lines = [*_real_table(tallies), "", *_parts_table(tallies)]
    for name in ("fresh", "frozen", "agnostic", "implants TIRM"):
        tally = next((t for t in tallies if t.name == name), None)
        if tally is not None and tally.lesions:
            lines += ["", *_strata_table(tally)]
    return "\n".join(lines) + "\n"


def _words(proportion: Proportion) -> str:
    """``0.93 (0.85 to 0.97, n 60)``."""
    if not proportion.of:
        return "–"
    low, high = proportion.interval()
    return f"{proportion.value:.2f} ({low:.2f} to {high:.2f}, n {proportion.of})"


def _real_table(tallies: Sequence[Tally]) -> Iterator[str]:
    yield "| real scan | false findings | warnings |"
    yield "|---|---|---|"
    for tally in tallies:
        if tally.name == "real":
            for scan in tally.scans:
                warnings = ", ".join(dict.fromkeys(scan.warnings)) or "none"
                yield f"| {scan.name} | {scan.false_findings} | {warnings} |"


def _parts_table(tallies: Sequence[Tally]) -> Iterator[str]:
    columns = (
        "part",
        "scans",
        "false findings a scan (95 %, worst)",
        "lesions found (95 %, n)",
        "of 1 mL and more",
        "examinations with all of these",
        "regions in slices",
        "diseased vertebrae marked",
        "healthy vertebrae marked",
        "scans without a false finding",
    )
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for tally in tallies:
        if tally.name == "real":
            continue
        low, high = tally.false_findings_interval()
        worst = max(scan.false_findings for scan in tally.scans)
        cells = (
            tally.name,
            str(len(tally.scans)),
            f"{tally.false_findings:.2f} ({low:.2f} to {high:.2f}, {worst})",
            _words(tally.sensitivity()),
            _words(tally.sensitivity(lambda x: x.volume_ml >= 1)),
            _words(tally.large_by_examination),
            _words(tally.regions_in_slices),
            _words(tally.vertebrae(True)),
            _words(tally.vertebrae(False)),
            _words(tally.free_scans),
        )
        yield f"| {' | '.join(cells)} |"


def _strata_table(tally: Tally) -> Iterator[str]:
    yield f"| {tally.name}: lesions | found (95 %, n) |"
    yield "|---|---|"
    for label, lesions in _strata(tally.lesions):
        yield f"| {label} | {_words(lesions)} |"


def _strata(lesions: Sequence[LesionOutcome]) -> Iterator[tuple[str, Proportion]]:
    for attribute in ("site", "kind", "region"):
        for value in dict.fromkeys(getattr(x, attribute) for x in lesions):
            kept = [x for x in lesions if getattr(x, attribute) == value]
            yield f"{attribute}: {value}", _share_of_found(kept)
    for low, high in _SIZES:
        extent = f"{low:g} to {high:g} cm²" if high < 99 else f"from {low:g} cm²"
        kept = [x for x in lesions if low <= x.largest_cm2 < high]
        yield f"largest area: {extent}", _share_of_found(kept)
    for low, high in _CONTRASTS:
        label = f"contrast: {low:g} to {high:g}" if abs(low) < 9 else "contrast: darker than marrow"
        label = label if high < 99 else f"contrast: from {low:g}"
        yield label, _share_of_found([x for x in lesions if low <= x.contrast < high])


def _share_of_found(lesions: Sequence[LesionOutcome]) -> Proportion:
    return Proportion(sum(x.is_found for x in lesions), len(lesions))
