"""napari's reader: File > Open on a folder of DICOM, a file or an archive."""

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
        return read_scan if any(_may_be_scan(file) for file in files) else None
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


_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
"""How archives begin that may hold a scan."""


def _may_be_scan(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(262)
    except OSError:
        return False
    # Without a preamble a file begins with an element of group 2 or 8.
    return (
        head[128:132] == b"DICM"
        or head.startswith(_ARCHIVES)
        or head[257:262] == b"ustar"
        or head[:4] in (b"\x02\x00\x00\x00", b"\x02\x00\x01\x00", b"\x02\x00\x02\x00")
        or (head[:2] == b"\x08\x00" and head[3:4] == b"\x00")
    )


def read_scan(path: Any) -> list[LayerData]:
    """Read the one detectable series of a file or folder as an image layer.

    One slice of many stands for the series that it belongs to, in its folder.
    """
    from ..dicom import list_series, read_series
    from .viewer.layer_style import series_layer

    scan = _scan_path(path)
    try:
        if scan.is_file():
            summaries = list_series(scan)
            if len(summaries) == 1 and summaries[0].slices == 1:
                scan, uid = scan.parent, summaries[0].series_uid
                return [series_layer(read_series(scan, uid), scan)]
        return [series_layer(read_series(scan), scan)]
    except SpinemetError as error:
        from napari.utils.notifications import show_warning

        show_warning(str(error))
        return [(None,)]  # type: ignore[list-item]
