"""The page of a scan: its sections, from what was found to what it rests on."""

from __future__ import annotations

import datetime

import numpy as np

from ..evaluation.pictures import case_figure, finding_figure, froc_figure
from ..imaging import Finding
from ..imaging.grids import mask_on_series
from .evidence import CaseEvidence
from .facts import (
    contour_hash,
    curve_table,
    making_section,
    model_section,
    settings_rows,
    voxel_hash,
    when,
)
from .page import Block, Facts, Page, Paragraph, Picture, Section, Table

NO_VERDICT = "none yet"


def case_page(evidence: CaseEvidence, now: datetime.datetime | None = None) -> Page:
    """The report of a scan; see :func:`write_case_report`."""
    sections = [
        _summary(evidence),
        _findings(evidence),
        *_missed(evidence),
        *_verdicts(evidence),
        *_curve(evidence),
        model_section(evidence.result.plain.model, evidence.card),
        _inputs(evidence),
        making_section(now),
    ]
    of_study = f" in the study {evidence.study}" if evidence.study else ""
    return Page(
        "Detection of spinal metastases", f"Scan {evidence.name}{of_study}", tuple(sections)
    )


def _summary(evidence: CaseEvidence) -> Section:
    findings, result = evidence.findings, evidence.result
    judged = [v for v in ("accepted", "rejected", "unsure") for f in findings if f.verdict == v]
    told = [f"{judged.count(v)} {v}" for v in dict.fromkeys(judged)]
    bare = len(findings) - len(judged)
    if bare:
        told.append(f"{bare} without a verdict")
    of_them = f" ({', '.join(told)})" if told else ""
    blocks: list[Block] = [
        Facts(
            [
                ("Findings", f"{len(findings)}{of_them}"),
                ("Verdicts", f"signed {evidence.signed}" if evidence.signed else "not signed"),
                ("Reader", evidence.signed.partition(" on ")[0][3:] or _readers(evidence) or "–"),
                *settings_rows(result.operating_point, refined=evidence.refined),
            ]
        )
    ]
    blocks += [Paragraph(warning, warning=True) for warning in result.warnings]
    return Section("Result", blocks)


def _readers(evidence: CaseEvidence) -> str:
    return ", ".join(dict.fromkeys(v.given_by for v in evidence.given if v.given_by))


def _findings(evidence: CaseEvidence) -> Section:
    findings = evidence.findings
    if not findings:
        middle = evidence.series.shape[0] // 2
        figure = case_figure(evidence.series, evidence.result, evidence.annotation, middle)
        caption = f"The middle slice, {middle + 1}; nothing passes the operating point."
        return Section(
            "Findings",
            [
                Paragraph("Nothing was found at this operating point."),
                Picture("middle-slice", figure, caption),
            ],
        )
    overview = Table(
        "findings",
        (
            *("No.", "Level", "Slices", "Largest area (cm²)", "Volume (cm³)", "Peak", "Mean"),
            *("Left (mm)", "Posterior (mm)", "Superior (mm)", "Verdict"),
        ),
        [
            (
                str(number),
                finding.level or "–",
                _slices(finding),
                f"{finding.largest.area_cm2:.2f}",
                f"{finding.volume_cm3:.2f}",
                f"{finding.peak:.3f}",
                f"{finding.largest.mean:.3f}",
                *(f"{v:.1f}" for v in finding.centre_mm),
                finding.verdict or NO_VERDICT,
            )
            for number, finding in enumerate(findings, 1)
        ],
        "Slices count from 1 on the patient's right. Peak and mean are likelihoods; the mean and "
        "the largest area are of the same slice. The centre is given in the patient's "
        "coordinates, from the scanner's centre.",
    )
    blocks: list[Block] = [overview]
    for number, finding in enumerate(findings, 1):
        figure = finding_figure(evidence.series, evidence.result, finding, evidence.annotation)
        level = f", {finding.level}" if finding.level else ""
        caption = (
            f"Finding {number}{level}: {finding.verdict or 'no verdict yet'}. Slice "
            f"{finding.largest.slice + 1}, in which it is largest; detections blue"
            f"{', contours red' if evidence.annotation is not None else ''}. A is the front of "
            "the body, H the head."
        )
        blocks.append(Picture(f"finding-{number}", figure, caption))
    number_of = {id(d): n for n, f in enumerate(findings, 1) for d in f.detections}
    rows = [
        (
            str(number_of[id(d)]),
            str(d.slice + 1),
            f"{d.area_cm2:.2f}",
            *(f"{v:.1f}" for v in d.centre_working),
            f"{d.peak:.3f}",
            f"{d.mean:.3f}",
        )
        for f in findings
        for d in f.detections
    ]
    columns = ("Finding", "Slice", "Area (cm²)", "Row (mm)", "Column (mm)", "Peak", "Mean")
    caption = "The regions that the findings are made of; rows and columns from the first pixel."
    blocks.append(Table("detections", columns, rows, caption))
    return Section("Findings", blocks)


