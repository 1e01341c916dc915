"""What a long computation reports while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


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


def ignore(event: Event) -> None:
    """Take an event and do nothing: the default listener."""
