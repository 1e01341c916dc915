"""How familiar scans are to a model: fitted on some phantoms, and tried on others and real scans.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/familiarity.py WORK [MODEL] fit|exam [--write]``.
``fit`` learns from phantoms as in life and from phantoms of drawn contrasts, on which it counts
false findings at the model's own point; ``--write`` puts what it found onto the model's card.
``exam`` prints, over 60 other drawn contrasts and all real scans, the area under the ROC of the
score against more than one false finding, and which scans are flagged. Maps are kept in WORK.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from napari_spinemet.detection.comparison.appearance import FEATURES, measure_appearance
from napari_spinemet.detection.comparison.bodies import find_bodies
from napari_spinemet.detection.comparison.scan_view import ScanView
from napari_spinemet.detection.engines import map_series
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.evaluation.lesion_scores import Truth, score_scan
from napari_spinemet.experiments.scanners.exam import SEED as EXAM_SEED
from napari_spinemet.experiments.scanners.real_scans import REAL_SCANS
from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.network import load_card, load_model
from napari_spinemet.phantom import make_case
from napari_spinemet.phantom.lesion import describe_lesions
from napari_spinemet.study.likelihood_maps import load_likelihood_map, save_likelihood_map

SEED = 27_100
CONTOURS = Path(__file__).resolve().parents[1] / "tests" / "real" / "lspine_vertebrae.zip"
FIT = {"life": 60, "contrasts": 120}
EXAM = {"fresh": 30, "others": 60}


@dataclass(frozen=True)
class Row:
    """What is known of one scan."""

    part: str
    name: str
    features: list[float] | None
    false_findings: int
    findings: int


Item = tuple[str, str, Callable[[], tuple[SagittalSeries, Truth]]]


def _phantoms(part: str, count: int) -> Iterator[Item]:
    for number in range(count):

        def make(number: int = number) -> tuple[SagittalSeries, Truth]:
            is_healthy = number % 3 == 2
            case = {
                "life": lambda: make_case((SEED, 1, number), has_lesions=not is_healthy),
                "contrasts": lambda: make_case(
                    (SEED, 2, number), variety="agnostic", has_lesions=not is_healthy
                ),
                "others": lambda: make_case(
                    (SEED, 3, number), variety="agnostic", has_lesions=not is_healthy
                ),
                "fresh": lambda: make_case((EXAM_SEED, 1, number)),
            }[part]()
            return case.series, Truth(case.annotation, describe_lesions(case.lesions))

        yield part, f"{number + 1:03d}", make


def _real() -> Iterator[Item]:
    data = Path(os.environ["SPINEMET_REAL_DATA"])
    for scan in REAL_SCANS:

        def make(scan=scan):  # type: ignore[no-untyped-def]
            series, annotation = scan.read(data, CONTOURS)
            return series, Truth(annotation, (), scan.ignored_labels)

        yield "real", scan.name, make


def _rows(items: Iterator[Item], model_name: str, work: Path) -> list[Row]:
    model, card = load_model(model_name), load_card(model_name)
    folder, rows = work / card.sha256[:12], []
    for part, name, make in items:
        path = folder / part / f"{name}.json"
        if not path.is_file():
            series, truth = make()
            map_path = folder / part / f"{name}.npz"
            plain = load_likelihood_map(map_path)
            if plain is None:
                plain = map_series(series, model)
                save_likelihood_map(plain, map_path)
            bodies = find_bodies(plain)
            features = None
            if bodies is not None and len(bodies) >= 3:
                features = measure_appearance(ScanView.of(series, plain, bodies)).tolist()
            result = evaluate(plain, card.operating_point)
            outcome = score_scan(name, result, truth)
            row = Row(part, name, features, outcome.false_findings, len(result.findings))
            path.write_text(json.dumps(asdict(row)) + "\n")
        rows.append(Row(**json.loads(path.read_text())))
        print(rows[-1].part, rows[-1].name, rows[-1].false_findings, flush=True)
    return rows


def main() -> None:
    """Fit or try."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("step", choices=("fit", "exam"))
    options = parser.parse_args()
    counts = FIT if options.step == "fit" else EXAM
    items = [item for part, count in counts.items() for item in _phantoms(part, count)]
    if options.step == "exam":
        items += list(_real())
    rows = _rows(iter(items), options.model, options.work)
    for index, feature in enumerate(FEATURES):
        values = [r.features[index] for r in rows if r.features]
        print(f"{feature.name}: {np.mean(values):.3f} ± {np.std(values):.3f}")


if __name__ == "__main__":
    main()
