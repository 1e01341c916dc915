"""The page of a study: its sections, from the curve to what it rests on."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..counts import count_of
from ..detection import DetectionResult
from ..detection.pipeline import evaluate
from ..errors import SpinemetError
from ..evaluation import FrocCurve
from ..evaluation.bands import froc_bands
from ..evaluation.case_level import Proportion, called_diseased, case_level
from ..evaluation.pictures import case_figure, froc_figure
from ..imaging import Annotation, OperatingPoint, SagittalSeries
from ..imaging.aggregation import DEFAULT_WEIGHT, NoAggregation
from ..imaging.scan_warnings import ScanWarning, has_grave
from ..jobs import UNATTENDED, JobContext
from ..study import Case, Study
from ..workflows.scanner_statistics import scanner_rows
from ..workflows.study_froc import redraw_curve
from .evidence import StudyEvidence
from .facts import curve_table, model_section, origin_section, settings_rows
from .page import Block, Facts, Page, Paragraph, Picture, Section, Table
from .scanner_section import scanner_section

TASK = "report"
VERDICTS = ("accepted", "rejected", "unsure", "")


@dataclass(frozen=True, eq=False)
class _CaseLine:
    """What the report says of one contoured case."""

    case: Case
    verdicts: list[str]
    picture: Picture
    warnings: tuple[ScanWarning, ...]


def study_page(
    evidence: StudyEvidence,
    report_time: datetime.datetime | None = None,
    *,
    job: JobContext = UNATTENDED,
) -> Page:
    """The report of a study; see :func:`.write_curve_report`.

    Parameters
    ----------
    evidence : StudyEvidence
    report_time : datetime.datetime, optional
        In UTC; the time by default.
    job : JobContext
        Polled at every case.

    Raises
    ------
    SpinemetError
        If a map has been lost since the curve was drawn.
    """
    study, system = evidence.study, evidence.system
    curves = [(_name(system.point), system.curve)]
    counterpart = redraw_curve(
        study,
        evidence.identity,
        _counterpart(system.point),
        evidence.matching,
        forests=system.forests,
        job=job,
    )
    if counterpart is not None:
        curves.append((_name(counterpart.point), counterpart.curve))
    lines = _case_lines(evidence, job)
    sections = [
        _summary(evidence),
        _curves(curves, system.point),
        _answers(system.curve, system.point),
        _cases(system.curve, lines, system.point),
        Section("Pictures", [line.picture for line in lines]),
        scanner_section(scanner_rows(study)),
        model_section(str(evidence.identity), evidence.card),
        _inputs(study),
        origin_section(report_time),
    ]
    return Page(
        "Detection of spinal metastases in a study",
        f"Study {study.path.resolve().name}, by {evidence.identity}",
        tuple(sections),
        evidence.learned_from,
    )


def _name(point: OperatingPoint) -> str:
    is_plain = point.aggregation == NoAggregation()
    return "without aggregation" if is_plain else "with aggregation"


def _counterpart(point: OperatingPoint) -> OperatingPoint:
    """The same without aggregation; with the paper's where there is none."""
    is_plain = point.aggregation == NoAggregation()
    return replace(point, weight=DEFAULT_WEIGHT if is_plain else None)


def _case_lines(evidence: StudyEvidence, job: JobContext) -> list[_CaseLine]:
    """Verdicts and a picture of each case of the curve."""
    study = evidence.study
    names = [table.case_id for table in evidence.system.curve.cases]
    lines = []
    for number, (case, series, annotation) in enumerate(study.contoured_cases(names), 1):
        job.raise_if_cancelled()
        plain = study.likelihood_map(case, evidence.identity)
        if plain is None:
            raise SpinemetError(
                f"The likelihood map of {case.name} was lost meanwhile; make the report again."
            )
        result = evaluate(plain, evidence.point)
        verdicts = case.verdicts().of([f.centre_mm for f in result.findings])
        warnings = tuple(dict.fromkeys((*series.warnings, *result.warnings)))
        picture = _case_picture(case, series, annotation, result)
        lines.append(_CaseLine(case, verdicts, picture, warnings))
        job.progress(TASK, number, len(names), f"drawing {case.name}")
    return lines


def _case_picture(
    case: Case, series: SagittalSeries, annotation: Annotation, result: DetectionResult
) -> Picture:
    """The slice with most lesion; of equal ones that with most detected."""
    area = annotation.lesions.astype(bool).sum(axis=(1, 2)).astype(float)
    for detection in result.detections:
        area[detection.slice] += 1e-3 * detection.area_cm2
    index = int(area.argmax()) if area.any() else series.shape[0] // 2
    figure = case_figure(series, result, annotation, index)
    caption = (
        f"{case.name}, slice {index + 1}: {count_of(result.findings, 'finding')} in the scan, "
        f"{'contoured lesions' if annotation.lesions.any() else 'no contoured lesion'}."
    )
    return Picture(f"case-{case.name}", figure, caption)


def _summary(evidence: StudyEvidence) -> Section:
    study, curve, point = evidence.study, evidence.system.curve, evidence.point
    distance = evidence.matching.max_distance_mm
    states = [state for _, state in study.states()]
    rate, mean, total = curve.at(point.threshold)
    rows = [
        (
            "Cases",
            (
                f"{len(states)}, of which {len(curve.cases)} are judged here "
                f"({sum(c.has_regions for c in curve.cases)} with lesions)"
            ),
        ),
        ("Contours approved", f"{sum(s.contours == 'approved' for s in states)}"),
        ("Verdicts signed", f"{sum(s.findings == 'signed' for s in states)}"),
        ("True positive rate", f"{rate:.1%}, averaged over slices, then over cases with lesions"),
        ("False positives", f"{total:.2f} per scan; {mean:.3f} as mean over slices"),
        *settings_rows(point),
        ("Found means", f"a detection's centre within {distance:g} mm of the region's"),
    ]
    return Section("Result", [Facts(rows)])


