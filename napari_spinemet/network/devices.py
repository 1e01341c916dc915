"""The device that torch computes on, and its failures in words."""

from __future__ import annotations

import os

import torch

from ..errors import OutOfMemory, SpinemetError


def list_devices() -> list[tuple[str, str]]:
    """Names of the devices of this computer, each with what it offers, in words."""
    devices = [("auto", "auto: the fastest")]
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        free = torch.cuda.mem_get_info(number)[0] / 2**30
        devices.append(
            (
                f"cuda:{number}",
                f"{facts.name}, {free:.0f} of {facts.total_memory / 2**30:.0f} GB free",
            )
        )
    if torch.backends.mps.is_available():
        devices.append(("mps", "the graphics of this Mac"))
    cores = os.cpu_count() or 1
    return [*devices, ("cpu", f"processor, {cores} core{'s' if cores > 1 else ''}")]


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; ``auto`` takes a GPU where there is one.

    Raises
    ------
    SpinemetError
        If the device does not exist here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SpinemetError(f"The device '{name}' is not available here; use 'cpu'.") from error
    return device


def trains_in_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether training multiplies in bfloat16.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        ``auto`` asks if the device is fast at it.
    device : torch.device

    Raises
    ------
    SpinemetError
        If the precision is none of these.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise SpinemetError(f"The precision is auto, float32 or bfloat16, not '{precision}'.")
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Without matrix units or AVX-512 BF16 the processor emulates it, at a third of the speed.
    return device.type == "cpu" and bool(
        torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    )


def choose_detection_dtype(precision: str, device: torch.device) -> torch.dtype:
    """What detection multiplies in.

    Parameters
    ----------
    precision : {"auto", "float32", "float16", "bfloat16"}
        ``auto`` is float16 on a CUDA device and float32 elsewhere: with its eight bits bfloat16
        moves likelihoods by up to 0.04, and processors are not faster at it than by spectra.
    device : torch.device

    Raises
    ------
    SpinemetError
        If the precision is none of these.
    """
    dtypes = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if precision == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if precision not in dtypes:
        raise SpinemetError(
            f"The precision is auto, float32, float16 or bfloat16, not '{precision}'."
        )
    return dtypes[precision]


def translate_torch_error(error: BaseException) -> SpinemetError:
    """A failure inside torch as one sentence, with what to do about it."""
    text = " ".join(str(error).split())
    if isinstance(error, torch.OutOfMemoryError) or "out of memory" in text.lower():
        return OutOfMemory(
            "The graphics card ran out of memory; use a smaller batch or the device 'cpu'."
        )
    if isinstance(error, MemoryError) or "can't allocate memory" in text.lower():
        return OutOfMemory(
            "The memory of this computer is full; close other programs or use a smaller batch."
        )
    return SpinemetError(f"The computation failed inside torch: {text[:300]}")
