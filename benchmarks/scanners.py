"""The exam of a model: real scans of other scanners, implants in them, and sets of phantoms.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/scanners.py [MODEL] [--work DIR] [--share 0.2]``.
The model runs at the operating point of its own card, unless ``--second-look``, ``--threshold`` or
``--area`` say otherwise; maps are kept, so that another point takes minutes. Results are kept scan
by scan in the folder, and a run that was cut goes on. What each part is stands in
``napari_spinemet/experiments/scanners/exam.py``; the table goes to standard output and, with all
outcomes, into the folder. Nothing is trained or chosen on these scans: what is, is no longer
measured by them. ``--share`` runs so much of each part, for a first look; ``--write`` puts figures
of a whole exam onto the card beside the weights.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from napari_spinemet.atomic_files import write_text
from napari_spinemet.detection.map_settings import MapSettings
from napari_spinemet.evaluation.lesion_scores import Tally
from napari_spinemet.experiments.scanners.exam import ExamPlan, as_plain_data, run_exam
from napari_spinemet.experiments.scanners.table import exam_page
from napari_spinemet.jobs import Event, JobContext, Progressed
from napari_spinemet.network import ModelCard, load_card, load_model
from napari_spinemet.network.card import weights_path

CONTOURS = Path(__file__).resolve().parents[1] / "tests" / "real" / "lspine_vertebrae.zip"
ON_THE_CARD = {
    "frozen": "30 phantoms of the second generator, whose hashes are kept",
    "fresh": "30 phantoms as in life, with those of diffuse marrow",
    "normal": "30 phantoms without a lesion",
    "implants TIRM": "30 copies of a real TIRM with implants",
    "implants water": "30 copies of five real water images with implants",
}
"""Parts that the card has, and what it says that they are."""


def _plan(share: float) -> ExamPlan:
    whole = asdict(ExamPlan())
    counts = {name: max(1, round(share * n)) for name, n in whole.items() if isinstance(n, int)}
    return ExamPlan(**counts, implant_share=share)


def _tell(event: Event) -> None:
    if isinstance(event, Progressed):
        print(f"{event.done} of {event.total}: {event.message}", flush=True)


def _figures(tally: Tally) -> dict[str, Any]:
    """What the card keeps of a part."""
    figures: dict[str, Any] = {"measured_on": ON_THE_CARD[tally.name]}
    if tally.lesions:
        found = tally.sensitivity()
        figures |= {"lesions_found": found.value, "lesions": found.of}
    return figures | {"false_findings_per_scan": tally.false_findings}


def _write_card(model: str, card: ModelCard, tallies: list[Tally]) -> None:
    figures = {
        "exam_" + tally.name.lower().replace(" ", "_"): _figures(tally)
        for tally in tallies
        if tally.name in ON_THE_CARD
    }
    text = replace(card, metrics={**card.metrics, **figures}).to_json()
    write_text(weights_path(model).with_suffix(".json"), text)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--work", type=Path, default=Path("scanner-exam"))
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--columns", default="spine")
    parser.add_argument("--second-look", action=argparse.BooleanOptionalAction)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--area", type=float, help="Least, in cm².")
    parser.add_argument("--write", action="store_true", help="Onto the card of the model.")
    options = parser.parse_args()
    card = load_card(options.model)
    others = {
        "second_look": options.second_look,
        "threshold": options.threshold,
        "min_area_cm2": options.area,
    }
    settings = {name: value for name, value in others.items() if value is not None}
    point = replace(card.operating_point, **settings)
    real = os.environ.get("SPINEMET_REAL_DATA")
    if options.write and (settings or options.share != 1 or real is None):
        parser.error("--write takes the whole exam, with real scans, at the card's own point.")
    tallies = run_exam(
        load_model(options.model),
        card.identity,
        point,
        options.work,
        data=Path(real) if real else None,
        contours=CONTOURS,
        plan=_plan(options.share),
        settings=MapSettings(columns=options.columns),
        job=JobContext.of(_tell, None),
    )
    page = exam_page(tallies)
    name = "-".join([card.identity.replace("@", "-"), *map(str, settings.values())])
    (options.work / f"{name}.md").write_text(page, encoding="utf-8")
    text = json.dumps(as_plain_data(tallies), indent=1) + "\n"
    (options.work / f"{name}.json").write_text(text, encoding="utf-8")
    print(page)
    if options.write:
        _write_card(options.model, card, tallies)


if __name__ == "__main__":
    main()
