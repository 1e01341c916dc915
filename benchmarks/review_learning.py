"""What a model learns from ten reviewed cases of a mimic that it has not met.

Run: ``python benchmarks/review_learning.py [MODEL] [--work DIR]``. Phantoms as in life get rings in
two healthy bodies each: bright, with a core as dark as marrow, which no tissue of the generator
has. Ten of them are detected on and judged by the truth: marks at rings are rejected, marks at
lesions accepted, and lesions that were missed are drawn. Then one press of *Learn from my review*
(``adapt_study``), and twenty others, whose patients and rings are new, are measured before and
after.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from long_runs import folder_of, map_once, tell
from scipy import ndimage

from napari_spinemet.detection.engines import map_series
from napari_spinemet.detection.pipeline import DetectionResult, evaluate
from napari_spinemet.evaluation.lesion_scores import DISTANCE_MM, Truth, score_scan
from napari_spinemet.imaging import Annotation, Finding, OperatingPoint, SagittalSeries
from napari_spinemet.imaging.findings import mask_of_finding
from napari_spinemet.imaging.vertebra_levels import order_vertebrae
from napari_spinemet.jobs import JobContext
from napari_spinemet.network import SiameseNet, load_card, load_model
from napari_spinemet.phantom import make_case
from napari_spinemet.phantom.case import PhantomImage
from napari_spinemet.phantom.implants.body_frame import (
    find_body_frame,
    measure_fluid,
    measure_marrow,
)
from napari_spinemet.phantom.implants.cohort import to_int16
from napari_spinemet.phantom.lesion import describe_lesions
from napari_spinemet.phantom.writing import write_case
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.adaptation import StudyAdaptation, adapt_study

SEED = 27_500
RINGS = 2
INNER_MM, OUTER_MM = (2.5, 4.0), (7.0, 9.5)
CONTRAST = (0.7, 1.0)
"""Of the way from marrow to fluid."""


@dataclass(frozen=True, eq=False)
class RingCase:
    """A phantom with rings."""

    name: str
    series: SagittalSeries
    truth: Truth
    rings: np.ndarray
    """bool ``(slice, row, column)``."""


def make_ring_case(number: int) -> RingCase:
    """One patient: the same number gives the same.

    Parameters
    ----------
    number : int
        From 0.
    """
    case = make_case((SEED, number), burden="localised")
    rng = np.random.default_rng((SEED, number, 1))
    series, annotation = case.series, case.annotation
    voxels, rings = series.voxels.copy(), np.zeros(series.shape, dtype=bool)
    healthy = [
        label
        for label in order_vertebrae(annotation.vertebrae)
        if not annotation.lesions[annotation.vertebrae == label].any()
        and (annotation.vertebrae == label).sum(axis=(1, 2)).max() * np.prod(series.spacing_mm[1:])
        > 300
    ]
    for label in rng.permutation(healthy)[:RINGS]:
        _draw_ring(voxels, rings, series, annotation, int(label), rng)
    truth = Truth(annotation, describe_lesions(case.lesions))
    series = replace(series, voxels=voxels, series_uid=f"2.25.{SEED}{number:04d}")
    return RingCase(f"case-{number + 1:03d}", series, truth, rings)


def _draw_ring(
    voxels: np.ndarray,
    rings: np.ndarray,
    series: SagittalSeries,
    annotation: Annotation,
    label: int,
    rng: np.random.Generator,
) -> None:
    frame = find_body_frame(annotation.vertebrae, label, series.spacing_mm)
    marrow = measure_marrow(series, annotation, frame)
    fluid = max(measure_fluid(series, frame), 1.5 * marrow)
    centre = np.argwhere(frame.mask).mean(axis=0) * series.spacing_mm
    axes = [
        np.arange(n) * mm - c
        for n, mm, c in zip(series.shape, series.spacing_mm, centre, strict=True)
    ]
    distance = np.sqrt(
        axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None] ** 2
    )
    inner, outer = rng.uniform(*INNER_MM), rng.uniform(*OUTER_MM)
    shell = ((distance > inner) & (distance < outer) & frame.mask).astype(np.float32)
    _, row_mm, column_mm = series.spacing_mm
    soft = ndimage.gaussian_filter(shell, (0, 0.6 / row_mm, 0.6 / column_mm))
    target = marrow + rng.uniform(*CONTRAST) * (fluid - marrow)
    coarse = ndimage.gaussian_filter(voxels, (0, 1.5 / row_mm, 1.5 / column_mm))
    voxels += soft * (target - coarse)
    rings |= (distance < outer) & frame.mask


def _is_at(finding: Finding, mask: np.ndarray, series: SagittalSeries) -> bool:
    return bool((mask_of_finding(finding, series) & mask).any())


def _judge(study: Study, case: RingCase, model: SiameseNet, identity: str, card: str) -> None:
    """As a reader would who knows the truth."""
    own, point = study.case(case.name), load_card().operating_point
    series = own.series()
    plain = replace(map_series(series, model), model=identity)
    study.save_likelihood_map(own, MapIdentity.of_model(identity), plain)
    result = evaluate(plain, point)
    name = identity.split("@")[0]
    settings = {**point.to_dict(), "columns": "spine"}
    own.save_run(series, (identity, name, card), settings, result.findings, result.seconds)
    lesions = case.truth.annotation.lesions
    drawn = np.zeros_like(lesions)
    outcome = score_scan("", result, case.truth)
    for label, lesion in enumerate(outcome.lesions, 1):
        if not lesion.is_found:
            drawn[lesions == label] = label
    if drawn.any():
        annotation = Annotation(drawn, np.zeros_like(drawn), holds=("lesions",))
        own.save_annotation(annotation, series)
    for number, finding in enumerate(result.findings, 1):
        at_lesion = _near_lesion(finding, case.truth, plain.spacing_mm)
        verdict, reason = ("accepted", "") if at_lesion else ("rejected", "other")
        own.judge(
            series,
            finding.centre_mm,
            verdict,
            all_judged=number == len(result.findings),
            model=identity,
            reason=reason,
        )
    rejected = sum(not _near_lesion(f, case.truth, plain.spacing_mm) for f in result.findings)
    at_rings = sum(_is_at(f, case.rings, series) for f in result.findings)
    print(case.name, len(result.findings), "findings,", rejected, "rejected,", at_rings, "at rings")


def _near_lesion(finding: Finding, truth: Truth, spacing: tuple[float, float, float]) -> bool:
    from napari_spinemet.evaluation.froc import region_centres

    centres = region_centres(truth.annotation, spacing)
    return any(
        len(centres[d.slice])
        and np.hypot(*(centres[d.slice] - np.array(d.centre_working)).T).min() <= DISTANCE_MM
        for d in finding.detections
    )


def _measure(
    name: str,
    cases: Sequence[RingCase],
    model: SiameseNet,
    point: OperatingPoint,
    folder: Path,
) -> dict[str, object]:
    found = lesions = false = at_rings = 0
    kept = folder_of(model, folder)
    for case in cases:
        plain = map_once(case.series, model, kept / f"{case.name}.npz")
        result: DetectionResult = evaluate(plain, point)
        outcome = score_scan("", result, case.truth)
        found += sum(lesion.is_found for lesion in outcome.lesions)
        lesions += len(outcome.lesions)
        false += outcome.false_findings
        at_rings += sum(_is_at(f, case.rings, case.series) for f in result.findings)
    row = {"name": name, "found": f"{found} of {lesions}", "false": false, "at rings": at_rings}
    print(json.dumps({**row, "point": point.to_dict()}), flush=True)
    return row


def main() -> None:
    """Judge, learn, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--work", type=Path, default=Path("review-learning"))
    parser.add_argument("--judged", type=int, default=10)
    parser.add_argument("--others", type=int, default=20)
    options = parser.parse_args()
    model, card = load_model(options.model), load_card(options.model)
    root = options.work / "study"
    if root.exists():
        shutil.rmtree(root)
    others = [make_ring_case(100 + k) for k in range(options.others)]
    _measure("before", others, model, card.operating_point, options.work / "before")
    judged = [make_ring_case(k) for k in range(options.judged)]
    for case in judged:
        write_case(
            root / case.name,
            [PhantomImage("stir", case.series, to_int16(case.series))],
            case.truth.annotation,
            {"lesions": []},
            identity=f"ring.{case.name}",
            name="Ring^Spine",
        )
        shutil.rmtree(root / case.name / "contours", ignore_errors=True)
    study = Study(root, write=True)
    for case in judged:
        _judge(study, case, model, card.identity, card.to_json())
    study.close()
    start_time = time.perf_counter()
    task = StudyAdaptation(
        root,
        options.model,
        "reviewed",
        only_cases=tuple(case.name for case in judged),
        command="benchmarks/review_learning.py",
    )
    adapted = adapt_study(task, job=JobContext.of(tell, None))
    print(f"learned in {(time.perf_counter() - start_time) / 60:.1f} min", flush=True)
    for score in adapted.adaptation.scores:
        print(json.dumps(score.to_dict()), flush=True)
    print(*adapted.sentences, sep="\n")
    point = adapted.card.operating_point
    _measure("after", others, load_model(str(adapted.path)), point, options.work / "after")


if __name__ == "__main__":
    main()
