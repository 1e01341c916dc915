"""What a report says first: the findings in sentences, by what the reader made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..counts import count_of
from ..imaging import Finding
from .page import Paragraph

ORDER = ("accepted", "unsure", "", "rejected")
"""Verdicts, the gravest first."""


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """The accepted ones first, the rejected last; else as they were."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.verdict))


def impression(
    findings: Sequence[Finding], *, missed_lesions: int = 0, is_doubtful: bool = False
) -> list[Paragraph]:
    """The findings in sentences.

    Parameters
    ----------
    findings : sequence of Finding
        With verdicts and levels.
    missed_lesions : int
        Contoured by the reader and found by no detection.
    is_doubtful : bool
        Whether one must doubt the scan or the result.
    """
    by_verdict = {verdict: [f for f in findings if f.verdict == verdict] for verdict in ORDER}
    sentences = [
        *_of_lesions(by_verdict["accepted"], missed_lesions),
        *_of_doubts(by_verdict["unsure"], by_verdict[""]),
        *_of_rejections(by_verdict["rejected"]),
    ]
    if not findings:
        sentences.append(
            "Nothing was found at this operating point, which does not exclude a metastasis."
        )
    elif len(by_verdict["rejected"]) == len(findings) and not missed_lesions:
        sentences.append("No finding was accepted, which does not exclude a metastasis.")
    if is_doubtful:
        sentences.append("The scan is doubtful; see Result.")
    return [Paragraph(sentence) for sentence in sentences]


def _of_lesions(accepted_findings: Sequence[Finding], missed_lesions: int) -> Iterator[str]:
    if accepted_findings:
        yield f"Accepted as lesions: {_list_text(accepted_findings)}."
    if missed_lesions:
        are = "lesion is" if missed_lesions == 1 else "lesions are"
        yield (
            f"{missed_lesions} further {are} contoured by the reader that the program did not mark."
        )


def _of_doubts(
    unsure_findings: Sequence[Finding], open_findings: Sequence[Finding]
) -> Iterator[str]:
    if unsure_findings:
        yield f"Unsure: {_list_text(unsure_findings)}."
    if open_findings:
        yield f"Without a verdict yet: {_list_text(open_findings)}."


def _of_rejections(rejected_findings: Sequence[Finding]) -> Iterator[str]:
    if rejected_findings:
        reasons = dict.fromkeys(f.reason for f in rejected_findings if f.reason)
        why = f" ({', '.join(reasons)})" if reasons else ""
        yield f"Rejected: {count_of(rejected_findings, 'finding')}{why}."


def _list_text(findings: Sequence[Finding]) -> str:
    return f"{count_of(findings, 'finding')}, {'; '.join(map(_description, findings))}"


def _description(finding: Finding) -> str:
    first, last = finding.slices
    slices = f"slice {first + 1}" if first == last else f"slices {first + 1} to {last + 1}"
    level_clause = f"{finding.level_text}, " if finding.level_text else ""
    return f"{level_clause}{slices}, {finding.largest.area_cm2:.1f} cm² where it is largest"