def _curves(curves: Sequence[tuple[str, FrocCurve]], point: OperatingPoint) -> Section:
    figures = [(name, curve.summary()) for name, curve in curves]
    columns = (
        ("TP rate at 0.2 FP, mean over slices", "tp_rate_at_0.20_fp_mean_over_slices"),
        ("TP rate at 1 FP per scan", "tp_rate_at_1_fp_per_scan"),
        ("FP per scan at 90 % TP rate", "fp_at_90_percent_per_scan"),
        ("FP, mean over slices, at 90 % TP rate", "fp_at_90_percent_mean_over_slices"),
    )
    rows = [
        (name, *(f"{v[key]:.3f}" if np.isfinite(v[key]) else "never" for _, key in columns))
        for name, v in figures
    ]
    curve = curves[0][1]
    bands = froc_bands(curve, (0.5, 6.5)) if len(curve.cases) > 1 else None
    caption = (
        "FROC curves in both readings of false positives; the dots are the operating point, the "
        "shade holds 95 % of 1000 resamples of the cases."
    )
    blocks: list[Block] = [
        Picture(
            "froc",
            froc_figure(curves, point.threshold, bands=bands),
            caption,
            is_line_art=True,
            data=curve_table(curves),
        ),
        Table("systems", ("System", *(name for name, _ in columns)), rows),
        Table(
            "operating-points",
            ("Threshold", "TP rate", "FP, mean over slices", "FP per scan"),
            _some_points(curve),
            "On the first curve; every point of all of them is in tables/froc.csv.",
        ),
    ]
    return Section("FROC", blocks)


def _some_points(curve: FrocCurve) -> list[tuple[str, ...]]:
    """What twenty evenly spaced thresholds give."""
    return [
        (f"{t:.2f}", *(f"{value:.3f}" for value in curve.at(t))) for t in np.linspace(0.05, 1.0, 20)
    ]


def _answers(curve: FrocCurve, point: OperatingPoint) -> Section:
    level = case_level(curve, point.threshold)
    rows = [
        (name, *_share_cells(share), meaning)
        for name, share, meaning in (
            ("Sensitivity", level.sensitivity, "diseased cases called diseased"),
            ("Specificity", level.specificity, "normal cases called normal"),
            ("PPV", level.ppv, "cases called diseased that are"),
            ("NPV", level.npv, "cases called normal that are"),
        )
    ]
    columns = ("Figure", "Value", "Cases", "Wilson's 95 % interval", "Meaning")
    caption = (
        "A case is called diseased if any detection is left in it. PPV and NPV hold for this "
        "study's share of diseased cases only."
    )
    return Section("The answer for a case", [Table("answers", columns, rows, caption)])


def _share_cells(share: Proportion) -> tuple[str, str, str]:
    if not share.of:
        return "no such case", "0 of 0", "–"
    low, high = share.interval()
    return f"{share.value:.3f}", f"{share.hits} of {share.of}", f"{low:.3f} to {high:.3f}"


def _cases(curve: FrocCurve, lines: Sequence[_CaseLine], point: OperatingPoint) -> Section:
    threshold = np.array([curve.thresholds.dtype.type(point.threshold)])
    line_of = {line.case.name: line for line in lines}
    rows = []
    answers = called_diseased(curve, point.threshold)
    for table, is_diseased in zip(curve.cases, answers, strict=True):
        rate, mean, total = (float(v[0]) for v in table.at(threshold))
        line = line_of[table.case_id]
        rows.append(
            (
                table.case_id,
                str(line.case.state),
                f"{rate:.3f}" if table.has_regions else "no lesion",
                f"{total:.2f}",
                f"{mean:.3f}",
                "diseased" if is_diseased else "normal",
                "doubtful" if has_grave(line.warnings) else "",
                *(str(line.verdicts.count(v)) for v in VERDICTS),
            )
        )
    columns = (
        *("Case", "State", "TP rate", "FP per scan", "FP, mean over slices", "Called", "Scan"),
        *("Accepted", "Rejected", "Unsure", "No verdict"),
    )
    caption = "Verdicts count the findings across slices at this operating point."
    notes = [
        Paragraph(f"{line.case.name}: {warning.text}", warning=True)
        for line in lines
        for warning in line.warnings
        if warning.is_grave
    ]
    return Section("Cases", [*notes, Table("cases", columns, rows, caption)])


def _inputs(study: Study) -> Section:
    rows = []
    for case, state in study.states():
        record = case.record
        rows.append((case.name, str(state), record.content_hash if record is not None else "–"))
    blocks: list[Block] = [Table("inputs", ("Case", "State", "SHA-256 of the scan's files"), rows)]
    if study.database is not None and study.database.trail_end:
        blocks.insert(0, Facts([("Audit trail", study.database.trail_end)]))
    faults = study.verify()
    blocks += [Paragraph(sentence, warning=True) for sentence in faults]
    if not faults:
        blocks.append(Paragraph("Nothing was changed past the audit trail."))
    return Section("Inputs", blocks)
