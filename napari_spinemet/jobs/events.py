"""What a long computation reports while it runs, also as plain data for other processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, get_args


@dataclass(frozen=True)
class Started:
    """The computation begins; ``total`` steps are expected."""

    task: str
    total: int


@dataclass(frozen=True)
class Progressed:
    """``done`` of the announced steps are behind us; ``message`` is for people."""

    task: str
    done: int
    total: int
    message: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluated:
    """Figures of merit became known, for example the validation error of an epoch."""

    task: str
    step: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Charted:
    """A curve became known, for example the FROC on the validation cases; ``step`` is when."""

    task: str
    name: str
    step: int
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Finished:
    """The computation ended with a result; a failure is an exception instead."""

    task: str
    seconds: float


Event = Started | Progressed | Evaluated | Charted | Finished
EventCallback = Callable[[Event], None]

_EVENT_CLASSES: dict[str, type] = {kind.__name__: kind for kind in get_args(Event)}


def ignore(event: Event) -> None:
    """Take an event and do nothing: the default listener."""


def event_to_dict(event: Event) -> dict[str, Any]:
    """The event as plain data, with the name of its class under ``"event"``."""
    return {
        "event": type(event).__name__,
        **{name: _plain(value) for name, value in vars(event).items()},
    }


def event_from_dict(values: Mapping[str, Any]) -> Event:
    """The event that :func:`event_to_dict` made plain data of, equal in each of its fields."""
    fields = {name: value for name, value in values.items() if name != "event"}
    for name, value in fields.items():
        if isinstance(value, list):  # the coordinates of a curve
            fields[name] = tuple(value)
    event: Event = _EVENT_CLASSES[values["event"]](**fields)
    return event


def _plain(value: Any) -> Any:
    """Python's own kinds: figures often come as numpy's."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value
