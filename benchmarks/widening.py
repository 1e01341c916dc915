"""What widening the training cohort, the local z-score and its mistakes do on real anatomy.

Run: ``SPINEMET_REAL_DATA=... python benchmarks/widening.py [--work DIR] [--only NAME ...]``.
Networks that differ in one thing: the variety of the phantoms they learn from, each drawn wider
than the one before, or half as in life and half the widest; the window of the z-score; or whether
more is drawn of what the network mistakes for a lesion. The same seeds, number of cases, batches
and validation cases for all. Each is judged as the shipped model is (``shipped.py``), by phantoms
of a seed of their own and the same implants in the real series, and besides by phantoms far wider
than life. ``shipped`` is the shipped model beside them. What is trained already is not trained
again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from shipped import evaluate_model, measure

from napari_spinemet.jobs.allocator import keep_freed_memory
from napari_spinemet.phantom import make_cohort
from napari_spinemet.study import Study
from napari_spinemet.training import TrainingConfig
from napari_spinemet.workflows.map_source import MapSource
from napari_spinemet.workflows.study_training import StudyTraining, train_study

CASES, VALIDATION = 60, 12
SEED, VALIDATION_SEED, TEST_SEED = 7201, 7202, 7203
WIDE_CASES, WIDE_SEED = 20, 7206
WHOLE_SLICE_MM = 10_000.0
NETWORKS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "evaluation": (("evaluation",), {}),
    "tissues": (("tissues",), {}),
    "tissues-scanner": (("tissues-scanner",), {}),
    "training": (("training",), {}),
    "mixed": (("evaluation", "training"), {}),
    "training-slice": (("training",), {"zscore_sigma_mm": WHOLE_SLICE_MM}),
    "training-10mm": (("training",), {"zscore_sigma_mm": 10.0}),
    "training-40mm": (("training",), {"zscore_sigma_mm": 40.0}),
    "training-no-mistakes": (("training",), {"mistaken_share": 0.0}),
}
"""Varieties of the phantoms, with as many cases of each, and what differs from the defaults."""


def train_network(name: str, work: Path, epochs: int, batches: int) -> Path:
    """The model of that name and length, trained unless it is there."""
    varieties, changes = NETWORKS[name]
    path = work / f"{name}-{epochs}x{batches}.safetensors"
    if not path.is_file():
        share = CASES // len(varieties)
        studies = [work / f"cohort-{variety}-{share}" for variety in varieties]
        for number, (study, variety) in enumerate(zip(studies, varieties, strict=True)):
            # Half a cohort of each variety: not the same patients twice.
            make_cohort(study, share, seed=SEED + 10 * number, variety=variety, generator=2)
        validation = work / "validation"
        make_cohort(validation, VALIDATION, seed=VALIDATION_SEED, generator=2)
        config = TrainingConfig(epochs=epochs, batches_per_epoch=batches, looks=2, **changes)
        task = StudyTraining(
            studies[0],
            name,
            further_studies=tuple(studies[1:]),
            validation_study=validation,
            model_path=path,
        )
        train_study(task, config)
    return path


def judge_on_far_wider(model: str, work: Path) -> dict[str, Any]:
    """Figures of a model on phantoms as the widest variety draws them."""
    wide = work / f"phantoms-wide-{WIDE_SEED}"
    make_cohort(wide, WIDE_CASES, seed=WIDE_SEED, variety="training", generator=2)
    return evaluate_model(Study(wide), MapSource.of_model(model))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("widening-benchmark"))
    parser.add_argument("--only", nargs="*", choices=[*NETWORKS, "shipped"], default=list(NETWORKS))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batches", type=int, default=100)
    options = parser.parse_args()
    keep_freed_memory()
    print(
        "| network | phantoms: TP rate at 1 FP per scan | at its own point | far wider ones: at 1, "
        "2 FP | at its own point | implants: at 1, 2 FP | at its own point | the real scan: "
        "findings |"
    )
    print("|---" * 8 + "|", flush=True)
    for name in options.only:
        if name == "shipped":
            model = "default"
        else:
            model = str(train_network(name, options.work, options.epochs, options.batches))
        _, figures = measure(model, options.work, TEST_SEED)
        a, b = figures["unseen_phantoms"], figures.get("implants")
        w = judge_on_far_wider(model, options.work)
        cells = [
            name,
            f"{a['tp_rate_at_1_fp_per_scan']:.3f}",
            f"{a['tp_rate']:.3f} at {a['fp_per_scan']:.2f}",
            f"{w['tp_rate_at_1_fp_per_scan']:.3f}, {w['tp_rate_at_2_fp_per_scan']:.3f}",
            f"{w['tp_rate']:.3f} at {w['fp_per_scan']:.2f}",
        ]
        if b is not None:
            cells += [
                f"{b['tp_rate_at_1_fp_per_scan']:.3f}, {b['tp_rate_at_2_fp_per_scan']:.3f}",
                f"{b['tp_rate']:.3f} at {b['fp_per_scan']:.2f}",
                str(figures["real_scan"]["findings"]),
            ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
