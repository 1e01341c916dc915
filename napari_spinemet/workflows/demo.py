"""The main job on the sample study, without a window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..atomic_files import write_text
from ..detection import detect
from ..disclaimer import DISCLAIMER
from ..evaluation import froc
from ..evaluation.froc import region_centres
from ..evaluation.pictures import detection_picture, froc_picture
from ..imaging import FrocCase
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from ..network import load_card, load_model
from ..phantom.sample import sample_study
from ..study import Study


def run_demo_headless(
    out: Path, *, on_event: EventCallback = ignore, cancel: CancelToken | None = None
) -> dict[str, Any]:
    """Read the sample study, detect, compare with the contours, write pictures and report.

    Returns
    -------
    dict
        The report, as written to ``out/report.json``.
    """
    study = Study(sample_study())
    model, card = load_model(), load_card()
    point = card.operating_point
    cases, report = [], []
    drawn = list(study.contoured_cases())
    for number, (case, series, annotation) in enumerate(drawn, 1):
        result = detect(series, model, point, identity=card.identity, cancel=cancel)
        on_event(Progressed("demo", number, len(drawn), case.name))
        detection_picture(series, result, out / f"{case.name}.png", annotation)
        regions = region_centres(annotation, series.spacing_mm)
        report.append(
            {
                "case": case.name,
                **result.to_dict(),
                "contoured_regions": sum(len(r) for r in regions),
            }
        )
        cases.append(FrocCase(case.name, ((result.plain, annotation),)))
    curve = froc(cases, min_area_cm2=point.min_area_cm2, weight=point.weight, gate=point.gate)
    froc_picture([(card.name, curve)], out / "froc.png")
    tp_rate, fp_mean, fp_sum = curve.at(point.threshold)
    summary = {
        "notice": DISCLAIMER,
        "model": card.identity,
        "operating_point": point.to_dict(),
        "tp_rate": tp_rate,
        "fp_per_case_mean_over_slices": fp_mean,
        "fp_per_scan": fp_sum,
        "cases": report,
    }
    write_text(out / "report.json", json.dumps(summary, indent=1) + "\n")
    return summary
