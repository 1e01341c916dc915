"""What all formats share in writing: what is refused, and files that are put in place together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset

from ..atomic_files import replace_atomically
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries


@dataclass(frozen=True, eq=False)
class DicomContext:
    """What only DICOM formats need to be written.

    Attributes
    ----------
    source_images : sequence of pydicom.dataset.FileDataset
        The images that the series was read from; empty to read them from ``series.source``.
    uid : str or None
        Stem of the identifiers of the object, at most 62 characters; None for new ones.
    date : str or None
        ``YYYYMMDD`` to put for the current date and midnight for the time.
    """

    source_images: Sequence[FileDataset] = ()
    uid: str | None = None
    date: str | None = None


def check_writable(annotation: Annotation, series: SagittalSeries, stem: str) -> None:
    """Refuse what would be written wrong.

    Parameters
    ----------
    annotation : Annotation
        Must have the shape of the series and at least one label.
    series : SagittalSeries
        Whose grid the contours are written on.
    stem : str
        Start of the names of the files.

    Raises
    ------
    SpinemetError
        If the contours are of another shape than the series or there are none, or if the stem
        is no file name.
    """
    if annotation.lesions.shape != series.shape:
        raise SpinemetError(
            f"The contours have shape {annotation.lesions.shape}, the series {series.shape}; "
            "contours are written on the grid they were drawn on."
        )
    if annotation.empty:
        raise SpinemetError("Nothing has been contoured yet, so there is nothing to write.")
    if not stem or stem != Path(stem).name or "\\" in stem or stem.startswith("."):
        raise SpinemetError(f"'{stem}' is no name for files; choose one without slashes.")


def write_together(files: Sequence[tuple[Path, Callable[[Path], object]]]) -> list[Path]:
    """Write several files, each to a temporary one first, and put them in place at the end.

    New lesions beside old vertebrae would look like one set of contours.

    Parameters
    ----------
    files : sequence of (Path, callable)
        Each target, and what writes its content to the path it is given.

    Raises
    ------
    SpinemetError
        If one of them cannot be written; all are then as they were.
    """
    with ExitStack() as stack:
        for target, write_content in files:
            temporary = stack.enter_context(replace_atomically(target))
            write_content(temporary)
            # A disk that fills up late shall show before the first file is put in place.
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
    return [target for target, _ in files]
