"""What adapting to a scanner gives, beside the model as it was and plain ways to adapt.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/adapting.py PART [MODEL] [--work DIR]``. Parts:
``water`` adapts to three water images and measures on two others; ``planted`` is the same with a
lesion in one of the three; ``tirm`` adapts to one TIRM and measures on the CC0 STIR. Each is also
measured on 30 phantoms as in life. Implants that are measured on are of the faceted family, which
no training draws. Adapted models stay in DIR: nothing that was made of these scans is shipped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from long_runs import folder_of, map_once, tell

from napari_spinemet.detection.engines import map_series
from napari_spinemet.detection.pipeline import DetectionResult, evaluate
from napari_spinemet.evaluation.lesion_scores import Truth, score_scan
from napari_spinemet.experiments.scanners.exam import SEED
from napari_spinemet.experiments.scanners.real_scans import REAL_SCANS
from napari_spinemet.imaging import Annotation, LikelihoodMap, OperatingPoint, SagittalSeries
from napari_spinemet.imaging.findings import mask_of_finding
from napari_spinemet.imaging.vertebra_levels import order_vertebrae
from napari_spinemet.jobs import JobContext
from napari_spinemet.network import ModelCard, SiameseNet, load_card, load_model, save_model
from napari_spinemet.network.card import weights_path
from napari_spinemet.phantom import implant_lesion, make_case
from napari_spinemet.phantom.implants.lesion_implant import FACETED, MODERATE
from napari_spinemet.phantom.lesion import describe_lesions
from napari_spinemet.workflows.adaptation.found_vertebrae import find_vertebrae
from napari_spinemet.workflows.adaptation.mimics import mask_of_rejected
from napari_spinemet.workflows.adaptation.normalisation import with_own_statistics
from napari_spinemet.workflows.adaptation.own_scan import OwnScan
from napari_spinemet.workflows.adaptation.plan import AdaptationPlan
from napari_spinemet.workflows.adaptation.run import DOUBTFUL, DOUBTFUL_CM2, adapt_network

CONTOURS = Path(__file__).resolve().parents[1] / "tests" / "real" / "lspine_vertebrae.zip"
WATER = ("water_vb3_01", "water_vb3_06", "water_vb3_11"), ("water_vb3_16", "water_vb3_22")
PARTS = {
    "water": WATER,
    "planted": WATER,
    "tirm": (("tirm_vb1_03",), ("lspine_stir_cc0",)),
}
"""Which scans are adapted to, and which are measured on."""
COPIES = 8
PHANTOMS = 30


@dataclass(frozen=True, eq=False)
class Item:
    """One scan that is measured on."""

    kind: str
    name: str
    series: SagittalSeries
    truth: Truth


def _real(name: str) -> tuple[SagittalSeries, Annotation, tuple[int, ...]]:
    scan = next(scan for scan in REAL_SCANS if scan.name == name)
    series, annotation = scan.read(Path(os.environ["SPINEMET_REAL_DATA"]), CONTOURS)
    return series, annotation, scan.ignored_labels


def _items(names: Sequence[str], phantoms: int) -> list[Item]:
    items = []
    for name in names:
        series, annotation, ignored = _real(name)
        items.append(Item("scans", name, series, Truth(annotation, (), ignored)))
        labels = [k for k in order_vertebrae(annotation.vertebrae) if k not in ignored]
        for number in range(COPIES):
            rng = np.random.default_rng((SEED, 27, number, len(name)))
            contrast = MODERATE[0] + (MODERATE[1] - MODERATE[0]) * (number + 0.5) / COPIES
            copy, own, implant = implant_lesion(
                series,
                annotation,
                labels[number % len(labels)],
                rng,
                contrast=contrast,
                family=FACETED,
            )
            facts = [{"level": implant.level, "contrast": contrast}]
            truth = Truth(own, facts, ignored)
            items.append(Item("implants", f"{name}-{number + 1}", copy, truth))
    for number in range(phantoms):
        case = make_case((SEED, 1, number))
        truth = Truth(case.annotation, describe_lesions(case.lesions))
        items.append(Item("phantoms", f"fresh-{number + 1:02d}", case.series, truth))
    return items


def _results(items: Sequence[Item], model: SiameseNet, folder: Path) -> list[DetectionResult]:
    kept, point = folder_of(model, folder), OperatingPoint(0.5, 1.0, 0.6, gate=True)
    return [
        evaluate(map_once(item.series, model, kept / f"{item.name}.npz"), point) for item in items
    ]


def _row(
    name: str, items: Sequence[Item], results: Sequence[DetectionResult], point: OperatingPoint
) -> dict[str, object]:
    row: dict[str, object] = {"name": name, "point": point.to_dict()}
    for kind in ("scans", "implants", "phantoms"):
        outcomes = [
            score_scan(item.name, result.at(point), item.truth)
            for item, result in zip(items, results, strict=True)
            if item.kind == kind
        ]
        lesions = [lesion for outcome in outcomes for lesion in outcome.lesions]
        row[kind] = {
            "found": f"{sum(lesion.is_found for lesion in lesions)} of {len(lesions)}",
            "false": [outcome.false_findings for outcome in outcomes],
        }
    print(json.dumps(row), flush=True)
    return row


def _own_scans(
    names: Sequence[str], model: SiameseNet, *, plants: bool
) -> tuple[list[OwnScan], Truth | None]:
    scans, planted = [], None
    for number, name in enumerate(names):
        series, annotation, ignored = _real(name)
        if plants and number == 1:
            label = order_vertebrae(annotation.vertebrae)[2]
            rng = np.random.default_rng((SEED, 28))
            series, own, _ = implant_lesion(
                series, annotation, label, rng, contrast=0.7, family=FACETED
            )
            planted = Truth(own, [{}])
        plain = map_series(series, model)
        own_scan = OwnScan(name, series, find_vertebrae(series, plain, name))
        if len(names) == 1:
            # It cannot be compared with others: what is marked is judged by a person, as normal
            # but in the bodies that nobody can vouch for.
            own_scan = _judged(own_scan, plain, annotation, ignored)
        scans.append(own_scan)
    return scans, planted


def _judged(
    scan: OwnScan, plain: LikelihoodMap, annotation: Annotation, ignored: Sequence[int]
) -> OwnScan:
    point = OperatingPoint(DOUBTFUL, DOUBTFUL_CM2, 0.6, gate=True)
    doubtful = np.isin(annotation.vertebrae, ignored)
    findings = [
        finding
        for finding in evaluate(plain, point).findings
        if not (mask_of_finding(finding, scan.series) & doubtful).any()
    ]
    own = replace(scan.annotation, mimics=mask_of_rejected(findings, scan.series))
    return replace(scan, annotation=own, rejected={f.centre_mm: "other" for f in findings})


def main() -> None:
    """Adapt, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=tuple(PARTS))
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--work", type=Path, default=Path("adapting"))
    parser.add_argument("--phantoms", type=int, default=PHANTOMS)
    parser.add_argument("--minutes", type=float)
    options = parser.parse_args()
    model, card = load_model(options.model), load_card(options.model)
    own_names, other_names = PARTS[options.part]
    work = options.work / f"{options.part}-{card.sha256[:12]}"
    items = _items(other_names, options.phantoms)
    scans, planted = _own_scans(own_names, model, plants=options.part == "planted")
    before = _results(items, model, work / "before")
    rows = [_row("before", items, before, card.operating_point)]
    start_time = time.perf_counter()
    adaptation = adapt_network(
        scans,
        model,
        card.operating_point,
        AdaptationPlan(minutes=options.minutes),
        states=work / "states",
        resume=True,
        job=JobContext.of(tell, None),
    )
    print(f"adapted in {(time.perf_counter() - start_time) / 60:.1f} min", flush=True)
    for each in adaptation.stands_out:
        print("stands out:", each.scan, each.place, each.finding.evidence, flush=True)
    for score in adaptation.scores:
        print(json.dumps(score.to_dict()), flush=True)
    network = adaptation.training.model
    adapted_card = replace(ModelCard(name="adapted"), operating_point=adaptation.point)
    save_model(network, work / "adapted.safetensors", adapted_card)
    alone = adaptation.scores[1].point
    rows.append(_row("operating point alone", items, before, alone))
    rows.append(_row("adapted", items, _results(items, network, work / "after"), adaptation.point))
    if options.part == "water":
        restated = with_own_statistics(scans, model)
        results = _results(items, restated, work / "statistics")
        rows.append(_row("own statistics", items, results, card.operating_point))
    if planted is not None:
        result = evaluate(map_series(scans[1].series, network), adaptation.point)
        outcome = score_scan(own_names[1], result, planted)
        print("planted lesion found after:", outcome.lesions[0].is_found, flush=True)
    (work / "rows.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(weights_path(options.model))


if __name__ == "__main__":
    main()
