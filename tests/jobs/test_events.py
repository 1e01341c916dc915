"""Events: values, which other processes get as plain data."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from napari_spinemet.jobs import Charted, Evaluated, Event, Finished, Progressed, Started
from napari_spinemet.jobs.events import event_from_dict, event_to_dict, ignore


@pytest.mark.parametrize(
    "event",
    [
        Started("train", 10),
        Progressed("train", 3, 10, "epoch 1", {"loss": 0.5}),
        Evaluated("train", 1, {"validation_error": 0.1}),
        Finished("train", 2.5),
    ],
)
def test_events_are_values(event: object) -> None:
    """Equal to one with the same content, not to be changed, and fit for any listener."""
    fields = vars(event)
    assert type(event)(**fields) == event
    with pytest.raises(FrozenInstanceError):
        event.task = "other"  # type: ignore[attr-defined]
    ignore(event)  # type: ignore[arg-type]


def test_progress_needs_no_message() -> None:
    """Message and values are empty unless given."""
    event = Progressed("detect", 1, 2)
    assert event.message == ""
    assert dict(event.values) == {}


@pytest.mark.parametrize(
    "event",
    [
        Started("train", 10),
        Progressed("train", 3, 10, "epoch 1: \u00bd", {"loss": 0.1 + 0.2}),
        Progressed("read", 1, 2),
        Evaluated("train", 1, {"error": 1e-323, "other": math.inf, "third": -math.inf}),
        Charted("train", "FROC", 4, (0.0, 1 / 3), (-0.0, math.pi)),
        Charted("train", "FROC", 4, (), ()),
        Finished("train", 2.5),
    ],
)
def test_an_event_comes_back_from_json_as_it_was(event: Event) -> None:
    """Equal in every field, tuples and the last bit of every figure included."""
    copy = event_from_dict(json.loads(json.dumps(event_to_dict(event))))
    assert copy == event
    assert repr(copy) == repr(event)


def test_nan_and_numpy_figures_come_back_as_python_figures() -> None:
    """NaN is not equal to itself, and numpy's numbers are none to JSON."""
    values = {"nan": math.nan, "double": np.float64(0.1), "single": np.float32(0.1)}
    event = Progressed("train", np.int64(3), 10, values=values)
    copy = event_from_dict(json.loads(json.dumps(event_to_dict(event))))
    assert isinstance(copy, Progressed)
    assert math.isnan(copy.values["nan"])
    assert copy.values["double"] == 0.1
    assert copy.values["single"] == float(np.float32(0.1))
    assert type(copy.done) is int
