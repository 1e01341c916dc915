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
