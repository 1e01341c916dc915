"""Fit the second look of a model, and choose its operating point, on phantoms it has not seen.

Run: ``python benchmarks/second_look.py MODEL --learn STUDY... --choose STUDY... --out FILE``.
Studies are cohorts of ``spinemet phantom``; those of the burdens half and diffuse teach what cannot
be compared. The second look is fitted to the candidates of the first ones; threshold and least
area are chosen on the others, by findings, as the exam counts them (``benchmarks/scanners.py``):
the most lesions found at no more than ``--false`` false findings in a scan with lesions, and of
settings that find as many but for two the one of the smallest least area. Maps are kept in the
folder ``--work``. FILE gets the weights, and a card with both.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from napari_spinemet.detection.comparison.second_look import compare_candidates
from napari_spinemet.detection.engines import map_series
from napari_spinemet.detection.map_settings import MapSettings
from napari_spinemet.detection.pipeline import DetectionResult, evaluate
from napari_spinemet.evaluation.froc import froc_curve
from napari_spinemet.experiments.scanners.scoring import Truth, score_scan
from napari_spinemet.imaging import (
    Annotation,
    FrocCase,
    LikelihoodMap,
    OperatingPoint,
    SagittalSeries,
)
from napari_spinemet.network import SiameseNet, load_card, load_model, save_model
from napari_spinemet.study import Study
from napari_spinemet.study.likelihood_maps import load_likelihood_map, save_likelihood_map
from napari_spinemet.workflows.study_training.second_look_fit import (
    JudgedScan,
    fit_second_look,
    judge_scan,
    left_out_logits,
    left_out_marrow,
)

AREAS_CM2 = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
THRESHOLDS = np.round(np.arange(0.2, 0.981, 0.02), 3)
WEIGHT = 0.6

Case = tuple[str, SagittalSeries, Annotation, list[dict[str, object]], str]


def _cases(root: Path) -> list[tuple[str, Path]]:
    return [(f"{root.name}-{p.parent.name}", p.parent) for p in sorted(root.glob("*/case.json"))]


def _read(study: Study, folder: Path) -> tuple[SagittalSeries, Annotation, list[dict[str, object]]]:
    case = study.case(folder.name)
    series = case.series()
    facts = json.loads((folder / "case.json").read_text(encoding="utf-8"))["lesions"]
    return series, case.annotation(series), facts


def _map(model: SiameseNet, series: SagittalSeries, path: Path) -> LikelihoodMap:
    likelihood = load_likelihood_map(path)
    if likelihood is None:
        likelihood = map_series(series, model, MapSettings())
        save_likelihood_map(likelihood, path)
    return likelihood


def _facts(root: Path) -> dict[str, object]:
    facts: dict[str, object] = json.loads((root / "cohort.json").read_text(encoding="utf-8"))
    return dict(facts["phantom"])  # type: ignore[call-overload]


def _burden(root: Path) -> str:
    return str(_facts(root).get("burden", "usual"))


def _judge(model: SiameseNet, roots: list[Path], work: Path) -> list[JudgedScan]:
    judged = []
    for root in roots:
        study, is_comparable = Study(root), _burden(root) not in ("half", "diffuse")
        if _facts(root)["generator"] != 2 and _burden(root) == "usual":
            raise SystemExit(f"{root} has patients of diffuse marrow; make it of localised burden.")
        for name, folder in _cases(root):
            series, annotation, _ = _read(study, folder)
            likelihood = _map(model, series, work / f"{name}.npz")
            judged.append(
                judge_scan(name, series, likelihood, annotation, is_comparable=is_comparable)
            )
            print(f"{name}: {len(judged[-1].truth)} candidates", flush=True)
    return judged


def _area_under_curve(scores: np.ndarray, truth: np.ndarray) -> float:
    positive = truth > 0
    count, others = positive.sum(), (~positive).sum()
    ranks = rankdata(scores)[positive].sum()
    return float((ranks - count * (count + 1) / 2) / (count * others))


def _describe_fit(scans: list[JudgedScan], threshold: float) -> dict[str, float]:
    marrow, is_unusual = left_out_marrow(scans)
    comparable = [s for s in scans if s.is_comparable and len(s.truth)]
    logits, truth = left_out_logits(comparable)
    parts = [np.arange(k, len(comparable), 5) for k in range(5)]
    peaks = np.concatenate(
        [
            np.array([c.peak for c in comparable[k].scan.candidates])[comparable[k].truth >= 0]
            for part in parts
            for k in part
        ]
    )
    return {
        "scans": len(comparable),
        "lesions": int(truth.sum()),
        "other candidates": int((truth == 0).sum()),
        "area under ROC, left out": _area_under_curve(logits, truth),
        "area under ROC of the plain likelihood": _area_under_curve(peaks, truth),
        "unusual marrow told, left out": float((marrow >= threshold)[is_unusual].mean()),
        "comparable scans told so, left out": float((marrow >= threshold)[~is_unusual].mean()),
    }


def _choose(
    results: list[tuple[DetectionResult, Truth, bool]], most_false: float
) -> tuple[OperatingPoint, list[dict[str, float]]]:
    settings = list(product(AREAS_CM2, THRESHOLDS))
    # By setting and scan: found, lesions, false findings.
    counts = np.zeros((len(settings), len(results), 3), dtype=int)
    for column, (result, truth, _) in enumerate(results):
        for row, (area, threshold) in enumerate(settings):
            point = replace(result.operating_point, threshold=threshold, min_area_cm2=area)
            outcome = score_scan("", result.at(point), truth)
            found = sum(x.is_found for x in outcome.lesions)
            counts[row, column] = found, len(outcome.lesions), outcome.false_findings
    is_normal = np.array([normal for *_, normal in results])
    rows = [
        {
            "threshold": float(threshold),
            "min_area_cm2": float(area),
            "tp_rate": float(own[:, 0].sum() / own[:, 1].sum()),
            "false_findings": float(own[~is_normal, 2].mean()),
            "normal_free": float((own[is_normal, 2] == 0).mean()) if is_normal.any() else 1.0,
        }
        for (area, threshold), own in zip(settings, counts, strict=True)
    ]
    best = _best_of(rows, most_false, int(counts[0, :, 1].sum()))
    print(json.dumps(best))
    return OperatingPoint(best["threshold"], best["min_area_cm2"], WEIGHT, gate=True), rows


def _best_of(rows: list[dict[str, float]], most_false: float, lesions: int) -> dict[str, float]:
    """Of those that find as many lesions, but for two, the one of the smallest least area.

    A larger one pays where bodies are large, and hides whatever lies in a cervical body.
    """
    fitting = [r for r in rows if r["false_findings"] <= most_false]
    if not fitting:
        raise SystemExit(f"No setting stays at {most_false} false findings a scan; allow more.")
    least_rate = max(r["tp_rate"] for r in fitting) - (2 + 1e-6) / lesions
    as_good = [r for r in fitting if r["tp_rate"] >= least_rate]
    return min(as_good, key=lambda r: (r["min_area_cm2"], -r["tp_rate"], r["false_findings"]))


def _figures(
    results: list[tuple[DetectionResult, Truth, bool]],
    point: OperatingPoint,
    rows: list[dict[str, float]],
) -> dict[str, object]:
    """At the chosen point, by regions in slices as every card has them, and by lesions."""
    own = next(
        r
        for r in rows
        if (r["threshold"], r["min_area_cm2"]) == (point.threshold, point.min_area_cm2)
    )
    cases = [
        FrocCase(str(number), ((result.plain, truth.annotation),))
        for number, (result, truth, _) in enumerate(results)
    ]
    rate, mean, total = froc_curve(cases, point).at(point.threshold)
    return {
        "measured_on": f"{len(results)} phantoms, on which the operating point was chosen",
        "tp_rate": rate,
        "fp_per_case_mean_over_slices": mean,
        "fp_per_scan": total,
        "lesions_found": own["tp_rate"],
        "false_findings_per_scan_with_lesions": own["false_findings"],
        "share_of_healthy_scans_without_findings": own["normal_free"],
    }


def main() -> None:
    """Fit, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--learn", type=Path, nargs="+", default=[])
    parser.add_argument("--choose", type=Path, nargs="+", required=True)
    parser.add_argument("--work", type=Path, default=Path("second-look-maps"))
    parser.add_argument("--false", type=float, default=0.5)
    parser.add_argument("--without", action="store_true", help="The point without a second look.")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model, card = load_model(options.model), load_card(options.model)
    model.second_look = None
    work = options.work / card.sha256[:12]
    look = fit = None
    if not options.without:
        scans = _judge(model, options.learn, work)
        look = fit_second_look(scans)
        fit = _describe_fit(scans, look.marrow_threshold)
        print(json.dumps(fit))
    results = []
    for root in options.choose:
        study = Study(root)
        for name, folder in _cases(root):
            series, annotation, facts = _read(study, folder)
            likelihood = _map(model, series, work / f"{name}.npz")
            if look is not None:
                judged = judge_scan(name, series, likelihood, annotation)
                likelihood = replace(likelihood, comparison=compare_candidates(judged.scan, look))
            point = OperatingPoint(0.5, 1.0, WEIGHT, gate=True)
            result = evaluate(likelihood, point)
            results.append((result, Truth(annotation, facts), not facts))
    point, rows = _choose(results, options.false)
    validation = _figures(results, point, rows)
    new_card = replace(
        card,
        operating_point=replace(point, second_look=look is not None),
        second_look=None if look is None else look.to_dict(),
        # What was measured at the former point says nothing of this one.
        metrics={
            **card.metrics,
            "validation": validation,
            **({} if fit is None else {"second look": fit}),
        },
    )
    save_model(model, options.out, new_card)
    options.out.with_suffix(".choice.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
