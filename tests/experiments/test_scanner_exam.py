"""The exam: what counts as found and as false, the table, and going on where it was cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.evaluation.lesion_scores import Tally, Truth, score_scan
from napari_spinemet.experiments.scanners import exam
from napari_spinemet.experiments.scanners.exam import ExamPlan, run_exam
from napari_spinemet.experiments.scanners.table import exam_page
from napari_spinemet.imaging import Annotation, LikelihoodMap, OperatingPoint
from napari_spinemet.network import load_card, load_model

SHAPE = (4, 120, 100)
POINT = OperatingPoint(threshold=0.5, min_area_cm2=0.5, weight=None, gate=False)
AFFINE = np.array([[4.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def truth_of(**options: object) -> Truth:
    """Two lesions, of 1.6 and of 0.8 mL, in the first two of three vertebrae."""
    lesions, vertebrae = (np.zeros(SHAPE, dtype=np.uint16) for _ in range(2))
    for label, row in enumerate((10, 50, 90), 1):
        vertebrae[:, row : row + 22, 40:62] = label
    lesions[1:3, 15:25, 42:62] = 1
    lesions[1:2, 55:65, 42:62] = 2
    facts = [
        {"level": "T12", "contrast": 0.5, "site": "body", "kind": "lytic"},
        {"level": "L1", "contrast": -0.2, "site": "body", "kind": "sclerotic"},
    ]
    return Truth(Annotation(lesions, vertebrae), facts, **options)  # type: ignore[arg-type]


def result_with(*boxes: tuple[int, int, int]):  # type: ignore[no-untyped-def]
    """Regions of 10 x 10 mm at (slice, row, column)."""
    values = np.zeros(SHAPE, dtype=np.float32)
    for index, row, column in boxes:
        values[index, row : row + 10, column : column + 10] = 0.9
    return evaluate(LikelihoodMap(values, AFFINE, (0, 100), (4.0, 1.0, 1.0)), POINT)


def test_found_false_and_missed_are_counted_by_hand() -> None:
    """One lesion hit in one of its slices, one missed; a region in two slices is one false."""
    result = result_with((1, 16, 45), (2, 95, 45), (3, 95, 45))
    outcome = score_scan("scan", result, truth_of())
    assert [lesion.is_found for lesion in outcome.lesions] == [True, False]
    assert [lesion.volume_ml for lesion in outcome.lesions] == pytest.approx([1.6, 0.8])
    assert [lesion.region for lesion in outcome.lesions] == ["thoracic", "lumbar"]
    assert outcome.false_findings == 1
    assert (outcome.slices_hit, outcome.slices) == (1, 3)
    # The third vertebra is healthy and marked, the second diseased and not.
    assert outcome.vertebrae == ((True, True), (True, False), (False, True))


def test_twenty_millimetres_are_the_limit() -> None:
    """A region's centre 20 mm from the lesion's own is at it, 21 mm is not, and is false."""
    # In the third slice only the first lesion lies, its centre at row 19.5; a box's is 4.5 on.
    at, beyond = (score_scan("s", result_with((2, row, 47)), truth_of()) for row in (35, 36))
    assert (at.lesions[0].is_found, at.false_findings) == (True, 0)
    assert (beyond.lesions[0].is_found, beyond.false_findings) == (False, 1)


def test_marks_in_bright_bodies_count_as_nothing() -> None:
    """Neither found nor false where oedema is known and no tumour."""
    result = result_with((2, 95, 45))
    assert score_scan("s", result, truth_of()).false_findings == 1
    assert score_scan("s", result, truth_of(ignored_labels=(3,))).false_findings == 0
    assert score_scan("s", result, truth_of(ignored_labels=(1,))).false_findings == 1


def test_a_tally_counts_scans_lesions_and_examinations() -> None:
    """Two scans: all of 1 mL found in both, the small lesion in one."""
    both = score_scan("a", result_with((1, 16, 45), (1, 56, 45)), truth_of())
    one = score_scan("b", result_with((1, 16, 45), (3, 95, 45)), truth_of())
    tally = Tally("fresh", (both, one))
    assert (tally.sensitivity().hits, tally.sensitivity().of) == (3, 4)
    assert (tally.large_by_examination.hits, tally.large_by_examination.of) == (2, 2)
    assert tally.false_findings == 0.5
    assert tally.free_scans.value == 0.5
    dark = tally.sensitivity(lambda lesion: lesion.contrast < 0)
    assert (dark.hits, dark.of) == (1, 2)
    page = exam_page([tally])
    assert "| fresh | 2 | 0.50 (0.00 to 1.00, 1) | 0.75 (0.30 to 0.95, n 4) |" in page
    assert "| contrast: darker than marrow | 0.50 (0.09 to 0.91, n 2) |" in page


def test_the_exam_goes_on_where_it_was_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that is done is not detected on again; another operating point takes its map."""
    calls, results = [], []
    map_series, score_scan = exam.map_series, exam.score_scan

    def count_map(*arguments, **options):  # type: ignore[no-untyped-def]
        calls.append(1)
        return map_series(*arguments, **options)

    def note_score(name, result, truth):  # type: ignore[no-untyped-def]
        results.append((result, truth))
        return score_scan(name, result, truth)

    monkeypatch.setattr(exam, "map_series", count_map)
    monkeypatch.setattr(exam, "score_scan", note_score)
    plan = ExamPlan(frozen=1, fresh=0, agnostic=0, normal=0, half=0, diffuse=0)
    model, card = load_model("default"), load_card("default")
    settings = exam.MapSettings(stride=16)

    def run(point: OperatingPoint) -> list[Tally]:
        return run_exam(model, card.identity, point, tmp_path, plan=plan, settings=settings)

    first, again = run(card.operating_point), run(card.operating_point)
    assert first == again
    assert [tally.name for tally in first] == ["frozen"]
    assert len(calls) == 1
    assert len(results) == 1
    other = run(POINT)
    assert len(calls) == 1
    # As a scan that nothing was kept of.
    (first_result, first_truth), (result, truth) = results
    np.testing.assert_array_equal(truth.annotation.lesions, first_truth.annotation.lesions)
    np.testing.assert_array_equal(truth.annotation.vertebrae, first_truth.annotation.vertebrae)
    assert truth.annotation.levels == first_truth.annotation.levels
    assert list(truth.facts) == list(first_truth.facts)
    marks, first_marks = (
        [(d.slice, d.area_cm2, d.centre_index, d.peak) for d in each.detections]
        for each in (result, evaluate(first_result.plain, POINT))
    )
    assert marks
    assert marks == first_marks
    assert other[0].scans[0].name == "01"
