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
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from long_runs import map_once
from scipy.stats import rankdata

from napari_spinemet.detection.comparison.second_look import compare_candidates
from napari_spinemet.evaluation.froc import froc_curve
from napari_spinemet.evaluation.lesion_scores import Truth
from napari_spinemet.imaging import (
    Annotation,
    FrocCase,
    OperatingPoint,
    SagittalSeries,
)
from napari_spinemet.network import SiameseNet, load_card, load_model, save_model
from napari_spinemet.study import Study
from napari_spinemet.workflows.operating_points.by_findings import (
    PointOutcome,
    TrialScan,
    best_outcome,
    count_trials,
    point_of,
)
from napari_spinemet.workflows.study_training.second_look_fit import (
    JudgedScan,
    fit_second_look,
    judge_scan,
    left_out_logits,
    left_out_marrow,
)

WEIGHT = 0.6

Case = tuple[str, SagittalSeries, Annotation, list[dict[str, object]], str]


def _cases(root: Path) -> list[tuple[str, Path]]:
    return [(f"{root.name}-{p.parent.name}", p.parent) for p in sorted(root.glob("*/case.json"))]


def _read(study: Study, folder: Path) -> tuple[SagittalSeries, Annotation, list[dict[str, object]]]:
    case = study.case(folder.name)
    series = case.series()
    facts = json.loads((folder / "case.json").read_text(encoding="utf-8"))["lesions"]
    return series, case.annotation(series), facts


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
            likelihood = map_once(series, model, work / f"{name}.npz")
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


def _figures(
    scans: list[TrialScan], outcome: PointOutcome, point: OperatingPoint
) -> dict[str, object]:
    """At the chosen point, by regions in slices as every card has them, and by lesions."""
    cases = [
        FrocCase(str(number), ((scan.plain, scan.truth.annotation),))
        for number, scan in enumerate(scans)
    ]
    rate, mean, total = froc_curve(cases, point).at(point.threshold)
    return {
        "measured_on": f"{len(scans)} phantoms, on which the operating point was chosen",
        "tp_rate": rate,
        "fp_per_case_mean_over_slices": mean,
        "fp_per_scan": total,
        "lesions_found": outcome.tp_rate,
        "false_findings_per_scan_with_lesions": outcome.false_findings,
        "share_of_healthy_scans_without_findings": outcome.healthy_free,
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
    trials = []
    for root in options.choose:
        study = Study(root)
        for name, folder in _cases(root):
            series, annotation, facts = _read(study, folder)
            likelihood = map_once(series, model, work / f"{name}.npz")
            if look is not None:
                judged = judge_scan(name, series, likelihood, annotation)
                likelihood = replace(likelihood, comparison=compare_candidates(judged.scan, look))
            trials.append(TrialScan(likelihood, Truth(annotation, facts)))
    like = OperatingPoint(0.5, 1.0, WEIGHT, gate=True)
    outcomes = count_trials(trials, like).outcomes()
    best = best_outcome(outcomes, options.false)
    if best.false_findings > options.false:
        raise SystemExit(f"No setting stays at {options.false} false findings a scan; allow more.")
    print(json.dumps(asdict(best)))
    point = point_of(best, like)
    validation = _figures(trials, best, point)
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
    options.out.with_suffix(".choice.json").write_text(
        json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
