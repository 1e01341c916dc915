"""So many things, in words."""

from __future__ import annotations

from collections.abc import Sequence


def count_of(things: Sequence[object], name: str) -> str:
    """So many of them, in words.

    Parameters
    ----------
    things : sequence
    name : str
        Of one; an s makes it several.

    Returns
    -------
    str

    Examples
    --------
    >>> count_of(["L2"], "finding"), count_of([], "finding")
    ('1 finding', '0 findings')
    """
    return f"{len(things)} {name}{'s' if len(things) != 1 else ''}"
