"""Text from files as it may be shown: no control characters, which a terminal would obey."""

from __future__ import annotations

import unicodedata


def plain_text(text: str) -> str:
    """A text in one line, with everything left out that is no character to be read.

    Parameters
    ----------
    text : str
        From a file, or its name.
    """
    return " ".join(
        "".join(c if not unicodedata.category(c).startswith("C") else " " for c in text).split()
    )
