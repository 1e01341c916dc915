"""Plain data as one line of JSON: all that processes of this program say to each other.

Python's own JSON: a float comes back to the last bit, and so do infinities and NaN, which it
writes as ``Infinity`` and ``NaN``.
"""

from __future__ import annotations

import json
from typing import Any


def to_json_line(value: Any, name: str) -> bytes:
    """One line, its end included.

    Parameters
    ----------
    value : object
        None, bool, int, float, str, and lists, tuples and dicts of these; tuples arrive as lists.
    name : str
        What it is, for the error.

    Raises
    ------
    TypeError
        If it holds anything else, with where.
    """
    check_plain(value, name)
    return json.dumps(value).encode("ascii") + b"\n"


def check_plain(value: Any, name: str) -> None:
    """Refuse what would not arrive, or would arrive as something else.

    Parameters
    ----------
    value : object
    name : str
        What it is, for the error.

    Raises
    ------
    TypeError
        With the part that is no plain data.
    """
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):  # JSON would make text of it in silence
                raise TypeError(f"A key of {name} is {key!r}; keys sent to a process are text.")
            check_plain(part, f"{name}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            check_plain(part, f"{name}[{index}]")
    elif not (value is None or isinstance(value, (bool, int, float, str))):
        raise TypeError(
            f"{name} is a {type(value).__name__}, which cannot be sent to another process; send "
            "numbers, text, lists and dicts of them."
        )
