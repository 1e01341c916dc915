"""How familiar scans are to a model: fitted on some phantoms, and tried on others and real scans.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/familiarity.py WORK [MODEL] fit|exam [--write]``.
``fit`` learns from phantoms as in life and from phantoms of drawn contrasts, on which it counts
false findings at the model's own point; ``--write`` puts what it found onto the model's card.
``exam`` prints, over 60 other drawn contrasts and all real scans, the area under the ROC of the
score against more than one false finding, and which scans are flagged, 30 phantoms as in life and a
head among them. Maps are kept in WORK.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from long_runs import map_once

from napari_spinemet.atomic_files import write_text
from napari_spinemet.detection.comparison.appearance import FEATURES, MarkRule, measure_appearance
from napari_spinemet.detection.comparison.bodies import find_bodies
from napari_spinemet.detection.comparison.familiarity import FamiliarityModel
from napari_spinemet.detection.comparison.scan_view import ScanView
from napari_spinemet.detection.comparison.second_look import LEAST_BODIES
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.evaluation.lesion_scores import Truth, score_scan
from napari_spinemet.experiments.scanners.exam import SEED as EXAM_SEED
from napari_spinemet.experiments.scanners.real_scans import REAL_SCANS
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.likelihood import Familiarity
from napari_spinemet.network import ModelCard, load_card, load_model
from napari_spinemet.network.card import weights_path
from napari_spinemet.phantom import make_case
from napari_spinemet.phantom.lesion import describe_lesions

SEED = 27_100
CONTOURS = Path(__file__).resolve().parents[1] / "tests" / "real" / "lspine_vertebrae.zip"
FIT = {"life": 60, "contrasts": 120}
EXAM = {"fresh": 30, "others": 60}
KINDS = {"life": 1, "contrasts": 2, "others": 3}
FOLDS = 6
_CROWN_MM = 70.0
"""Of a phantom of the neck, from the top: skull and the two or three uppermost bodies."""


@dataclass(frozen=True, eq=False)
class Row:
    """What is known of one scan."""

    part: str
    name: str
    features: np.ndarray | None
    false_findings: int
    findings: int
    is_meant: bool = True

    @property
    def failed(self) -> bool:
        """Whether there is more than one false finding."""
        return self.false_findings > 1


Item = tuple[str, str]
"""Part and name of a scan."""


def _items(counts: dict[str, int]) -> list[Item]:
    return [(part, f"{k + 1:03d}") for part, number in counts.items() for k in range(number)]


def _make(part: str, name: str) -> tuple[SagittalSeries, Truth]:
    if part == "real":
        scan = next(scan for scan in REAL_SCANS if scan.name == name)
        series, annotation = scan.read(Path(os.environ["SPINEMET_REAL_DATA"]), CONTOURS)
        return series, Truth(annotation, (), scan.ignored_labels)
    if part == "head":
        return _head()
    number = int(name) - 1
    if part == "fresh":
        case = make_case((EXAM_SEED, 1, number))
    else:
        variety = "evaluation" if part == "life" else "agnostic"
        seed, has_lesions = (SEED, KINDS[part], number), number % 3 != 2
        case = make_case(seed, has_lesions=has_lesions, variety=variety)
    return case.series, Truth(case.annotation, describe_lesions(case.lesions))


def _head() -> tuple[SagittalSeries, Truth]:
    """The uppermost part of a phantom of the neck."""
    cases = (make_case((SEED, 4, number), has_lesions=False) for number in count())
    series = next(case.series for case in cases if case.region == "cervical")
    voxels = np.ascontiguousarray(series.voxels[:, : round(_CROWN_MM / series.spacing_mm[1])])
    nothing = np.zeros(voxels.shape, dtype=np.uint16)
    return replace(series, voxels=voxels), Truth(Annotation(nothing, nothing.copy()), ())


def _measure(item: Item, model_name: str, work: Path) -> Row:
    torch.set_num_threads(1)  # a scan a core
    part, name = item
    card = load_card(model_name)
    series, truth = _make(part, name)
    path = work / card.sha256[:12] / part / f"{name}.npz"
    plain = map_once(series, load_model(model_name), path)
    bodies = find_bodies(plain)
    features = None
    if bodies is not None and len(bodies) >= LEAST_BODIES:
        features = measure_appearance(ScanView.of(series, plain, bodies), _rule_of(card))
    result = evaluate(plain, card.operating_point)
    is_meant = all(note.code != "not-for-detection" for note in series.warnings)
    false_findings = score_scan(name, result, truth).false_findings
    return Row(part, name, features, false_findings, len(result.findings), is_meant)


def _rule_of(card: ModelCard) -> MarkRule:
    return MarkRule(card.operating_point.threshold, card.operating_point.min_area_cm2)


def _rows(step: str, items: list[Item], model_name: str, work: Path) -> list[Row]:
    rows = []
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        measure = partial(_measure, model_name=model_name, work=work)
        for row in pool.map(measure, items):
            print(row.part, row.name, row.false_findings, row.findings, flush=True)
            rows.append(row)
    kept = [
        {**vars(row), "features": None if row.features is None else row.features.tolist()}
        for row in rows
    ]
    (work / f"rows-{step}.json").write_text(json.dumps(kept) + "\n")
    return rows


def area_under_roc(scores: np.ndarray, failed: np.ndarray) -> float:
    """How often a failure scores higher than a success, ties counting half."""
    ahead = scores[failed][:, None] - scores[~failed]
    return float((ahead > 0).mean() + 0.5 * (ahead == 0).mean())


def _fit(rows: list[Row], rule: MarkRule) -> FamiliarityModel:
    measured = [row for row in rows if row.features is not None]
    known = np.array([row.features for row in measured if row.part == "life"])
    return FamiliarityModel.fit(
        known,
        np.array([row.features for row in measured]),
        np.array([row.failed for row in measured]),
        rule,
    )


def _fit_and_tell(rows: list[Row], rule: MarkRule) -> FamiliarityModel:
    """With scores of scans that were left out, in folds."""
    left_out: list[tuple[Row, Familiarity]] = []
    for fold in range(FOLDS):
        model = _fit([row for k, row in enumerate(rows) if k % FOLDS != fold], rule)
        left_out += [(row, model.judge(row.features)) for row in rows[fold::FOLDS]]
    _tell(left_out)
    return _fit(rows, rule)


def _tell(judged: list[tuple[Row, Familiarity]]) -> None:
    for part in dict.fromkeys(row.part for row, _ in judged):
        own = [(row, familiarity) for row, familiarity in judged if row.part == part]
        print(
            f"{part}: {sum(f.unfamiliar for _, f in own)} of {len(own)} flagged, "
            f"{sum(row.failed for row, _ in own)} with more than one false finding, "
            f"{sum(row.failed and f.unfamiliar for row, f in own)} of these flagged"
        )
    scores = np.array([familiarity.score for _, familiarity in judged])
    failed = np.array([row.failed for row, _ in judged])
    if failed.any() and not failed.all():
        area = area_under_roc(scores, failed)
        print(f"AUC of the score against more than one false finding: {area:.3f}")


def main() -> None:
    """Fit or try."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("step", choices=("fit", "exam"))
    parser.add_argument("--write", action="store_true", help="put it onto the card")
    options = parser.parse_args()
    card = load_card(options.model)
    if options.step == "fit":
        rows = _rows("fit", _items(FIT), options.model, options.work)
        model = _fit_and_tell(rows, _rule_of(card))
        names = [feature.name for feature in FEATURES if feature.is_risk]
        for name, weight in zip(names, model.risk.weights, strict=True):
            print(f"{name}: {weight:+.2f}")
        values = model.to_dict()
        (options.work / "familiarity.json").write_text(json.dumps(values) + "\n")
        if options.write:
            path = weights_path(options.model).with_suffix(".json")
            write_text(path, replace(card, familiarity=values).to_json())
        return
    others = [*(("real", scan.name) for scan in REAL_SCANS), ("head", "crown of a phantom")]
    rows = _rows("exam", _items(EXAM) + others, options.model, options.work)
    kept = options.work / "familiarity.json"
    values = card.familiarity or json.loads(kept.read_text())
    model = FamiliarityModel.of_card(values)
    judged = [(row, model.judge(row.features, is_meant=row.is_meant)) for row in rows]
    for row, familiarity in judged:
        if row.part in ("real", "head"):
            print(row.name, row.false_findings, familiarity.text, familiarity.reason)
    _tell([each for each in judged if each[0].part in ("real", "others")])
    _tell([each for each in judged if each[0].part == "fresh"])


if __name__ == "__main__":
    main()
