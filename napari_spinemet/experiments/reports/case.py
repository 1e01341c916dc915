"""The report of one scan: what was found, what a person said of it, and what it rests on."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...detection import DetectionResult, likelihood_map
from ...detection.findings import level_of
from ...detection.pipeline import evaluate
from ...errors import SpinemetError
from ...evaluation import FrocCurve
from ...evaluation.pictures import case_figure, finding_figure, froc_figure
from ...imaging import Annotation, Finding, OperatingPoint, SagittalSeries
from ...imaging.grids import mask_on_series
from ...jobs import CancelToken
from ...network.card import ModelCard
from ...study import Case, Study
from ...study.likelihoods import map_identity
from ...study.result_rows import VerdictRecord
from ..figures import MapSource
from ..known_models import model_file
from .facts import (
    contour_hash,
    curve_table,
    making_section,
    model_section,
    settings_rows,
    voxel_hash,
)
from .page import Block, Facts, Page, Paragraph, Picture, Section, Table, write_page

NO_VERDICT = "none yet"


@dataclass(frozen=True, eq=False)
class CaseEvidence:
    """What the report of a scan is made of.

    Attributes
    ----------
    name : str
        Of the case or the scan.
    series : SagittalSeries
    result : DetectionResult
        At the operating point that is reported, with the outlines that were seen.
    refined : bool
        Whether these are fitted to the picture.
    card : ModelCard or None
    annotation : Annotation or None
        Contours of a person.
    verdicts : sequence of str
        On each of the findings; empty where there is none.
    given : sequence of VerdictRecord
        All verdicts on the case as they were given.
    study, state, signed : str
        Name of the study, how far the case is, and who has signed when; empty without.
    scan_hash, trail : str
        Hash of the scan's files, and the end of the audit trail.
    curve : (name, FrocCurve) or None
        Of a study, to say what the operating point gives elsewhere.
    """

    name: str
    series: SagittalSeries
    result: DetectionResult
    refined: bool = False
    card: ModelCard | None = None
    annotation: Annotation | None = None
    verdicts: Sequence[str] = ()
    given: Sequence[VerdictRecord] = ()
    study: str = ""
    state: str = ""
    signed: str = ""
    scan_hash: str = ""
    trail: str = ""
    curve: tuple[str, FrocCurve] | None = None

    @property
    def findings(self) -> list[Finding]:
        """With level and verdict."""
        verdicts = list(self.verdicts) or [""] * len(self.result.findings)
        annotation = self.annotation
        return [
            replace(
                finding,
                verdict=verdict,
                level=level_of(finding, self.series, annotation) if annotation else "",
            )
            for finding, verdict in zip(self.result.findings, verdicts, strict=True)
        ]


def case_evidence(
    study: Study,
    case: Case,
    series: SagittalSeries,
    result: DetectionResult,
    annotation: Annotation | None,
    **more: object,
) -> CaseEvidence:
    """Evidence of a case, with all that its study holds of it.

    Parameters
    ----------
    study : Study
    case : Case
    series : SagittalSeries
    result : DetectionResult
    annotation : Annotation or None
    **more
        Further attributes of :class:`CaseEvidence`.
    """
    record, memory = case.record, case.memory
    given: Sequence[VerdictRecord] = ()
    signed = trail = ""
    if record is not None and memory is not None:
        given = memory.results.verdicts(case.name)
        if record.findings == "signed":
            signed = f"by {record.findings_by} on {_when(record.findings_at)}"
        trail = memory.trail_end
    return CaseEvidence(
        name=case.name,
        series=series,
        result=result,
        annotation=annotation,
        verdicts=case.verdicts().of([f.centre_mm for f in result.findings]),
        given=given,
        study=study.path.resolve().name,
        state=str(case.state),
        signed=signed,
        scan_hash=record.content if record is not None else "",
        trail=trail,
        **more,  # type: ignore[arg-type]
    )


def write_case_report(
    evidence: CaseEvidence, folder: Path, *, now: datetime.datetime | None = None
) -> Path:
    """Write the report of a scan into a folder; gives the file of the page.

    Parameters
    ----------
    evidence : CaseEvidence
    folder : Path
    now : datetime.datetime, optional
        In UTC; the time by default.

    Raises
    ------
    SpinemetError
        If the folder cannot be written to.
    """
    return write_page(case_page(evidence, now), folder)


def report_case(
    study: Study,
    name: str,
    folder: Path,
    point_of: Callable[[OperatingPoint], OperatingPoint],
    source: MapSource | None = None,
    *,
    refine: bool = False,
    device: str = "auto",
    cancel: CancelToken | None = None,
) -> Path:
    """Write the report of a case of a study; gives the file of the page.

    Parameters
    ----------
    study : Study
    name : str
        Of the case.
    folder : Path
    point_of : callable
        Gives the operating point to report, from the usual one.
    source : MapSource, optional
        What makes the map; by default the model that the case was detected on by last, at the
        operating point of then.
    refine : bool
        Fit the outlines to the picture; they are also if they were then.
    device, cancel
        See :func:`.likelihood_map`.

    Raises
    ------
    SpinemetError
        If there is no such case, or nothing to make its map with.
    """
    case = study.case(name)
    usual, columns = None, "centre"
    if source is None:
        run = case.last_run
        if run is None:
            raise SpinemetError(
                f"The case {name} of {study.path} was not detected on yet; name a model, or "
                "detect first."
            )
        file = model_file(study, run.model)
        if not file:
            raise SpinemetError(
                f"The model {run.model} that {name} was detected on by is no longer in "
                f"{study.path}; name another model."
            )
        source, usual = MapSource.of_model(file), run.operating_point
        columns = str(run.settings.get("columns", columns))
        refine = refine or bool(run.settings.get("refined", False))
    series = case.series()
    annotation = case.annotation(series) if case.contoured else None
    if columns == "centre":
        plain = source.map_of(study, case, device=device, cancel=cancel)
    else:
        kept = study.likelihood(case, map_identity(source.identity, columns))
        plain = kept or likelihood_map(
            series, source.network, columns=columns, device=device, cancel=cancel
        )
    if plain is None:
        raise SpinemetError(
            f"{study.path} holds no map of {name} by {source.identity}; take a model instead."
        )
    point = point_of(usual or source.point or source.card.operating_point)
    result = evaluate(replace(plain, model=source.identity), point)
    if refine:
        result = result.refined(series, cancel=cancel)
    evidence = case_evidence(
        study, case, series, result, annotation, card=source.card, refined=refine
    )
    return write_case_report(evidence, folder)


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
            _when(v.given_at),
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


def _when(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC" if at else "–"
