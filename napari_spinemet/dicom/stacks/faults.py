"""Why a stack of images is not one regular box of voxels.

The rules were found by trial on damaged series: refuse what is not a box, say what is wrong, and
repair nothing that would have to be guessed.
"""

from __future__ import annotations

import numpy as np

from ..headers import normal_of, numbers_of, value_of
from .stack import FloatArray, Stack

ORIENTATION_NOISE_PIXELS = 0.5
"""What their differences may move the far corner of a slice before the mean is no longer true."""
SPACING_TOLERANCE = 0.02
"""Share of the slice distance by which a slice may be off; below a tenth of a mm in practice."""
SHEAR_TOLERANCE = 1e-3
"""In-plane drift for each mm along the normal."""
MAX_SIDE_PIXELS = 4096
MIN_PIXEL_MM, MAX_PIXEL_MM = 0.1, 5.0
MAX_FIELD_MM = 1500.0
"""Beyond these a header is wrong, and what would be computed has no bounds."""
_MOST_MISSING = 1000
"""Wider gaps are no lost slices."""
SAME_POSITION_MM = 1e-3
"""Slices closer than this lie at one place."""
_DRIFT_FLOOR_MM = 2e-2
"""Drift that decimals of positions may make, however thin the stack is."""


def find_fault(stack: Stack) -> str:
    """Why these images are not one regular box of voxels; empty if they are.

    From the headers alone, so that a listing and a reading give the same verdict.
    """
    if stack.clash:
        return stack.clash
    fault = _attribute_fault(stack)
    if fault:
        return fault
    orientation = stack.orientation
    if orientation is None:
        return "its ImageOrientationPatient is not a pair of directions at right angles"
    rows, columns, pixel = (
        numbers_of(stack.header, keyword, count)
        for keyword, count in (("Rows", 1), ("Columns", 1), ("PixelSpacing", 2))
    )
    assert rows is not None
    assert columns is not None
    assert pixel is not None
    diagonal = float(np.hypot(rows[0] * pixel[0], columns[0] * pixel[1]))
    edge = stack.orientation_spread * diagonal
    if edge > ORIENTATION_NOISE_PIXELS * pixel.min():
        return f"the directions of its slices differ, by up to {edge:.1f} mm at the edge"
    if len(stack.images) == 1:
        return "it has only one slice, and a series of at least two is needed"
    positions = stack.positions
    assert positions is not None
    return position_fault(positions, normal_of(orientation))


def _attribute_fault(stack: Stack) -> str:
    """Which attribute is missing without which nothing can be placed or measured."""
    for keyword, count in (("ImageOrientationPatient", 6), ("ImagePositionPatient", 3)):
        lacking = sum(numbers_of(header, keyword, count) is None for _, header in stack.images)
        if lacking:
            images = len(stack.images)
            subject = "it has" if lacking == images else f"{lacking} of its {images} images have"
            return f"{subject} no valid {keyword}, so its place is unknown"
    if any(value_of(header, "SamplesPerPixel", 1) != 1 for _, header in stack.images):
        return "its images are in colour, and so no measurement of a scanner"
    return _size_fault(stack)


def _size_fault(stack: Stack) -> str:
    """What is wrong with the size of pixels and images."""
    pixel = numbers_of(stack.header, "PixelSpacing", 2)
    if pixel is None or (pixel <= 0).any():
        return "it has no valid PixelSpacing, so nothing in it can be measured"
    rows, columns = (numbers_of(stack.header, keyword, 1) for keyword in ("Rows", "Columns"))
    if rows is None or columns is None or min(rows[0], columns[0]) < 1:
        return "it has no valid Rows and Columns, so its images have no shape"
    if max(rows[0], columns[0]) > MAX_SIDE_PIXELS:
        return (
            f"its images are {rows[0]:.0f} x {columns[0]:.0f} pixels, and no scanner makes such "
            f"(up to {MAX_SIDE_PIXELS})"
        )
    if pixel.min() < MIN_PIXEL_MM or pixel.max() > MAX_PIXEL_MM:
        return (
            f"its pixels are {pixel[0]:g} x {pixel[1]:g} mm by PixelSpacing, which no spine scan "
            f"has ({MIN_PIXEL_MM:g} to {MAX_PIXEL_MM:g} mm)"
        )
    field_mm = max(rows[0] * pixel[0], columns[0] * pixel[1])
    if field_mm > MAX_FIELD_MM:
        return f"its field is {field_mm / 1000:.1f} m long, and no person is"
    return ""


def position_fault(positions: FloatArray, normal: FloatArray) -> str:
    """What is wrong with the distances of slices from each other; empty if nothing is.

    Parameters
    ----------
    positions : numpy.ndarray
        ``(slice, 3)``, the corner of each in patient mm; at least two.
    normal : numpy.ndarray
        Of their plane.
    """
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    distances = positions @ normal
    gaps = np.diff(distances)
    if (gaps < SAME_POSITION_MM).any():
        return f"{_count_sharing(gaps)} of its slices share a position with another"
    step = float(np.median(gaps))
    uneven = f"its slices are unevenly spaced, {gaps.min():.2f} to {gaps.max():.2f} mm apart"
    if (np.abs(gaps - step) > SPACING_TOLERANCE * step).any():
        return _gap_fault(gaps / step) or uneven
    # Small differences of one sign add up: each slice must be where a regular stack has it.
    length = float(distances[-1] - distances[0])
    regular = np.linspace(0.0, length, len(distances))
    if np.abs(distances - distances[0] - regular).max() > SPACING_TOLERANCE * step:
        return uneven
    offsets = positions - positions[0]
    drift = np.linalg.norm(offsets - np.outer(offsets @ normal, normal), axis=1).max()
    if drift > max(SHEAR_TOLERANCE * length, _DRIFT_FLOOR_MM):
        return f"its slices are shifted in their plane, by up to {drift:.2f} mm"
    return ""


def _count_sharing(gaps: FloatArray) -> int:
    """How many slices lie where another one lies."""
    is_same = np.concatenate([[False], gaps < SAME_POSITION_MM, [False]])
    return int((is_same[:-1] | is_same[1:]).sum())


def _gap_fault(steps: FloatArray) -> str:
    """How many slices are missing, if gaps are whole numbers of steps; empty if they are not."""
    if steps.max() > _MOST_MISSING:
        return ""
    whole = np.round(steps)
    if not (np.abs(steps - whole) < SPACING_TOLERANCE * whole).all() or not (whole >= 1).all():
        return ""
    count = int((whole - 1).sum())
    return f"{count} slice{'s are' if count > 1 else ' is'} missing in the middle"
