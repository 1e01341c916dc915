"""Compressed pixels, unpacked in a process of their own.

Codecs are native code that trusts what it reads: a damaged or hostile file may end the process that
it runs in, or fill its memory. That process is never the one with the window.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.pixels import get_decoder

from ..errors import Cancelled, SpinemetError
from ..jobs.process import run_in_process
from .files.sources import Source
from .headers import plain_text
from .library_messages import silence_libraries

if TYPE_CHECKING:
    from ..jobs import JobContext

_FREE_BYTES = 3 * 1024**3
"""Address space of the process beside what the pixels take; most of it is never used."""
_MAX_SECONDS = 600
_log = logging.getLogger(__name__)


def is_packed(dataset: FileDataset) -> bool:
    """Whether the pixels of a file must be unpacked before they are numbers."""
    return bool(dataset.file_meta.TransferSyntaxUID.is_compressed)


def unpack_pixels(sources: Sequence[Source], datasets: Sequence[FileDataset]) -> list[FileDataset]:
    """The same objects with their pixels unpacked; those that are so already stay as they are.

    Parameters
    ----------
    sources : sequence of Source
        The files.
    datasets : sequence of pydicom.dataset.FileDataset
        As they were parsed, with pixels.

    Raises
    ------
    SpinemetError
        If nothing here unpacks them, or they are damaged; a clause.
    """
    result = list(datasets)
    packed_indices = [index for index, dataset in enumerate(datasets) if is_packed(dataset)]
    if not packed_indices:
        return result
    for syntax in {datasets[index].file_meta.TransferSyntaxUID for index in packed_indices}:
        if not _has_codec(syntax):
            name = plain_text(syntax.name)
            raise NoCodecError(
                f"its pixels are packed as {name}, and there is nothing here that unpacks them"
            )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = [_path_of(sources[index], folder / f"packed-{index}") for index in packed_indices]
        try:
            answer = run_in_process(
                f"{__name__}:unpack_files", {"paths": paths, "folder": temporary}
            )
        except Cancelled:
            raise
        except (SpinemetError, RuntimeError) as error:
            _log.info("The process that unpacks pixels ended.", exc_info=error)
            raise SpinemetError("its pixels are damaged, so they cannot be unpacked") from error
        if answer["failed"]:
            name = sources[packed_indices[answer["failed"][0]]].name
            raise SpinemetError(f"the pixels of {name} are damaged")
        with silence_libraries():
            for number, index in enumerate(packed_indices):
                result[index] = Source(folder / str(number)).parse()
    return result


def have_equal_pixels(one: tuple[Source, FileDataset], other: tuple[Source, FileDataset]) -> bool:
    """Whether two files hold the same image, in whatever transfer syntax each of them is.

    Parameters
    ----------
    one, other : tuple of (Source, pydicom.dataset.FileDataset)
        File and what was parsed of it, with pixels.
    """
    syntaxes = {dataset.file_meta.TransferSyntaxUID for _, dataset in (one, other)}
    if len(syntaxes) == 1:
        return bool(one[1].PixelData == other[1].PixelData)
    dataset, twin = unpack_pixels(*zip(one, other, strict=True))
    return np.array_equal(dataset.pixel_array, twin.pixel_array)


class NoCodecError(SpinemetError):
    """There is nothing that unpacks the pixels; a clause."""


def unpack_files(paths: list[str], folder: str, *, job: JobContext) -> dict[str, list[int]]:
    """Unpack files into others named by their number; in the process made for it.

    Parameters
    ----------
    paths : list of str
        DICOM files.
    folder : str
        Where the others go.
    job : JobContext
        Polled at each file.

    Returns
    -------
    dict
        ``failed``: the numbers of files that cannot be unpacked; none are tried after the first.
    """
    _limit_resources(sum(Path(path).stat().st_size for path in paths))
    for number, path in enumerate(paths):
        job.raise_if_cancelled()
        try:
            with silence_libraries():
                dataset = Source(Path(path)).parse()
                dataset.decompress(generate_instance_uid=False)
                dataset.save_as(Path(folder) / str(number))
        except Exception as error:  # noqa: BLE001  codecs raise all kinds, also for full memory
            _log.info("%s cannot be unpacked.", path, exc_info=error)
            return {"failed": [number]}
    return {"failed": []}


def _has_codec(syntax: Any) -> bool:
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False


def _path_of(source: Source, path: Path) -> str:
    """Where a file lies that the other process can open."""
    if not source.member:
        return str(source.path.resolve())
    path.write_bytes(source.content())
    return str(path)


def _limit_resources(packed_bytes: int) -> None:
    """Let the process end, and not the computer, where a file asks for too much."""
    if sys.platform == "win32":  # bounds on sizes are all there is
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_FREE_BYTES + 20 * packed_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_SECONDS,) * 2)
