"""The page of a scan: its sections, from what was found to what it rests on."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np

from ..counts import count_of
from ..detection import DetectionResult
from ..evaluation.pictures import case_figure, finding_figure, froc_figure
from ..imaging import Annotation, Finding
from ..imaging.grids import mask_on_series
from ..imaging.scan_warnings import has_grave
from .evidence import CaseEvidence
from .facts import (
    contour_hash,
    curve_table,
    format_time,
    model_section,
    origin_section,
    settings_rows,
    voxel_hash,
)
from .impression import impression, in_order
from .page import Block, Facts, Fold, Page, Paragraph, Picture, Section, Table

NO_VERDICT = "none yet"


def case_page(evidence: CaseEvidence, report_time: datetime.datetime | None = None) -> Page:
    """The report of a scan; see :func:`.write_case_report`.

    Parameters
    ----------
    evidence : CaseEvidence
    report_time : datetime.datetime, optional
        In UTC; the time by default.
    """
    sections = [
        _impression(evidence),
        _findings(evidence),
        _summary(evidence),
        *_missed_lesions(evidence),
        *_verdicts(evidence),
        *_curve(evidence),
        model_section(evidence.result.plain.model, evidence.card),
        _inputs(evidence),
        origin_section(report_time),
    ]
    of_study = f" in the study {evidence.study}" if evidence.study else ""
    return Page(
        "Detection of spinal metastases",
        f"Scan {evidence.name}{of_study}",
        tuple(sections),
        evidence.learned_from,
        evidence.examination.text,
        f"Signed {evidence.signature}." if evidence.signature else "Draft: not signed by a reader.",
    )


def _impression(evidence: CaseEvidence) -> Section:
    missed_lesions = len(_missed_labels(evidence))
    sentences = impression(
        evidence.findings,
        missed_lesions=missed_lesions,
        is_doubtful=has_grave(evidence.warnings),
    )
    return Section("Impression", sentences)


def _summary(evidence: CaseEvidence) -> Section:
    findings, result = evidence.findings, evidence.result
    verdicts = [v for v in ("accepted", "rejected", "unsure") for f in findings if f.verdict == v]
    counts = [f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts)]
    without_verdict = len(findings) - len(verdicts)
    if without_verdict:
        counts.append(f"{without_verdict} without a verdict")
    of_them = f" ({', '.join(counts)})" if counts else ""
    signature = evidence.signature
    blocks: list[Block] = [
        Facts(
            [
                ("Findings", f"{len(findings)}{of_them}"),
                ("Verdicts", f"signed {signature}" if signature else "not signed"),
                ("Reader", signature.rpartition(" on ")[0][3:] or _readers(evidence) or "–"),
                ("Evaluated", result.plain.region.description),
                *_familiarity(result),
                *settings_rows(
                    result.operating_point, has_fitted_outlines=evidence.has_fitted_outlines
                ),
            ]
        )
    ]
    warnings = evidence.warnings
    doubts = [Paragraph(f"Doubtful: {w.text}", warning=True) for w in warnings if w.is_grave]
    notes = [Paragraph(w.text, warning=True) for w in warnings if not w.is_grave]
    return Section("Result", [*doubts, *blocks, *notes])


def _familiarity(result: DetectionResult) -> list[tuple[str, str]]:
    familiarity = result.familiarity
    return [] if familiarity is None else [("Familiarity of the scan", familiarity.text)]


def _readers(evidence: CaseEvidence) -> str:
    return ", ".join(dict.fromkeys(v.given_by for v in evidence.verdict_records if v.given_by))


def _findings(evidence: CaseEvidence) -> Section:
    findings = in_order(evidence.findings)
    if not findings:
        middle = evidence.series.shape[0] // 2
        figure = case_figure(evidence.series, evidence.result, evidence.annotation, middle)
        caption = f"The middle slice, {middle + 1}; nothing passes the operating point."
        return Section(
            "Findings",
            [
                Picture("middle-slice", figure, caption),
            ],
        )
    pictures = [
        _finding_picture(evidence, finding, number) for number, finding in enumerate(findings, 1)
    ]
    rejected_count = sum(finding.verdict == "rejected" for finding in findings)
    shown_count = len(findings) - rejected_count
    blocks: list[Block] = [_finding_table(evidence, findings), *pictures[:shown_count]]
    if rejected_count:
        title = f"Pictures of {count_of(pictures[shown_count:], 'rejected finding')}"
        blocks.append(Fold(title, pictures[shown_count:]))
    blocks.append(Fold("The detections in each slice", [_detection_table(findings)]))
    return Section("Findings", blocks)


def _finding_table(evidence: CaseEvidence, findings: Sequence[Finding]) -> Table:
    other = [] if evidence.other is None else [f"Beside in {evidence.other.contrast}"]
    return Table(
        "findings",
        (
            *("No.", "Level", "Slices", "Largest area (cm²)", "Volume (cm³)", "Peak", "Mean"),
            *("Beside", *other, "Left (mm)", "Posterior (mm)", "Superior (mm)", "Verdict"),
        ),
        [
            (
                str(number),
                finding.level_text or "–",
                _slices(finding),
                f"{finding.largest.area_cm2:.2f}",
                f"{finding.volume_cm3:.2f}",
                f"{finding.peak:.3f}",
                f"{finding.largest.mean:.3f}",
                "–" if finding.evidence is None else finding.evidence.contrast_text,
                *([evidence.other_contrast_text(finding)] if other else []),
                *(f"{v:.1f}" for v in finding.centre_mm),
                finding.verdict_text or NO_VERDICT,
            )
            for number, finding in enumerate(findings, 1)
        ],
        "Slices count from 1 on the patient's right. Peak and mean are likelihoods; the mean and "
        "the largest area are of the same slice. The centre is given in the patient's "
        "coordinates, from the scanner's centre. Beside: median brightness over that of healthy "
        "marrow in the neighbouring bodies. A level that is a guess was counted by the model's own "
        "vertebrae, and may be one off. Accepted findings come first, rejected ones last.",
    )


def _finding_picture(evidence: CaseEvidence, finding: Finding, number: int) -> Picture:
    figure = finding_figure(
        evidence.series, evidence.result, finding, evidence.annotation, evidence.other
    )
    level = f", {finding.level_text}" if finding.level_text else ""
    caption = (
        f"Finding {number}{level}: {finding.verdict_text or 'no verdict yet'}. Slice "
        f"{finding.largest.slice + 1}, in which it is largest; this finding in a thick blue line, "
        f"others thin{', contours dashed red' if evidence.annotation is not None else ''}. A is "
        "the front of the body, H the head."
    )
    return Picture(f"finding-{number}", figure, caption)


def _detection_table(findings: Sequence[Finding]) -> Table:
    rows = [
        (
            str(number),
            str(d.slice + 1),
            f"{d.area_cm2:.2f}",
            *(f"{v:.1f}" for v in d.centre_working),
            f"{d.peak:.3f}",
            f"{d.mean:.3f}",
        )
        for number, finding in enumerate(findings, 1)
        for d in finding.detections
    ]
    columns = ("Finding", "Slice", "Area (cm²)", "Row (mm)", "Column (mm)", "Peak", "Mean")
    caption = "The regions that the findings are made of; rows and columns from the first pixel."
    return Table("detections", columns, rows, caption)


def _slices(finding: Finding) -> str:
    first, last = finding.slices
    return str(first + 1) if first == last else f"{first + 1}–{last + 1}"


def _missed_lesions(evidence: CaseEvidence) -> list[Section]:
    """Contoured lesions that no detection touches."""
    annotation = evidence.annotation
    if annotation is None or not annotation.lesions.any():
        return []
    labels = _missed_labels(evidence)
    if not labels:
        text = "Every contoured lesion is touched by a detection."
        return [Section("Contoured lesions without a finding", [Paragraph(text)])]
    columns = ("Lesion", "Level", "Slices", "Largest area (cm²)", "Volume (cm³)")
    rows = [_lesion_row(evidence, annotation, label) for label in labels]
    table = Table("missed", columns, rows, "Contoured by a person; no detection touches them.")
    pictures = [_lesion_picture(evidence, annotation, label) for label in labels]
    return [Section("Contoured lesions without a finding", [table, *pictures])]


def _missed_labels(evidence: CaseEvidence) -> list[int]:
    annotation = evidence.annotation
    if annotation is None or not annotation.lesions.any():
        return []
    touched_labels = _touched_labels(evidence, annotation)
    labels = np.unique(annotation.lesions[annotation.lesions > 0])
    return [int(label) for label in labels if label not in touched_labels]


def _touched_labels(evidence: CaseEvidence, annotation: Annotation) -> set[int]:
    """Labels of lesions with a pixel in a detection; 0 may be among them."""
    series = evidence.series
    labels: set[int] = set()
    for detection in evidence.result.detections:
        last = detection.pixels.max(axis=0) + 2
        mask = mask_on_series(
            detection.mask((int(last[0]), int(last[1]))), series.shape[1:], series.spacing_mm[1:]
        )
        labels |= set(np.unique(annotation.lesions[detection.slice][mask]).tolist())
    return labels


def _lesion_row(evidence: CaseEvidence, annotation: Annotation, label: int) -> tuple[str, ...]:
    spacing = evidence.series.spacing_mm
    pixel_cm2 = spacing[1] * spacing[2] / 100
    pixels = (annotation.lesions == label).sum(axis=(1, 2))
    slices = np.flatnonzero(pixels)
    bodies = annotation.vertebrae[annotation.lesions == label]
    return (
        str(label),
        annotation.levels.get(int(np.bincount(bodies).argmax()), "–"),
        str(slices[0] + 1) if len(slices) == 1 else f"{slices[0] + 1}–{slices[-1] + 1}",
        f"{pixels.max() * pixel_cm2:.2f}",
        f"{pixels.sum() * pixel_cm2 * spacing[0] / 10:.2f}",
    )


def _lesion_picture(evidence: CaseEvidence, annotation: Annotation, label: int) -> Picture:
    index = int((annotation.lesions == label).sum(axis=(1, 2)).argmax())
    figure = case_figure(evidence.series, evidence.result, annotation, index)
    caption = f"Lesion {label}, contoured and not found, in slice {index + 1} (red)."
    return Picture(f"missed-{label}", figure, caption)


def _verdicts(evidence: CaseEvidence) -> list[Section]:
    if not evidence.verdict_records:
        return []
    rows = [
        (
            format_time(v.given_at),
            v.given_by or "–",
            v.verdict or "taken back",
            v.reason or "–",
            *(f"{c:.1f}" for c in v.centre_mm),
        )
        for v in evidence.verdict_records
    ]
    columns = ("When", "By", "Verdict", "Reason", "Left (mm)", "Posterior (mm)", "Superior (mm)")
    caption = "All verdicts in the order in which they were given; the last on a place counts."
    return [Section("Verdicts", [Table("verdicts", columns, rows, caption)])]


def _curve(evidence: CaseEvidence) -> list[Section]:
    if evidence.curve is None:
        text = (
            "No curve of a study was at hand, so what this operating point gives on other scans "
            "is not told here."
        )
        return [Section("What the operating point gives", [Paragraph(text)])]
    name, curve = evidence.curve
    threshold = evidence.result.operating_point.threshold
    rate, mean, total = curve.at(threshold)
    text = (
        f"On {name} ({len(curve.cases)} cases, {sum(c.has_regions for c in curve.cases)} with "
        f"lesions) this threshold gives a true positive rate of {rate:.1%} at {total:.2f} false "
        f"positives per scan, {mean:.3f} as mean over slices."
    )
    figure = froc_figure([(name, curve)], threshold)
    caption = "FROC curve in both readings of false positives; the dot is the operating point."
    picture = Picture("froc", figure, caption, is_line_art=True, data=curve_table([(name, curve)]))
    return [Section("What the operating point gives", [Paragraph(text), picture])]


def _inputs(evidence: CaseEvidence) -> Section:
    series, annotation = evidence.series, evidence.annotation
    spacing = " × ".join(f"{v:.2f}" for v in series.spacing_mm)
    rows = [
        ("Series", f"{series.description or 'without a description'} ({series.contrast})"),
        ("Series instance UID", series.series_uid or "none"),
        ("Size", f"{series.shape[0]} slices of {series.shape[1]} × {series.shape[2]} pixels"),
        ("Spacing", f"{spacing} mm (slice, row, column)"),
        ("SHA-256 of the scan's files", evidence.scan_hash or "in no study"),
        ("SHA-256 of the voxels", voxel_hash(series)),
        (
            "SHA-256 of the contours",
            "no contours" if annotation is None or annotation.empty else contour_hash(annotation),
        ),
    ]
    if evidence.state:
        rows.append(("State in the study", evidence.state))
    if evidence.trail:
        rows.append(("Audit trail", evidence.trail))
    return Section("Inputs", [Facts(rows)])
