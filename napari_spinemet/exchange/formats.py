"""Every format of contours, and reading and writing in whichever of them a path asks for.

A further format (DICOM RTSTRUCT, say) is a class with the members of :class:`AnnotationFormat`
in a file of its own, and one more entry in :data:`FORMATS`: reading, writing, the command line
and the window go by that list.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydicom.dataset import FileDataset

from ..dicom.files.sources import Source
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from .contour_sets import ContourSets, select_annotations
from .dicom_seg import DicomSegFormat
from .nifti import NiftiFormat
from .tiff import TiffFormat
from .writing import DicomContext


class AnnotationFormat(Protocol):
    """One format of contour files.

    Attributes
    ----------
    name : str
        On the command line.
    title : str
        In sentences.
    suffixes : tuple of str
        In lower case; a path that ends in one of them asks for this format. Several formats may
        share one, if they tell their own files by what is in them.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]

    def stem_of(self, path: Path) -> str:
        """What the names of the files begin with that are written to a path."""

    def find_files(self, path: Path) -> list[Source]:
        """The files of this format at a path, which may be a file, a folder or nothing.

        None is no error; a ``SpinemetError`` may say why there cannot be any.
        """

    def read_files(
        self, sources: Sequence[Source], series: SagittalSeries, kind: str | None
    ) -> ContourSets:
        """Read contours onto the grid of a series, and never resample them.

        Parameters
        ----------
        sources : sequence of Source
            What ``find_files`` gave; at least one.
        series : SagittalSeries
            The one whose contours are looked for.
        kind : str or None
            ``"lesions"`` or ``"vertebrae"``, for files that do not say it.
        """

    def write_files(
        self,
        annotation: Annotation,
        series: SagittalSeries,
        folder: Path,
        stem: str,
        context: DicomContext | None = None,
    ) -> list[Path]:
        """Write contours, all of the files or none, and give their paths.

        Parameters
        ----------
        annotation : Annotation
            Refused unless it is of the shape of ``series`` and has a label.
        series : SagittalSeries
            As read.
        folder : Path
            Made if it is missing.
        stem : str
            Start of the names; refused if it is no name.
        context : DicomContext, optional
            Looked at by DICOM formats only.
        """


FORMATS: tuple[AnnotationFormat, ...] = (DicomSegFormat(), NiftiFormat(), TiffFormat())


def format_named(name: str) -> AnnotationFormat:
    """The format of a name.

    Raises
    ------
    SpinemetError
        If there is none.
    """
    for annotation_format in FORMATS:
        if annotation_format.name == name:
            return annotation_format
    raise SpinemetError(f"The format is one of {', '.join(f.name for f in FORMATS)}, not '{name}'.")


def read_annotation(
    path: str | os.PathLike[str],
    series: SagittalSeries,
    *,
    kind: str | None = None,
    reader: str | None = None,
) -> Annotation:
    """Read the contours of one reader onto the grid of a series; they are never resampled.

    Parameters
    ----------
    path : path-like
        A DICOM SEG (or a zip of them), NIfTI or TIFF file, or a folder with files of one of
        these formats. In a folder, NIfTI and TIFF files belong together that share their name up
        to the kind: ``A_lesions.nii.gz`` and ``A_vertebrae.nii.gz``.
    series : SagittalSeries
        The series that they were drawn on.
    kind : str, optional
        ``"lesions"`` or ``"vertebrae"``, for a single NIfTI or TIFF file that does not say it.
    reader : str, optional
        Whose contours, where there are those of several readers.

    Returns
    -------
    Annotation
        A layer that no file speaks of is empty and not among ``holds``. Whatever was passed over
        or had to be decided is in the warnings.

    Raises
    ------
    SpinemetError
        If there are no contours or those of several readers, if they lie on another grid or in
        another frame of reference, or if files of several formats lie together.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> affine = np.array([[4.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    >>> series = spinemet.SagittalSeries(np.zeros((3, 8, 6)), affine)
    >>> lesions = np.zeros(series.shape, dtype=np.uint16)
    >>> lesions[1, 2:4, 2:5] = 1
    >>> contours = spinemet.Annotation(lesions, 0 * lesions, reader="Ann")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = spinemet.write_annotation(contours, series, Path(folder) / "case.nii.gz")
    ...     copy = spinemet.read_annotation(folder, series)
    >>> copy.reader, int(copy.lesions.sum())
    ('Ann', 6)
    """
    root = Path(path)
    annotation_format, sources = _find(root)
    annotations = select_annotations(annotation_format.read_files(sources, series, kind), root)
    readers = sorted({a.reader for a in annotations if a.reader})
    if reader is not None:
        annotations = [a for a in annotations if a.reader == reader]
    if len(annotations) == 1:
        return annotations[0]
    names = f", by {' and '.join(readers)}" if len(readers) > 1 else ""
    if not annotations:
        names = f", only by {' and '.join(readers)}" if readers else ""
        raise SpinemetError(
            f"There are no contours by {reader} in {root}{names}; choose another reader."
        )
    raise SpinemetError(
        f"There are {len(sources)} contour files ({annotation_format.title}) in {root}{names}; "
        "choose exactly one."
    )


