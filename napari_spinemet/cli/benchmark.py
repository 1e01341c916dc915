"""``spinemet benchmark``."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import DeviceOption, JsonOption, ModelOption
from .terminal import print_json, print_speed, progress


def benchmark(
    model: ModelOption = "default",
    samples: Annotated[int, typer.Option(help="To train on; the paper's epoch is 85503.")] = 2560,
    stride: Annotated[int, typer.Option(help="Window by window at every so-many-th pixel.")] = 10,
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or auto.")] = "auto",
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Time detection and training on this device, dense and window by window."""
    from ..network import load_model
    from ..workflows.speed import SpeedSettings, describe_device, measure_speed

    network = load_model(model)
    device_name = describe_device(device)
    settings = SpeedSettings(device, precision, samples, stride)
    with progress("benchmark") as job:
        measurements = measure_speed(network, settings, job=job)
    rows = [m.to_dict() for m in measurements]
    if as_json:
        print_json({"device": device_name, "precision": precision, "measurements": rows})
    else:
        print_speed(device_name, rows)
