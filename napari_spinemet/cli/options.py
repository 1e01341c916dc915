"""What several commands share: arguments, and how an operating point is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SpinemetError
from ..imaging import PAPER_OPERATING_POINT, OperatingPoint

StudyArgument = Annotated[Path, typer.Argument(help="Folder of the study.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]
ThresholdOption = Annotated[float | None, typer.Option(help="Likelihood, 0 to 1.")]
AreaOption = Annotated[float | None, typer.Option(help="Smallest detection in cm².")]
WeightOption = Annotated[float | None, typer.Option(help="Aggregation weight.")]
GateOption = Annotated[bool | None, typer.Option(help="Drop what lies outside the spine.")]
PresetOption = Annotated[str | None, typer.Option(help="'paper': 0.6, 5 cm², 0.4, no gate.")]


def operating_point_of(
    default: OperatingPoint, preset: str | None = None, **given: Any
) -> OperatingPoint:
    """The usual operating point or the preset's, with what was given in its place.

    Raises
    ------
    SpinemetError
        If there is no such preset, or a value is out of its range.
    """
    if preset not in (None, "paper"):
        raise SpinemetError(f"There is no preset '{preset}'; the only one is 'paper'.")
    point = PAPER_OPERATING_POINT if preset else default
    return replace(point, **{k: v for k, v in given.items() if v is not None})
