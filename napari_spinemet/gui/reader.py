"""napari's reader: File > Open on a folder of DICOM, a file or a zip."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import SpinemetError

LayerData = tuple[Any, dict[str, Any], str]
_LOOK_AT = 64


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Give the reader if the path may hold DICOM; never raises, looks at few bytes."""
    try:
        place = _place(path)
        files = _first_files(place) if place.is_dir() else [place]
        return read_scan if any(_dicom_or_zip(file) for file in files) else None
    except (OSError, ValueError):
        return None


def _place(path: str | list[str]) -> Path:
    """The file or folder; of several files that are opened as one stack their folder."""
    places = [Path(p) for p in (path if isinstance(path, list) else [path])]
    if len(places) == 1:
        return places[0]
    (folder,) = {place.parent for place in places}
    return folder


def _first_files(folder: Path) -> list[Path]:
    """Some files of a folder and the folders in it; enough to tell what it holds."""
    found: list[Path] = []
    for root, _, names in os.walk(folder):
        found += [Path(root, name) for name in names]
        if len(found) >= _LOOK_AT:
            break
    return found[:_LOOK_AT]


def _dicom_or_zip(place: Path) -> bool:
    try:
        with place.open("rb") as stream:
            head = stream.read(132)
    except OSError:
        return False
    # Without a preamble a file begins with an element of group 2 or 8.
    return (
        head[128:132] == b"DICM"
        or head[:4] == b"PK\x03\x04"
        or head[:2] in (b"\x02\x00", b"\x08\x00")
    )


def read_scan(path: Any) -> list[LayerData]:
    """Read the one detectable series of a place as an image layer."""
    from ..dicom import read_series
    from .viewer.layer_style import series_layer

    place = _place(path)
    try:
        return [series_layer(read_series(place), place)]
    except SpinemetError as error:
        from napari.utils.notifications import show_warning

        show_warning(str(error))
        return [(None,)]  # type: ignore[list-item]
