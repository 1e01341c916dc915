"""What several commands share: arguments, and options that are one value together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SpinemetError
from ..imaging import PAPER_OPERATING_POINT, OperatingPoint
from ..imaging.evaluated_region import CENTRE, SPINE

if TYPE_CHECKING:
    from ..workflows.worker_settings import WorkerSettings

STUDY = typer.Argument(help="Folder of the study.")
CONTOURED_STUDY = typer.Argument(help="Study with contoured cases.")
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]
StackOption = Annotated[
    int | None, typer.Option(help="Which volume of the series, as 'spinemet series' numbers them.")
]
ModelOption = Annotated[str, typer.Option(help="Name of a shipped model, or a file.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]
SchedulerOption = Annotated[
    str, typer.Option(help="'local' workers, 'none', or the address of a dask scheduler.")
]
WorkersOption = Annotated[int | None, typer.Option(help="Local workers; one a core.")]
ThresholdOption = Annotated[float | None, typer.Option(help="Likelihood, 0 to 1.")]
AreaOption = Annotated[float | None, typer.Option(help="Smallest detection in cm².")]
WeightOption = Annotated[float | None, typer.Option(help="Aggregation weight.")]
GateOption = Annotated[bool | None, typer.Option(help="Drop what lies outside the spine.")]
SecondLookOption = Annotated[
    bool | None, typer.Option(help="Compare what is marked with the patient's other bodies.")
]
PresetOption = Annotated[
    str | None, typer.Option(help="'paper': 0.6, 5 cm², 0.4, no gate, no second look.")
]

NO_SCHEDULER = "none"


@dataclass(frozen=True)
class PointOptions:
    """The options that make an operating point; None leaves what is there.

    Attributes
    ----------
    preset : str or None
        ``"paper"`` for the paper's in place of the default one.
    threshold, min_area_cm2, weight : float or None
    gate, second_look : bool or None
    """

    preset: str | None = None
    threshold: float | None = None
    min_area_cm2: float | None = None
    weight: float | None = None
    gate: bool | None = None
    second_look: bool | None = None

    @property
    def columns(self) -> str:
        """Which columns are evaluated: the paper's central half with its preset."""
        return CENTRE if self.preset else SPINE

    def change(self, default: OperatingPoint) -> OperatingPoint:
        """The default operating point or the preset's, with the options in its place.

        Raises
        ------
        SpinemetError
            If there is no such preset, or a value is out of its range.
        """
        refuse_preset(self.preset)
        options = {
            "threshold": self.threshold,
            "min_area_cm2": self.min_area_cm2,
            "weight": self.weight,
            "gate": self.gate,
            "second_look": self.second_look,
        }
        point = PAPER_OPERATING_POINT if self.preset else default
        return replace(point, **{k: v for k, v in options.items() if v is not None})  # type: ignore[arg-type]


def refuse_preset(name: str | None) -> None:
    """Refuse a preset that there is not."""
    if name not in (None, "paper"):
        raise SpinemetError(f"There is no preset '{name}'; the only one is 'paper'.")


def worker_settings(scheduler: str, workers: int | None, device: str) -> WorkerSettings:
    """Where independent tasks are computed, from the options.

    Parameters
    ----------
    scheduler : str
        ``"none"`` for this process.
    workers : int or None
    device : str
        On a processor a task of other processes gets one thread, so that it gives the same
        numbers wherever it runs.
    """
    from ..workflows.worker_settings import WorkerSettings

    if scheduler == NO_SCHEDULER:
        return WorkerSettings(None, workers)
    return WorkerSettings(scheduler, workers, 1 if device in ("auto", "cpu") else None)
