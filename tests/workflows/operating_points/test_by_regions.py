"""The operating point is chosen as stated, on maps whose best setting is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation import froc
from napari_spinemet.imaging import Annotation, FrocCase, LikelihoodMap, OperatingPoint
from napari_spinemet.workflows import choose_operating_point


def case_of(values: np.ndarray, lesions: np.ndarray, name: str) -> FrocCase:
    likelihood = LikelihoodMap(
        values.astype(np.float32), np.eye(4), (0, values.shape[2]), (1.0, 1, 1)
    )
    annotation = Annotation(lesions, np.zeros_like(lesions))
    return FrocCase(name, ((likelihood, annotation),))


@pytest.fixture(scope="module")
def cases() -> list[FrocCase]:
    """Lesions of 2.25 cm² at 0.8, brighter specks of 1.2 cm², and dim blobs of 6 cm²."""
    made = []
    for number in range(4):
        values = np.zeros((3, 120, 120))
        lesions = np.zeros(values.shape, dtype=np.uint16)
        for index in range(3):
            values[index, 20:35, 20:35] = 0.8
            lesions[index, 20:35, 20:35] = 1
            for k in range(3):
                values[index, 60:71, 10 + 30 * k : 21 + 30 * k] = 0.9
            values[index, 90:115, 40 + number : 65 + number] = 0.4
        made.append(case_of(values, lesions, f"case-{number}"))
    return made


def test_finds_the_area_that_parts_lesions_from_specks(cases: list[FrocCase]) -> None:
    """2 cm² keeps the lesion and drops the specks; the threshold lies between 0.4 and 0.8."""
    choice = choose_operating_point(cases, weights=(0.4, 0.6))
    assert choice.point.min_area_cm2 == 2.0
    assert 0.4 < choice.point.threshold < 0.8
    assert (choice.tp_rate, choice.fp_sum) == (1.0, 0.0)


def test_says_what_the_curve_says_at_its_threshold(cases: list[FrocCase]) -> None:
    """Rate and false positives are those of the FROC with the chosen settings."""
    choice = choose_operating_point(cases, max_fp_per_scan=10.0, areas_cm2=(1.0,))
    point = choice.point
    curve = froc(cases, min_area_cm2=point.min_area_cm2, weight=point.weight)
    assert curve.at(point.threshold) == (choice.tp_rate, choice.fp_mean, choice.fp_sum)


def test_leaves_the_usual_settings_for_what_is_clearly_better_only() -> None:
    """One case in which a smaller area finds more is chance, six are not."""
    point = OperatingPoint(0.5, 3.0, 0.4)

    def cohort(small: int) -> list[FrocCase]:
        made = []
        for number in range(6):
            values = np.zeros((3, 100, 100))
            lesions = np.zeros(values.shape, dtype=np.uint16)
            side = 15 if number < small else 30  # 2.25 or 9 cm²
            lesions[:, 20 : 20 + side, 20 : 20 + side] = 1
            values[lesions > 0] = 0.8
            made.append(case_of(values, lesions, f"case-{number}"))
        return made

    for small, area in ((0, 3.0), (1, 3.0), (5, 2.0), (6, 2.0)):
        choice = choose_operating_point(cohort(small), weights=(0.4, 0.6), default_point=point)
        assert choice.point.min_area_cm2 == area
        assert choice.point.weight == 0.4
        assert choice.tp_rate == pytest.approx(1 - small / 6 if area == 3.0 else 1.0)


def test_refuses_when_every_setting_costs_too_much() -> None:
    """No setting may cost more than allowed; if all do, the sentence says so."""
    values = np.full((3, 60, 60), 0.9)
    lesions = np.zeros(values.shape, dtype=np.uint16)
    lesions[:, :5, :5] = 1
    with pytest.raises(SpinemetError, match="false positives per scan"):
        choose_operating_point([case_of(values, lesions, "a")], max_fp_per_scan=0.5)
