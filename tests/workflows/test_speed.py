"""Timing a device: what is run, how much of it, and what a whole would take."""

from __future__ import annotations

import json

import pytest
import torch

from napari_spinemet.errors import SpinemetError
from napari_spinemet.jobs import Finished, JobContext, Progressed, Started
from napari_spinemet.network import SiameseNet
from napari_spinemet.training import TrainingConfig
from napari_spinemet.workflows import speed
from napari_spinemet.workflows.speed import EPOCH, SpeedSettings, describe_device, measure_speed

TINY = TrainingConfig(resolutions=(1.0,), blocks=(1, 1, 1), batch_size=8)


def _model(form: str = "dense") -> SiameseNet:
    return SiameseNet((1.0,), form, (1, 1, 1), widths=(2, 4, 4), hidden=4).eval()


@pytest.mark.usefixtures("thin_phantoms")
def test_a_processor_is_timed_in_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amounts are what was really run, counted by the engine and by the loop."""
    windows, batches = [], []
    real_train, real_forward = speed.train_network, SiameseNet.forward

    def train(cases, config, **options):
        batches.append((config.method, config.batch_size * config.batches_per_epoch))
        return real_train(cases, config, **options)

    def forward(self, given):
        if not self.training:
            windows.append(len(given))
        return real_forward(self, given)

    monkeypatch.setattr(speed, "train_network", train)
    monkeypatch.setattr(SiameseNet, "forward", forward)
    events = []
    measured = measure_speed(
        _model(),
        SpeedSettings("cpu", "float32", samples=17, stride=60, repeats=1),
        config=TINY,
        job=JobContext(events.append),
    )
    assert [m.name for m in measured] == [
        "detection, dense",
        "detection, window by window",
        "training on blocks",
        "training on windows",
    ]
    assert measured[0].amount == measured[0].whole == measured[1].whole
    assert measured[1].amount == sum(windows)
    assert batches == [("blocks", 16), ("windows", 16)]
    for m in measured:
        assert m.seconds > 0
        assert m.rate == pytest.approx(m.amount / m.seconds)
        assert m.whole_seconds == pytest.approx(m.seconds * m.whole / m.amount)
    assert measured[2].whole == EPOCH == 85_503
    assert json.loads(json.dumps(measured[3].to_dict()))["name"] == "training on windows"
    assert [type(e) for e in events] == [Started, *[Progressed] * 4, Finished]


def test_what_cannot_be_timed_is_refused() -> None:
    """In a sentence."""
    with pytest.raises(SpinemetError, match="dense form"):
        measure_speed(_model("patch"))
    with pytest.raises(SpinemetError, match="at least 1"):
        measure_speed(_model(), SpeedSettings(samples=0))
    with pytest.raises(SpinemetError, match="not available"):
        describe_device("abacus")
    assert torch.__version__ in describe_device("cpu")