def _slices(finding: Finding) -> str:
    first, last = finding.slices
    return str(first + 1) if first == last else f"{first + 1}–{last + 1}"


def _missed(evidence: CaseEvidence) -> list[Section]:
    """Contoured lesions that no detection touches."""
    annotation, series = evidence.annotation, evidence.series
    if annotation is None or not annotation.lesions.any():
        return []
    spacing = series.spacing_mm
    found = set()
    for detection in evidence.result.detections:
        last = detection.pixels.max(axis=0) + 2
        mask = mask_on_series(
            detection.mask((int(last[0]), int(last[1]))), series.shape[1:], spacing[1:]
        )
        found |= set(np.unique(annotation.lesions[detection.slice][mask]).tolist())
    missed = [n for n in np.unique(annotation.lesions[annotation.lesions > 0]) if n not in found]
    if not missed:
        text = "Every contoured lesion is touched by a detection."
        return [Section("Contoured lesions without a finding", [Paragraph(text)])]
    rows, blocks = [], []
    pixel_cm2 = spacing[1] * spacing[2] / 100
    for label in missed:
        pixels = (annotation.lesions == label).sum(axis=(1, 2))
        held = np.flatnonzero(pixels)
        bodies = annotation.vertebrae[annotation.lesions == label]
        level = annotation.levels.get(int(np.bincount(bodies).argmax()), "–")
        rows.append(
            (
                str(int(label)),
                level,
                str(held[0] + 1) if len(held) == 1 else f"{held[0] + 1}–{held[-1] + 1}",
                f"{pixels.max() * pixel_cm2:.2f}",
                f"{pixels.sum() * pixel_cm2 * spacing[0] / 10:.2f}",
            )
        )
        index = int(pixels.argmax())
        figure = case_figure(series, evidence.result, annotation, index)
        caption = f"Lesion {int(label)}, contoured and not found, in slice {index + 1} (red)."
        blocks.append(Picture(f"missed-{int(label)}", figure, caption))
    columns = ("Lesion", "Level", "Slices", "Largest area (cm²)", "Volume (cm³)")
    table = Table("missed", columns, rows, "Contoured by a person; no detection touches them.")
    return [Section("Contoured lesions without a finding", [table, *blocks])]


def _verdicts(evidence: CaseEvidence) -> list[Section]:
    if not evidence.given:
        return []
    rows = [
        (
            when(v.given_at),
            v.given_by or "–",
            v.verdict or "taken back",
            *(f"{c:.1f}" for c in v.centre_mm),
        )
        for v in evidence.given
    ]
    columns = ("When", "By", "Verdict", "Left (mm)", "Posterior (mm)", "Superior (mm)")
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
    picture = Picture("froc", figure, caption, drawn=True, data=curve_table([(name, curve)]))
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
    blocks: list[Block] = [Facts(rows)]
    blocks += [Paragraph(warning, warning=True) for warning in series.warnings]
    return Section("Inputs", blocks)
