"""napari's reader: File > Open on a folder of DICOM, a file or a zip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import SpinemetError

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Give the reader if the path may hold DICOM; never raises, looks at few bytes."""
    first = path[0] if isinstance(path, list) and path else path
    try:
        place = Path(str(first))
        return read_scan if place.is_dir() or _dicom_or_zip(place) else None
    except OSError:
        return None


def _dicom_or_zip(place: Path) -> bool:
    with place.open("rb") as stream:
        head = stream.read(132)
    return head[128:132] == b"DICM" or head[:4] == b"PK\x03\x04"


def read_scan(path: Any) -> list[LayerData]:
    """Read the one detectable series of a place as an image layer."""
    from ..dicom import read_series
    from .layers import series_layer

    first = path[0] if isinstance(path, list) else path
    try:
        return [series_layer(read_series(first))]
    except SpinemetError as error:
        from napari.utils.notifications import show_warning

        show_warning(str(error))
        return [(None,)]  # type: ignore[list-item]
