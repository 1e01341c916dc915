"""What the name of a label file tells: its kind, and which files are of one case and reader."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import SpinemetError
from ..imaging.annotation import LAYERS

NIFTI_SUFFIXES: tuple[str, ...] = (".nii.gz", ".nii")
TIFF_SUFFIXES: tuple[str, ...] = (".tif", ".tiff")

# Not what is converted or inverted, nor this program's own name.
_WORDS = {
    "lesions": re.compile(r"lesion|metasta|tumou?r"),
    "vertebrae": re.compile(r"(?<!con)(?<!in)vert(?!ical)|spine(?!met)|bod(?:y|ies)"),
}
_OWN_ENDING = re.compile(r"[_.\- ](lesions|vertebrae)$")


def bare_name(path: Path) -> str:
    """Name of a label file without its suffix, ``.nii.gz`` taken as a whole."""
    name = path.name
    for suffix in (*NIFTI_SUFFIXES, *TIFF_SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def without_kind(path: Path) -> str:
    """Name of a label file without its suffix and without the kind as this program writes it."""
    name = bare_name(path)
    match = _OWN_ENDING.search(name.lower())
    return name[: match.start()] if match else name


def guessed_kind(path: Path) -> str:
    """The kind that a file's name tells; empty where it tells none or both."""
    name = bare_name(path).lower()
    match = _OWN_ENDING.search(name)
    if match:
        return match[1]
    kinds = [kind for kind, words in _WORDS.items() if words.search(name)]
    return kinds[0] if len(kinds) == 1 else ""


def kind_of(path: Path, kind: str | None) -> str:
    """The kind that the user named, else the one that the file's name tells.

    Parameters
    ----------
    path : Path
        The label file.
    kind : str or None
        ``"lesions"`` or ``"vertebrae"``, whatever the name says; None to go by the name.

    Raises
    ------
    SpinemetError
        If ``kind`` is unknown, or if it is None and the name does not tell it.
    """
    if kind is not None:
        if kind not in LAYERS:
            raise SpinemetError(f"The kind is one of {', '.join(LAYERS)}, not '{kind}'.")
        return kind
    guess = guessed_kind(path)
    if not guess:
        raise SpinemetError(
            f"The name of {path.name} does not tell whether it holds lesions or vertebrae; say "
            "which, or rename it to end in _lesions or _vertebrae."
        )
    return guess


def stem_of(path: Path) -> str:
    """What the files of one case and reader have in common: the name without its kind."""
    name = bare_name(path)
    if _OWN_ENDING.search(name.lower()):
        return without_kind(path)
    kind = guessed_kind(path)
    if not kind:
        return name
    match = _WORDS[kind].search(name.lower())
    assert match is not None
    end = match.end()
    # To the end of the word: "metasta" stands for metastasis and metastases.
    while end < len(name) and name[end].isalpha():
        end += 1
    return (name[: match.start()].rstrip("_.- ") + name[end:]).strip("_.- ")
