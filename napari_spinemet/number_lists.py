"""What a person types, read."""

from __future__ import annotations

from .errors import SpinemetError


def parse_numbers(text: str, name: str) -> list[float]:
    """Read numbers that are separated by commas.

    Parameters
    ----------
    text : str
        As it was typed; empty parts are passed over. Checked here.
    name : str
        What the numbers are, for the sentence; begins with a capital.

    Returns
    -------
    list of float
        At least one, each above 0 and below 1000.

    Raises
    ------
    SpinemetError
        If a part is no number, lies outside, or there is none.
    """
    try:
        values = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        values = []
    if not values or not all(0 < value < 1000 for value in values):
        raise SpinemetError(
            f"{name} '{text}' cannot be read; write numbers above 0, with a point, separated by "
            "commas."
        )
    return values
