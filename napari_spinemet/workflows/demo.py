"""The main job on the sample study, without a window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..atomic_files import write_text
from ..detection.pipeline import detect_in_series
from ..disclaimer import DISCLAIMER
from ..evaluation.froc import froc_curve, region_centres
from ..evaluation.pictures import detection_picture, froc_picture
from ..imaging import FrocCase
from ..jobs import UNATTENDED, JobContext
from ..network import load_card, load_model
from ..phantom.sample import sample_study
from ..study import Study


def run_demo_headless(out_folder: Path, *, job: JobContext = UNATTENDED) -> dict[str, Any]:
    """Read the sample study, detect, compare with the contours, write pictures and report.

    Parameters
    ----------
    out_folder : Path
        Receives the pictures and ``report.json``.
    job : JobContext

    Returns
    -------
    dict
        The report, as written.
    """
    study = Study(sample_study())
    model, card = load_model(), load_card()
    point = card.operating_point
    froc_cases, reports = [], []
    cases = list(study.contoured_cases())
    for number, (case, series, annotation) in enumerate(cases, 1):
        result = detect_in_series(
            series, model, point, identity=card.identity, job=job.without_events()
        )
        job.progress("demo", number, len(cases), case.name)
        detection_picture(series, result, out_folder / f"{case.name}.png", annotation)
        regions = region_centres(annotation, series.spacing_mm)
        reports.append(
            {
                "case": case.name,
                **result.to_dict(),
                "contoured_regions": sum(len(r) for r in regions),
            }
        )
        froc_cases.append(FrocCase(case.name, ((result.plain, annotation),)))
    curve = froc_curve(froc_cases, point)
    froc_picture([(card.name, curve)], out_folder / "froc.png")
    tp_rate, fp_mean, fp_sum = curve.at(point.threshold)
    summary = {
        "notice": DISCLAIMER,
        "model": card.identity,
        "learned_from": model.learned_from,
        "operating_point": point.to_dict(),
        "tp_rate": tp_rate,
        "fp_per_case_mean_over_slices": fp_mean,
        "fp_per_scan": fp_sum,
        "cases": reports,
    }
    write_text(out_folder / "report.json", json.dumps(summary, indent=1) + "\n")
    return summary
