"""Devices and the words for their failures."""

from __future__ import annotations

import pytest
import torch

from napari_spinemet.errors import SpinemetError
from napari_spinemet.network.devices import (
    choose_detection_dtype,
    choose_device,
    trains_in_bfloat16,
    translate_torch_error,
)


def test_auto_takes_a_device_that_works() -> None:
    """A tensor can be made there, and a GPU comes first."""
    device = choose_device("auto")
    assert torch.ones(2, device=device).sum().item() == 2
    assert (device.type == "cuda") == torch.cuda.is_available()
    assert choose_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["abacus", "", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there_is_one_sentence(name: str) -> None:
    """It names the device and what to use instead."""
    with pytest.raises(SpinemetError, match=f"'{name}' is not available here; use 'cpu'"):
        choose_device(name)


def test_precision_is_what_was_asked_for() -> None:
    """float32 and bfloat16 are taken at their word on every device; auto decides."""
    for kind in ("cpu", "cuda", "mps"):
        assert not trains_in_bfloat16("float32", torch.device(kind))
        assert trains_in_bfloat16("bfloat16", torch.device(kind))
    assert isinstance(trains_in_bfloat16("auto", torch.device("cpu")), bool)
    assert not trains_in_bfloat16("auto", torch.device("mps"))


def test_detection_halves_its_digits_only_where_that_is_fast() -> None:
    """By itself on a CUDA device only, and there with the eleven bits of float16."""
    for kind in ("cpu", "cuda", "mps"):
        for name in ("float32", "float16", "bfloat16"):
            assert choose_detection_dtype(name, torch.device(kind)) == getattr(torch, name)
    assert choose_detection_dtype("auto", torch.device("cuda")) == torch.float16
    assert choose_detection_dtype("auto", torch.device("cpu")) == torch.float32
    assert choose_detection_dtype("auto", torch.device("mps")) == torch.float32
    with pytest.raises(SpinemetError, match="not 'double'"):
        choose_detection_dtype("double", torch.device("cpu"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "graphics card"),
        (RuntimeError("CUDA error: out of memory"), "graphics card"),
        (MemoryError(), "memory of this computer"),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            ),
            "memory of this computer",
        ),
        (RuntimeError("mat1 and mat2\n  shapes cannot be multiplied"), "mat1 and mat2 shapes"),
    ],
)
def test_failures_become_one_sentence(error: BaseException, words: str) -> None:
    """On one line, with what to do where something can be done."""
    said = str(translate_torch_error(error))
    assert words in said
    assert "\n" not in said


def test_a_real_failure_to_allocate_is_recognised() -> None:
    """The words of torch for a full memory are among those known."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert "memory of this computer" in str(translate_torch_error(caught.value))
