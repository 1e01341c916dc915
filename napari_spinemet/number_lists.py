"""What a person types, read."""

from __future__ import annotations

import re
import unicodedata

from .errors import SpinemetError

_NUMBER = re.compile(r"[+-]?(\d+(\.(\d*))?|\.(\d+))")
_SAME_SIGNS = str.maketrans({",": ".", "\u066b": ".", "\u2212": "-"})
"""Comma, the Arabic decimal separator, and the minus of print."""


def parse_number(text: str, *, decimals: int | None = None) -> float:
    """Read one number; point and comma mean the same, and digits may be of any script.

    Parameters
    ----------
    text : str
        As it was typed. Checked here.
    decimals : int, optional
        Digits behind the point, at most.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If it is none, has a group separator, or more decimals.

    Examples
    --------
    >>> parse_number("2,5"), parse_number(" 2.5 "), parse_number("\u0662\u066b\u0665")
    (2.5, 2.5, 2.5)
    """
    values = [
        unicodedata.decimal(character, None) for character in text.strip().translate(_SAME_SIGNS)
    ]
    plain = "".join(
        character if value is None else str(value)
        for character, value in zip(text.strip().translate(_SAME_SIGNS), values, strict=True)
    )
    match = _NUMBER.fullmatch(plain)
    if match is None:
        raise ValueError(text)
    if decimals is not None and len(match.group(3) or match.group(4) or "") > decimals:
        raise ValueError(text)
    return float(plain)


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
