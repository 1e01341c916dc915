"""Every way to read a series, and the two functions that choose among them.

A further reader (of NIfTI scans, say) is a class with the three methods of :class:`SeriesReader`
in a file of its own, and one more entry in :data:`SERIES_READERS`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from ..imaging import SagittalSeries, SeriesSummary
from .reading import DicomSeriesReader


class SeriesReader(Protocol):
    """Lists and reads the series of one kind of files."""

    def recognises(self, path: Path) -> bool:
        """Whether the files at a path are of this kind; quick, and never an error."""

    def list_series(self, path: Path) -> list[SeriesSummary]:
        """Every series at a path; a ``SpinemetError`` if there is none."""

    def read_series(
        self, path: Path, series_uid: str | None, stack: int | None = None
    ) -> SagittalSeries:
        """Read one series with its ``source`` set.

        Parameters
        ----------
        path : Path
            One that it recognises.
        series_uid : str or None
            Which series; None for the only one that is detectable. A ``SpinemetError`` says what
            does not fit.
        stack : int or None
            Which volume of the series, from 1; None for the only one that is detectable.
        """


SERIES_READERS: tuple[SeriesReader, ...] = (DicomSeriesReader(),)
"""The first that recognises a path reads it; DICOM's, which takes every path, comes last."""


def list_series(path: str | os.PathLike[str]) -> list[SeriesSummary]:
    """Say what a folder, file, zip or DICOMDIR holds, from the headers alone.

    Parameters
    ----------
    path : path-like
        Files need no extension and no preamble; several series may share one folder.

    Returns
    -------
    list of SeriesSummary
        One for each volume of each series, in the order of their first files.

    Raises
    ------
    SpinemetError
        If there is no DICOM image at all.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> from napari_spinemet.phantom import PhantomImage
    >>> from napari_spinemet.phantom.writing import write_case
    >>> affine = np.array([[4.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    >>> series = spinemet.SagittalSeries(np.zeros((3, 8, 6)), affine, description="STIR SAG")
    >>> vertebra = np.ones(series.shape, dtype=np.uint16)
    >>> contours = spinemet.Annotation(0 * vertebra, vertebra)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image = PhantomImage("stir", series, series.voxels.astype(np.int16))
    ...     write_case(Path(folder), [image], contours, {}, identity="1", name="Phantom")
    ...     (summary,) = spinemet.list_series(Path(folder) / "scan")
    >>> summary.plane, summary.contrast, summary.slices, summary.detectable
    ('sagittal', 'STIR', 3, True)
    """
    root = Path(path)
    return _reader_of(root).list_series(root)


def read_series(
    path: str | os.PathLike[str], series_uid: str | None = None, stack: int | None = None
) -> SagittalSeries:
    """Read a sagittal series.

    Parameters
    ----------
    path : path-like
        Folder, file, zip or DICOMDIR.
    series_uid : str, optional
        Which series; without it the one that is detectable. A series named here may have
        any contrast, but its geometry must be that of a sagittal stack.
    stack : int, optional
        Which volume of the series, from 1, as ``list_series`` numbers them; without it the one
        that is detectable.

    Returns
    -------
    SagittalSeries
        In LFP order, modality rescale applied, MONOCHROME1 inverted; ``source`` is the path.

    Raises
    ------
    SpinemetError
        If no series or more than one fits, or if the series cannot be read without
        guessing its geometry.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> from napari_spinemet.phantom import PhantomImage
    >>> from napari_spinemet.phantom.writing import write_case
    >>> affine = np.array([[4.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    >>> series = spinemet.SagittalSeries(np.ones((3, 8, 6)), affine, description="STIR SAG")
    >>> vertebra = np.ones(series.shape, dtype=np.uint16)
    >>> contours = spinemet.Annotation(0 * vertebra, vertebra)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image = PhantomImage("stir", series, series.voxels.astype(np.int16))
    ...     write_case(Path(folder), [image], contours, {}, identity="1", name="Phantom")
    ...     copy = spinemet.read_series(Path(folder) / "scan")
    >>> copy.shape, copy.spacing_mm, copy.source.name
    ((3, 8, 6), (4.0, 1.0, 1.0), 'scan')
    """
    root = Path(path)
    return _reader_of(root).read_series(root, series_uid, stack)


def _reader_of(path: Path) -> SeriesReader:
    return next(reader for reader in SERIES_READERS if reader.recognises(path))
