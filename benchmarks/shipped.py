"""What a model finds: on unseen phantoms, on implants in a real scan, and on that scan itself.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/shipped.py [MODEL ...] [--work DIR]``.
Every model at the operating point of its own card. 30 phantoms of a seed that was drawn for the
figures and looked at by nobody before the model was settled (``--seed 7103`` are those that
models before it were judged by); 20 copies of the real STIR series with a lesion of moderate
contrast in each; and the series as it is, where every finding counts as false. Beside the
network on the phantoms: the two plain detectors, at the network's false positives per scan.
Without the real data those rows are left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_spinemet.detection.pipeline import detect_in_series, evaluate
from napari_spinemet.dicom import read_series
from napari_spinemet.evaluation.curve import curve_of
from napari_spinemet.evaluation.froc import CaseForests, region_centres
from napari_spinemet.imaging import FrocCase, OperatingPoint
from napari_spinemet.network import ModelCard
from napari_spinemet.phantom import make_cohort, make_implants
from napari_spinemet.study import Study
from napari_spinemet.workflows.map_source import MapSource
from napari_spinemet.workflows.study_froc import baseline_curves, tree_settings

ROOT = Path(__file__).resolve().parents[1]
CONTOURS = ROOT / "tests" / "real" / "lspine_vertebrae.zip"
SEED, CASES, IMPLANTS = 7141, 30, 20
DISTANCE_MM = 20.0


def evaluate_model(study: Study, source: MapSource) -> dict[str, Any]:
    """Rates at the card's own point, the best TP rates beside it, and false findings."""
    point = source.card.operating_point
    at = np.array([np.float32(point.threshold)])
    rates, tables, false_findings = [], [], []
    for case, _, annotation in study.contoured_cases():
        plain = source.made_map_of(study, case)
        froc_case = FrocCase(case.name, ((plain, annotation),))
        table = CaseForests(froc_case, tree_settings(point)).table(point)
        tables.append(table)
        rates.append([float(v[0]) for v in table.at(at)])
        regions = region_centres(annotation, plain.series_spacing_mm)
        findings = evaluate(plain, point).findings
        false_findings.append(sum(not _hits(f.detections, regions) for f in findings))
    tp, mean, total = np.array(rates).T
    resamples = np.random.default_rng(0).integers(len(tp), size=(20_000, len(tp)))
    low, high = np.percentile(tp[resamples].mean(axis=1), (2.5, 97.5))
    curve = curve_of(tables)
    return {
        "cases": len(tp),
        "tp_rate": float(tp.mean()),
        "tp_rate_95": [float(low), float(high)],
        "fp_per_scan": float(total.mean()),
        "fp_per_case_mean_over_slices": float(mean.mean()),
        "false_findings_per_scan": float(np.mean(false_findings)),
        "tp_rate_at_1_fp_per_scan": curve.tp_rate_at(1.0),
        "tp_rate_at_2_fp_per_scan": curve.tp_rate_at(2.0),
    }


def _hits(detections: Sequence[Any], regions: Sequence[np.ndarray]) -> bool:
    """Whether a finding lies at an annotated region in any of its slices."""
    for detection in detections:
        centres = regions[detection.slice]
        if len(centres) and (
            np.hypot(*(centres - np.array(detection.centre_working)).T).min() <= DISTANCE_MM
        ):
            return True
    return False


def baselines(study: Study, point: OperatingPoint, fp_per_scan: float) -> dict[str, float]:
    """TP rate of each plain detector at so many false positives, with the area that suits it."""
    best: dict[str, float] = {}
    for area in (3.0, 5.0):
        for system in baseline_curves(study, replace(point, min_area_cm2=area)):
            rate = system.curve.tp_rate_at(fp_per_scan)
            best[system.name] = max(best.get(system.name, 0.0), rate)
    return best


def phantoms_of(work: Path, seed: int) -> Path:
    """Where the phantoms of a seed lie."""
    return work / f"phantoms-{seed}"


def measure(model: str, work: Path, seed: int = SEED) -> tuple[ModelCard, dict[str, Any]]:
    """All figures of one model."""
    source = MapSource.of_model(model)
    phantoms = phantoms_of(work, seed)
    make_cohort(phantoms, CASES, seed=seed, generator=2)
    figures: dict[str, Any] = {"unseen_phantoms": evaluate_model(Study(phantoms), source)}
    figures["unseen_phantoms"]["measured_on"] = f"{CASES} phantoms of seed {seed}"
    real = os.environ.get("SPINEMET_REAL_DATA")
    if real:
        scan = Path(real) / "lspine_stir_cc0" / "DCMDT"
        make_implants(work / "implants", scan, CONTOURS, IMPLANTS)
        figures["implants"] = evaluate_model(Study(work / "implants"), source)
        # Copies of one scan: drawing them again says nothing about other patients.
        del figures["implants"]["tp_rate_95"]
        figures["implants"]["measured_on"] = (
            f"{IMPLANTS} lesions of contrast 0.35 to 1.0, one each in copies of a real STIR series"
        )
        point = source.card.operating_point
        result = detect_in_series(read_series(scan), source.network, point)
        figures["real_scan"] = {
            "findings": len(result.findings),
            "detections": len(result.detections),
            "measured_on": "that series as it is, healthy as far as known",
        }
    return source.card, figures


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["default"])
    parser.add_argument("--work", type=Path, default=Path("shipped-benchmark"))
    parser.add_argument("--seed", type=int, default=SEED, help="Of the phantoms.")
    options = parser.parse_args()
    columns = "model, operating point | on | TP rate (95 %) | FP per scan | mean over slices"
    print(f"| {columns} | false findings per scan | TP rate at 1, 2 FP per scan |")
    print("|---" * 7 + "|")
    for name in options.models:
        card, figures = measure(name, options.work, options.seed)
        p = card.operating_point
        words = f"{Path(name).stem}, {p.threshold:.2f}, {p.min_area_cm2:g} cm², {p.weight:.2g}"
        for key in ("unseen_phantoms", "implants"):
            if key in figures:
                t = figures[key]
                rate = f"{t['tp_rate']:.3f}"
                if "tp_rate_95" in t:
                    rate += " ({:.3f} to {:.3f})".format(*t["tp_rate_95"])
                print(
                    f"| {words} | {t['measured_on']} | {rate} "
                    f"| {t['fp_per_scan']:.2f} | {t['fp_per_case_mean_over_slices']:.3f} "
                    f"| {t['false_findings_per_scan']:.2f} | {t['tp_rate_at_1_fp_per_scan']:.3f}, "
                    f"{t['tp_rate_at_2_fp_per_scan']:.3f} |",
                    flush=True,
                )
        if "real_scan" in figures:
            count = figures["real_scan"]["findings"]
            print(f"| {words} | the real scan | findings: {count} | | | | |")
        study = Study(phantoms_of(options.work, options.seed))
        baseline_rates = baselines(study, p, figures["unseen_phantoms"]["fp_per_scan"])
        for system, tp_rate in baseline_rates.items():
            print(f"| {system}, at as many | the phantoms | {tp_rate:.3f} | | | | |", flush=True)


if __name__ == "__main__":
    main()
