"""Pixels that a scanner declares to be padding: no measurement, whatever number they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from .headers import numbers_of

Mask = npt.NDArray[np.bool_]


def find_padding(dataset: Dataset, pixels: npt.NDArray[np.integer[Any]]) -> Mask | None:
    """Where pixels are padding, by PixelPaddingValue and PixelPaddingRangeLimit (C.7.5.1.1.2).

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        That declares it, with the attributes that say how its pixels are stored.
    pixels : numpy.ndarray
        As they are stored, before any rescaling, of any shape.

    Returns
    -------
    numpy.ndarray or None
        Of the same shape; None where there is none.
    """
    bounds = [
        _as_stored(dataset, keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
    ]
    if bounds[0] is None:
        return None
    limits = [bound for bound in bounds if bound is not None]
    padding: Mask = (pixels >= min(limits)) & (pixels <= max(limits))
    return padding if padding.any() else None


def declares_padding(dataset: Dataset) -> bool:
    """Whether there is any use in looking for padding."""
    return "PixelPaddingValue" in dataset


def fill_padding(voxels: npt.NDArray[np.float32], padding: Mask) -> None:
    """Give padding the least value of what was measured; in place.

    Parameters
    ----------
    voxels : numpy.ndarray
        Of the series, as they are used.
    padding : numpy.ndarray
        Of the same shape. Where all is padding, all stays as it is.
    """
    if not padding.all():
        voxels[padding] = voxels[~padding].min()


def _as_stored(dataset: Dataset, keyword: str) -> int | None:
    """A value in the type of the pixels: writers confuse signed and unsigned ones."""
    number = numbers_of(dataset, keyword, 1)
    bits = numbers_of(dataset, "BitsAllocated", 1)
    if number is None or bits is None:
        return None
    span = 1 << int(bits[0])
    value = int(number[0]) % span
    is_signed = numbers_of(dataset, "PixelRepresentation", 1)
    if is_signed is not None and is_signed[0] == 1 and value >= span // 2:
        value -= span
    return value
