"""napari's reader: File > Open on a folder of DICOM, a file or a zip."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import SpinemetError

LayerData = tuple[Any, dict[str, Any], str]
_MAX_FILES = 64


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Give the reader if the path may hold DICOM; never raises, looks at few bytes."""
    try:
        scan = _scan_path(path)
        files = _first_files(scan) if scan.is_dir() else [scan]
        return read_scan if any(_is_dicom_or_zip(file) for file in files) else None
    except (OSError, ValueError):
        return None


def _scan_path(path: str | list[str]) -> Path:
    """The file or folder; of several files that are opened as one stack their folder."""
    paths = [Path(p) for p in (path if isinstance(path, list) else [path])]
    if len(paths) == 1:
        return paths[0]
    (folder,) = {file.parent for file in paths}
    return folder


def _first_files(folder: Path) -> list[Path]:
    """Some files of a folder and the folders in it; enough to tell what it holds."""
    files: list[Path] = []
    for root, _, names in os.walk(folder):
        files += [Path(root, name) for name in names]
        if len(files) >= _MAX_FILES:
            break
    return files[:_MAX_FILES]


def _is_dicom_or_zip(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
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
    """Read the one detectable series of a file or folder as an image layer."""
    from ..dicom import read_series
    from .viewer.layer_style import series_layer

    scan = _scan_path(path)
    try:
        return [series_layer(read_series(scan), scan)]
    except SpinemetError as error:
        from napari.utils.notifications import show_warning

        show_warning(str(error))
        return [(None,)]  # type: ignore[list-item]
