"""Detection as one call."""

from __future__ import annotations

from napari_spinemet.detection import detect
from napari_spinemet.imaging import OperatingPoint, SagittalSeries

from .lively_network import lively_network


def test_another_operating_point_reuses_the_map(series: SagittalSeries) -> None:
    """Moving the threshold gives what detecting anew at that threshold gives."""
    model = lively_network("dense")
    first = detect(series, model, OperatingPoint(0.5, 0.05, 0.4))
    other = first.at(OperatingPoint(0.3, 0.05, 0.4))
    fresh = detect(series, model, OperatingPoint(0.3, 0.05, 0.4))
    assert other.forest is first.forest
    assert [d.to_dict() for d in other.detections] == [d.to_dict() for d in fresh.detections]
    assert first.at(OperatingPoint(0.3, 0.05, None)).likelihood.weight is None


def test_a_result_says_what_its_model_has_learned_from(series: SagittalSeries) -> None:
    """In the words of the network, at every operating point; nothing where it was not loaded."""
    model = lively_network("dense")
    assert detect(series, model, OperatingPoint(0.5, 0.05, 0.4)).to_dict()["learned_from"] == ""
    model.learned_from = "The model has learned from 3 scans."
    result = detect(series, model, OperatingPoint(0.5, 0.05, 0.4))
    for found in (result, result.at(OperatingPoint(0.3, 0.05, None)), result.refine(series)):
        assert found.to_dict()["learned_from"] == model.learned_from
        assert found.plain.learned_from == found.likelihood.learned_from == model.learned_from
