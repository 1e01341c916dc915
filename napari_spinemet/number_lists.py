"""What a person types, read."""

from __future__ import annotations

from .errors import SpinemetError


def numbers_in(written: str, name: str) -> list[float]:
    """Numbers above 0 that are separated by commas; ``name`` is what they are, for the sentence."""
    try:
        values = [float(part) for part in written.split(",") if part.strip()]
    except ValueError:
        values = []
    if not values or not all(0 < value < 1000 for value in values):
        raise SpinemetError(
            f"{name} '{written}' cannot be read; write numbers above 0, with a point, separated by "
            "commas."
        )
    return values
