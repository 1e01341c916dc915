"""Numbers of other programs are read by their convention, or questioned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.exchange import read_annotation, write_annotation
from napari_spinemet.exchange.label_maps import LABEL_MAPS, read_label_map
from napari_spinemet.imaging import Annotation, SagittalSeries


def spine(*labels: int, beside: tuple[int, ...] = ()) -> np.ndarray:
    """Bodies one below the other, and what else a program labels behind them."""
    array = np.zeros((2, 10 * len(labels) + 4, 20), np.uint16)
    for k, label in enumerate(labels):
        array[:, 10 * k + 2 : 10 * k + 8, 2:8] = label
    for k, label in enumerate(beside):
        array[:, 10 * k + 8 : 10 * k + 10, 10:14] = label
    return array


def test_totalspineseg_with_cord_canal_and_discs() -> None:
    """Bodies alone remain, with their levels."""
    labels = spine(31, 32, 41, 42, 43, 44, 45, 50, beside=(1, 2, 91, 92, 93, 100))
    # T11 and T12 end at 32, L1 begins at 41: consecutive all the same.
    vertebrae, levels, (sentence,) = read_label_map(labels, "x.nii.gz")
    assert levels == {
        31: "T11", 32: "T12", 41: "L1", 42: "L2", 43: "L3", 44: "L4", 45: "L5", 50: "Sacrum",
    }  # fmt: skip
    assert set(np.unique(vertebrae)) == {0, *levels}
    assert "TotalSpineSeg: T11 to Sacrum; 6 other structures were left out" in sentence


@pytest.mark.parametrize(
    ("labels", "name", "first", "last"),
    [
        ((18, 19, 20, 21, 22, 23, 24, 26), "VerSe", "T11", "Sacrum"),
        ((18, 19, 28, 20, 21, 22, 23, 24, 26), "VerSe", "T11", "Sacrum"),
        ((20, 21, 22, 23, 24, 25, 26), "VerSe", "L1", "Sacrum"),
        ((33, 32, 31, 30, 29, 28, 27, 26), "TotalSegmentator", "T11", "S1"),
        ((8, 7, 6, 5, 4, 3, 2), "TotalSegmentator (vertebrae_mr)", "T11", "L5"),
    ],
)
def test_other_conventions(labels: tuple[int, ...], name: str, first: str, last: str) -> None:
    """By the order in which the numbers lie."""
    _, levels, (sentence,) = read_label_map(spine(*labels), "x.nii.gz")
    assert [levels[labels[0]], levels[labels[-1]]] == [first, last]
    assert name in sentence


def test_bodies_that_were_counted_have_no_levels() -> None:
    """From 1 at the head: VerSe would call them cervical."""
    labels = spine(1, 2, 3, 4, 5)
    vertebrae, levels, warnings = read_label_map(labels, "x.nii.gz")
    assert levels == {}
    assert warnings == ()
    assert np.array_equal(vertebrae, labels)


@pytest.mark.parametrize(
    "labels", [(21, 22, 23, 24), (500, 3, 77), (41, 43, 42, 44), (18, 28, 19, 20), (17, 18, 20, 21)]
)
def test_what_is_not_known_for_certain_is_questioned(labels: tuple[int, ...]) -> None:
    """Two conventions fit, or none does, or the order is not that of a spine."""
    vertebrae, levels, (sentence,) = read_label_map(spine(*labels), "x.nii.gz")
    assert levels == {}
    assert np.array_equal(vertebrae, spine(*labels))
    assert "x.nii.gz" in sentence
    assert "name one level" in sentence


def test_no_number_is_a_vertebra_and_something_else() -> None:
    """In any of the conventions."""
    for label_map in LABEL_MAPS:
        assert not label_map.levels.keys() & label_map.others


def test_a_file_is_read_by_its_convention(
    tmp_path: Path, small_case: tuple[SagittalSeries, Annotation]
) -> None:
    """Through the door that command and window use; own files keep their names."""
    series, _ = small_case
    bodies = np.zeros(series.shape, np.uint16)
    for k, label in enumerate((42, 43, 44, 45)):
        bodies[:, 6 * k : 6 * k + 4, 4:12] = label
    bodies[:, :, 16:18] = 1
    foreign = Annotation(np.zeros_like(bodies), bodies)
    write_annotation(foreign, series, tmp_path / "case.nii.gz")
    for path in tmp_path.glob("*_levels.json"):
        path.unlink()
    (tmp_path / "case_lesions.nii.gz").unlink(missing_ok=True)
    read = read_annotation(tmp_path / "case_vertebrae.nii.gz", series)
    assert read.levels == {42: "L2", 43: "L3", 44: "L4", 45: "L5"}
    assert not (read.vertebrae == 1).any()
    assert "TotalSpineSeg" in " ".join(read.warnings)
    write_annotation(
        replace(foreign, levels={label: f"own {label}" for label in (1, 42, 43, 44, 45)}),
        series,
        tmp_path / "own.nii.gz",
    )
    own = read_annotation(tmp_path / "own_vertebrae.nii.gz", series)
    assert (own.vertebrae == 1).any()
