"""Contours in and out, whichever format they have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import FileDataset

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.annotation import of_this_series
from . import write_annotation
from .dicom_seg import find_segmentations, read_annotations
from .label_files import (
    NIFTI_SUFFIXES,
    TIFF_SUFFIXES,
    LabelFile,
    check_writable,
    guessed_kind,
    joined,
    kind_of,
    stem_of,
    suffix_of,
)
from .nifti import load_nifti, write_nifti
from .tiff import load_label_tiff, write_label_tiff

FORMATS = ("seg", "nifti", "tiff")
"""DICOM Segmentation, NIfTI, TIFF."""


def read_contours(
    path: str | os.PathLike[str], series: SagittalSeries, kind: str | None = None
) -> list[Annotation]:
    """Read the contours of every reader onto the grid of a series.

    Parameters
    ----------
    path : path-like
        A file (DICOM SEG, zip of them, NIfTI or TIFF) or a folder with files of one of these
        formats. In a folder, NIfTI and TIFF files belong together that share their name up to
        the kind: ``A_lesions.nii.gz`` and ``A_vertebrae.nii.gz``.
    series : SagittalSeries
    kind : str, optional
        ``"lesions"`` or ``"vertebrae"``, for a single NIfTI or TIFF file whose name does not
        say it. A DICOM SEG always does.

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
    place = Path(path)
    try:
        if place.is_file() and suffix_of(place):
            return [joined([_loaded(place, series, kind)], series)]
        files = _label_files(place) if place.is_dir() else []
    except OSError as error:
        raise SpinemetError(
            f"{place} cannot be opened ({error.strerror or error}); check its permissions."
        ) from error
    if not files:
        return read_annotations(place, series)
    formats = {suffix_of(file) in NIFTI_SUFFIXES for file in files}
    if len(formats) > 1 or _holds_segmentations(place):
        raise SpinemetError(
            f"{place} holds contours in several formats, perhaps the same ones twice; choose the "
            "files of one of them."
        )
    if len(files) == 1:
        return [joined([_loaded(files[0], series, kind)], series)]
    return _from_folder(place, files, series)


def write_contours(
    annotation: Annotation,
    series: SagittalSeries,
    folder: str | os.PathLike[str],
    stem: str,
    format: str,  # noqa: A002  what it is called everywhere else
    source_images: Sequence[FileDataset] = (),
) -> list[Path]:
    """Write contours in one of the formats.

    Parameters
    ----------
    annotation : Annotation
        On the grid of ``series``; at least one label.
    series : SagittalSeries
        As read.
    folder : path-like
        Made if it is missing.
    stem : str
        Start of the names: ``STEM.dcm``, ``STEM_lesions.nii.gz`` and so on.
    format : str
        One of :data:`FORMATS`.
    source_images : sequence of pydicom.dataset.FileDataset
        The images that the series was read from; needed for a DICOM SEG.

    Returns
    -------
    list of Path
        What was written; all of it or nothing.

    Raises
    ------
    SpinemetError
        If the format is unknown, if there is nothing to write, or if the files cannot be
        written.
    """
    if format not in FORMATS:
        raise SpinemetError(f"The format is one of {', '.join(FORMATS)}, not '{format}'.")
    if format == "nifti":
        return write_nifti(annotation, series, folder, stem)
    if format == "tiff":
        return write_label_tiff(annotation, series, folder, stem)
    check_writable(annotation, series, stem)
    return [write_annotation(annotation, series, source_images, Path(folder) / f"{stem}.dcm")]


def _loaded(path: Path, series: SagittalSeries, kind: str | None) -> LabelFile:
    load = load_label_tiff if suffix_of(path) in TIFF_SUFFIXES else load_nifti
    return load(path, series, kind)


def _label_files(folder: Path) -> list[Path]:
    """NIfTI and TIFF files of a folder and those inside it, by name."""
    return sorted(
        file
        for file in folder.rglob("*")
        if suffix_of(file) and not file.name.startswith(".") and file.is_file()
    )


def _holds_segmentations(folder: Path) -> bool:
    try:
        return bool(find_segmentations(folder))
    except SpinemetError:  # there is nothing DICOM at all
        return False


def _from_folder(folder: Path, files: Sequence[Path], series: SagittalSeries) -> list[Annotation]:
    """One Annotation for each stem."""
    known = [file for file in files if guessed_kind(file)]
    if not known:
        kind_of(files[0], None)
    groups: dict[tuple[Path, str], list[Path]] = {}
    for file in known:
        groups.setdefault((file.parent, stem_of(file)), []).append(file)
    found: list[tuple[Annotation, bool]] = []
    # A scan may lie beside its labels, and only its name tells it from them.
    refused = [
        SpinemetError(f"{file.name} tells neither lesions nor vertebrae by its name.")
        for file in files
        if file not in known
    ]
    for group in groups.values():
        try:
            held = [_loaded(file, series, None) for file in group]
            found.append((joined(held, series), any(file.other_series for file in held)))
        except SpinemetError as error:
            refused.append(error)
    return of_this_series(found, refused, folder)
