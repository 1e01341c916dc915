"""A study with maps to be reported, and the evidence of its diseased case."""

from __future__ import annotations

import datetime
from dataclasses import replace

from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.network import load_card
from napari_spinemet.reports import (
    CaseEvidence,
    case_evidence,
)
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity

REPORT_TIME = datetime.datetime(2026, 3, 4, 5, 6, tzinfo=datetime.UTC)
POINT = OperatingPoint(0.5, 1.0, 0.6, gate=False)
IDENTITY = load_card().identity
MAPS = MapIdentity.of_model(IDENTITY)


def evidence_of(study: Study, **attributes: object) -> CaseEvidence:
    """The diseased case, its first finding rejected and then accepted, and signed."""
    case = study.cases()[0]
    series = case.series()
    annotation = case.annotation(series)
    plain = study.likelihood_map(case, MAPS)
    result = evaluate(plain, POINT)
    card = load_card()
    for verdict in ("rejected", "accepted"):
        case.judge(series, result.findings[0].centre_mm, verdict, all_judged=False)
    for finding in result.findings[1:]:
        case.judge(series, finding.centre_mm, "unsure", all_judged=True)
    model = (card.identity, card.name, card.to_json())
    case.sign(series, model, POINT.to_dict(), result.findings)
    evidence = case_evidence(study, case, series, result, annotation)
    return replace(evidence, card=card, **attributes)