def read_annotations(
    path: str | os.PathLike[str], series: SagittalSeries, kind: str | None = None
) -> list[Annotation]:
    """Read the contours of every reader onto the grid of a series.

    Parameters
    ----------
    path : path-like
        As for :func:`read_annotation`.
    series : SagittalSeries
        The series that they were drawn on.
    kind : str, optional
        As for :func:`read_annotation`.

    Returns
    -------
    list of Annotation
        At least one, by reader. Contours of other series are passed over if there are some of
        this one; whatever else was passed over is told in the warnings.

    Raises
    ------
    SpinemetError
        If there are no contours, if files of several formats lie together, or if nothing lies
        on this series; the sentence gives the file and the reason.
    """
    root = Path(path)
    annotation_format, sources = _find(root)
    return select_annotations(annotation_format.read_files(sources, series, kind), root)


def write_annotation(
    annotation: Annotation,
    series: SagittalSeries,
    path: str | os.PathLike[str],
    *,
    source_images: Sequence[FileDataset] = (),
    uid: str | None = None,
    when: str | None = None,
) -> list[Path]:
    """Write contours in the format that the suffix of a path asks for.

    Parameters
    ----------
    annotation : Annotation
        On the grid of ``series``; at least one label.
    series : SagittalSeries
        The series, as read.
    path : path-like
        ``.dcm`` is a DICOM SEG, one file. ``.nii.gz`` and ``.nii`` are NIfTI: ``case.nii.gz``
        stands for ``case_lesions.nii.gz``, ``case_vertebrae.nii.gz`` and, if vertebrae have
        names, ``case_levels.json``. ``.tif`` and ``.tiff`` are TIFF: ``case_lesions.tif`` and
        ``case_vertebrae.tif``. The folder is made if it is missing.
    source_images : sequence of pydicom.dataset.FileDataset
        For a DICOM SEG the images that the series was read from; by default they are read
        again from ``series.source``.
    uid : str, optional
        Stem of the identifiers of a DICOM SEG, at most 62 characters; new ones if not given.
    when : str, optional
        ``YYYYMMDD`` to put for the current date and midnight for the time in a DICOM SEG, for
        output that must be the same each time, as that of the other formats always is.

    Returns
    -------
    list of Path
        What was written; all of it or nothing.

    Raises
    ------
    SpinemetError
        If the suffix is none of these, if there is nothing to write, if the contours lie on
        another grid than the series or the series on another than the images, or if a file
        cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> affine = np.array([[4.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    >>> series = spinemet.SagittalSeries(np.zeros((3, 8, 6)), affine)
    >>> lesions = np.zeros(series.shape, dtype=np.uint16)
    >>> lesions[1, 2:4, 2:5] = 1
    >>> contours = spinemet.Annotation(lesions, 0 * lesions)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = spinemet.write_annotation(contours, series, Path(folder) / "case.tif")
    >>> [file.name for file in files]
    ['case_lesions.tif', 'case_vertebrae.tif']
    """
    target = Path(path)
    formats = _formats_of_suffix(target)
    if not formats:
        suffixes = [suffix for f in FORMATS for suffix in f.suffixes]
        raise SpinemetError(
            f"The name {target.name} tells no format of contours; let it end in "
            f"{', '.join(suffixes[:-1])} or {suffixes[-1]}."
        )
    context = DicomContext(source_images, uid, when)
    stem = formats[0].stem_of(target)
    return formats[0].write_files(annotation, series, target.parent, stem, context)


def _formats_of_suffix(path: Path) -> list[AnnotationFormat]:
    return [f for f in FORMATS if path.name.lower().endswith(f.suffixes)]


def _find(path: Path) -> tuple[AnnotationFormat, list[Source]]:
    """The one format that there are contours of at a path, and their files.

    The suffix of a file counts. Folders and files without one, such as zips, are searched for
    each format by what is in them.
    """
    matches: list[tuple[AnnotationFormat, list[Source]]] = []
    errors: list[SpinemetError] = []
    try:
        formats = (_formats_of_suffix(path) if path.is_file() else []) or FORMATS
        for annotation_format in formats:
            try:
                sources = annotation_format.find_files(path)
            except SpinemetError as error:
                errors.append(error)
                continue
            if sources:
                matches.append((annotation_format, sources))
    except OSError as error:
        raise SpinemetError(
            f"{path} cannot be opened ({error.strerror or error}); check its permissions."
        ) from error
    if len(matches) > 1:
        raise SpinemetError(
            f"{path} holds contours in several formats, perhaps the same ones twice; choose the "
            "files of one of them."
        )
    if matches:
        return matches[0]
    # That a folder of NIfTI holds no DICOM is no fault; where there is nothing else it is told.
    raise (
        errors[0]
        if errors
        else SpinemetError(
            f"There are no contour files (DICOM SEG) in {path}; choose the folder, file or zip "
            "that holds them."
        )
    )
