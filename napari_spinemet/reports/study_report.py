"""The report of a study: its curve, its cases, and the answer for a case."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..detection.pipeline import evaluate
from ..errors import SpinemetError
from ..evaluation import FrocCurve
from ..evaluation.bands import froc_bands
from ..evaluation.case_level import Proportion, called_diseased, case_level
from ..evaluation.pictures import case_figure, froc_figure
from ..imaging import OperatingPoint
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from ..network import SiameseNet
from ..network.card import ModelCard
from ..study import Case, Study
from ..study.likelihood_maps import is_crossval
from ..workflows.study_froc import SystemCurve, crossval_curve, redrawn, study_curve
from .facts import count_of, curve_table, making_section, model_section, settings_rows
from .page import Block, Facts, Page, Paragraph, Picture, Section, Table, write_page

TASK = "report"
VERDICTS = ("accepted", "rejected", "unsure", "")


@dataclass(frozen=True, eq=False)
class _CaseLine:
    """What the report says of one contoured case."""

    case: Case
    verdicts: list[str]
    picture: Picture


def write_study_report(
    study: Study,
    identity: str,
    point: OperatingPoint,
    folder: Path,
    *,
    model: SiameseNet | None = None,
    card: ModelCard | None = None,
    max_distance_mm: float = 20.0,
    device: str = "auto",
    now: datetime.datetime | None = None,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> Path:
    """Write the report of a study into a folder; gives the file of the page.

    Parameters
    ----------
    study : Study
    identity : str
        Of the model, or of a cross-validation whose maps the study keeps.
    point : OperatingPoint
        That cases and curves are told at.
    folder : Path
    model : SiameseNet, optional
        Makes the maps that are missing; not needed for a cross-validation.
    card : ModelCard, optional
    max_distance_mm : float
        Between the centres of a detection and of the region that it finds.
    device : str
    now : datetime.datetime, optional
        In UTC; the time by default.
    on_event, cancel
        See :mod:`~napari_spinemet.jobs`.

    Raises
    ------
    SpinemetError
        If the study has no contoured lesion, or the folder cannot be written to.
    """
    how = {"max_distance_mm": max_distance_mm, "on_event": on_event, "cancel": cancel}
    if model is None or is_crossval(identity):
        system = crossval_curve(study, identity, point, **how)  # type: ignore[arg-type]
    else:
        system = study_curve(
            study,
            model,
            identity,
            point,
            standing=True,
            device=device,
            **how,  # type: ignore[arg-type]
        )
    systems = [(_name(point), system.curve)]
    other = replace(point, weight=None if point.weight is not None else 0.4)
    beside = redrawn(study, identity, other, system.trees, **how)  # type: ignore[arg-type]
    if beside is not None:
        systems.append((_name(other), beside.curve))
    lines = _lines(study, identity, point, system, on_event, cancel)
    sections = [
        _summary(study, systems, point, max_distance_mm),
        _curves(systems, point),
        _answers(system.curve, point),
        _cases(system.curve, lines, point),
        Section("Pictures", [line.picture for line in lines]),
        model_section(identity, card),
        _inputs(study),
        making_section(now),
    ]
    page = Page(
        "Detection of spinal metastases in a study",
        f"Study {study.path.resolve().name}, by {identity}",
        tuple(sections),
    )
    return write_page(page, folder)


def _name(point: OperatingPoint) -> str:
    return "without aggregation" if point.weight is None else "with aggregation"


def _lines(
    study: Study,
    identity: str,
    point: OperatingPoint,
    system: SystemCurve,
    on_event: EventCallback,
    cancel: CancelToken | None,
) -> list[_CaseLine]:
    """Verdicts and a picture of each case of the curve."""
    names = [table.case_id for table in system.curve.cases]
    lines = []
    for number, (case, series, annotation) in enumerate(study.contoured_cases(names), 1):
        if cancel is not None:
            cancel.raise_if_cancelled()
        plain = study.likelihood(case, identity)
        if plain is None:
            raise SpinemetError(
                f"The likelihood map of {case.name} was lost meanwhile; make the report again."
            )
        result = evaluate(plain, point)
        area = annotation.lesions.astype(bool).sum(axis=(1, 2)).astype(float)
        for detection in result.detections:
            area[detection.slice] += 1e-3 * detection.area_cm2
        index = int(area.argmax()) if area.any() else series.shape[0] // 2
        figure = case_figure(series, result, annotation, index)
        caption = (
            f"{case.name}, slice {index + 1}: {count_of(result.findings, 'finding')} in the scan, "
            f"{'contoured lesions' if annotation.lesions.any() else 'no contoured lesion'}."
        )
        said = case.verdicts().of([f.centre_mm for f in result.findings])
        lines.append(_CaseLine(case, said, Picture(f"case-{case.name}", figure, caption)))
        on_event(Progressed(TASK, number, len(names), f"drawing {case.name}"))
    return lines


def _summary(
    study: Study,
    systems: Sequence[tuple[str, FrocCurve]],
    point: OperatingPoint,
    max_distance_mm: float,
) -> Section:
    curve = systems[0][1]
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
        ("Found means", f"a detection's centre within {max_distance_mm:g} mm of the region's"),
    ]
    return Section("Result", [Facts(rows)])


def _curves(systems: Sequence[tuple[str, FrocCurve]], point: OperatingPoint) -> Section:
    figures = [(name, curve.summary()) for name, curve in systems]
    wanted = (
        ("TP rate at 0.2 FP, mean over slices", "tp_rate_at_0.20_fp_mean_over_slices"),
        ("TP rate at 1 FP per scan", "tp_rate_at_1_fp_per_scan"),
        ("FP per scan at 90 % TP rate", "fp_at_90_percent_per_scan"),
        ("FP, mean over slices, at 90 % TP rate", "fp_at_90_percent_mean_over_slices"),
    )
    rows = [
        (name, *(f"{told[key]:.3f}" if np.isfinite(told[key]) else "never" for _, key in wanted))
        for name, told in figures
    ]
    curve = systems[0][1]
    bands = froc_bands(curve, (0.5, 6.5)) if len(curve.cases) > 1 else None
    caption = (
        "FROC curves in both readings of false positives; the dots are the operating point, the "
        "shade holds 95 % of 1000 resamples of the cases."
    )
    blocks: list[Block] = [
        Picture(
            "froc",
            froc_figure(systems, point.threshold, bands=bands),
            caption,
            drawn=True,
            data=curve_table(systems),
        ),
        Table("systems", ("System", *(name for name, _ in wanted)), rows),
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
        (name, *_said(share), meaning)
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


def _said(share: Proportion) -> tuple[str, str, str]:
    if not share.of:
        return "no such case", "0 of 0", "–"
    low, high = share.interval()
    return f"{share.value:.3f}", f"{share.hits} of {share.of}", f"{low:.3f} to {high:.3f}"


def _cases(curve: FrocCurve, lines: Sequence[_CaseLine], point: OperatingPoint) -> Section:
    here = np.array([curve.thresholds.dtype.type(point.threshold)])
    of_name = {line.case.name: line for line in lines}
    rows = []
    for table, called in zip(curve.cases, called_diseased(curve, point.threshold), strict=True):
        rate, mean, total = (float(v[0]) for v in table.at(here))
        line = of_name[table.case_id]
        rows.append(
            (
                table.case_id,
                str(line.case.state),
                f"{rate:.3f}" if table.has_regions else "no lesion",
                f"{total:.2f}",
                f"{mean:.3f}",
                "diseased" if called else "normal",
                *(str(line.verdicts.count(v)) for v in VERDICTS),
            )
        )
    columns = (
        *("Case", "State", "TP rate", "FP per scan", "FP, mean over slices", "Called"),
        *("Accepted", "Rejected", "Unsure", "No verdict"),
    )
    caption = "Verdicts count the findings across slices at this operating point."
    return Section("Cases", [Table("cases", columns, rows, caption)])


def _inputs(study: Study) -> Section:
    rows = []
    for case, state in study.states():
        record = case.record
        rows.append((case.name, str(state), record.content_hash if record is not None else "–"))
    blocks: list[Block] = [Table("inputs", ("Case", "State", "SHA-256 of the scan's files"), rows)]
    if study.database is not None and study.database.trail_end:
        blocks.insert(0, Facts([("Audit trail", study.database.trail_end)]))
    wrong = study.verify()
    blocks += [Paragraph(sentence, warning=True) for sentence in wrong]
    if not wrong:
        blocks.append(Paragraph("Nothing was changed past the audit trail."))
    return Section("Inputs", blocks)
