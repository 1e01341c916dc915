"""The reader of DICOM series, and the files that a series was read from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom.dataset import FileDataset

from ..errors import SpinemetError
from ..imaging import SagittalSeries, ScanWarning, SeriesSummary
from ..imaging.geometry import reorient
from .candidates import choose_candidate, find_candidates
from .examination import examination_of
from .files.archives import ARCHIVE_ERRORS, keep_archives_open
from .files.sources import NotDicomError, Source, begins_as_dicom
from .frames import FrameHeader
from .headers import facts_of, value_of
from .library_messages import silence_libraries, why_unreadable
from .pixels import read_multi_frames, read_single_frames
from .stacks.stack import Stack
from .unpacking import NoCodecError
from .verdicts import Candidate


class DicomSeriesReader:
    """DICOM in folders, files, zips and DICOMDIRs; see ``SeriesReader`` for its methods."""

    def recognises(self, path: Path) -> bool:
        """Every path: DICOM files need no extension, and what is none gets a sentence why."""
        return True

    def list_series(self, path: Path) -> list[SeriesSummary]:
        """What a folder, file, zip or DICOMDIR holds, from the headers alone."""
        with silence_libraries(), keep_archives_open():
            return [candidate.summary for candidate in find_candidates(path)]

    def read_series(
        self, path: Path, series_uid: str | None, stack: int | None = None
    ) -> SagittalSeries:
        """Read a sagittal series.

        Parameters
        ----------
        path : Path
            Folder, file, zip or DICOMDIR.
        series_uid : str or None
            Which series; None for the one that is detectable.
        stack : int or None
            Which of its volumes; None for the one that is detectable.
        """
        with silence_libraries(), keep_archives_open():
            candidate = choose_candidate(find_candidates(path), series_uid, path, stack)
            return _read_candidate(candidate, path)


def source_images(
    path: str | os.PathLike[str], series_uid: str, stack: int = 1
) -> list[FileDataset]:
    """The objects of a series with their pixels, as they are stored, each file once.

    Of several series that were put together all have the identifier of the first.

    Parameters
    ----------
    path : path-like
        Folder, file, zip or DICOMDIR.
    series_uid : str
        Which of its series.
    stack : int
        Which of the volumes of that.

    Raises
    ------
    SpinemetError
        If there is no such series, or one of its files cannot be read.
    """
    with silence_libraries(), keep_archives_open():
        candidate = choose_candidate(find_candidates(path), series_uid, path, stack)
        try:
            images = [source.parse() for source in _files_of(candidate)]
        except NotDicomError as error:
            raise SpinemetError(f"{error}; copy the scan again.") from error
    for image in images:
        image.SeriesInstanceUID = candidate.uids[0]
    return images


def content_hash(path: str | os.PathLike[str], series_uid: str, stack: int = 1) -> str:
    """One hash of the files of a series, whatever they are called and in whatever order.

    Parameters
    ----------
    path : path-like
        Folder, file, zip or DICOMDIR.
    series_uid : str
        Which of its series.
    stack : int
        Which of the volumes of that.

    Raises
    ------
    SpinemetError
        If there is no such series, or one of its files cannot be read.
    """
    with silence_libraries(), keep_archives_open():
        sources = _sources_of(path, series_uid, stack)
        try:
            digests = sorted(hashlib.sha256(source.content()).hexdigest() for source in sources)
        except ARCHIVE_ERRORS as error:
            raise SpinemetError(f"The scan at {path} cannot be read; copy it again.") from error
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def plain_files(path: str | os.PathLike[str], series_uid: str, stack: int = 1) -> list[Path]:
    """The files of a series in order, where each may be copied byte by byte; else none.

    Parameters
    ----------
    path : path-like
        Folder, file, zip or DICOMDIR.
    series_uid : str
        Which of its series.
    stack : int
        Which of the volumes of that.

    Returns
    -------
    list of Path
        Empty if one of them lies in a zip, or lacks the preamble that makes it a DICOM file.

    Raises
    ------
    SpinemetError
        If there is no such series.
    """
    with silence_libraries(), keep_archives_open():
        sources = _sources_of(path, series_uid, stack)
    files = [source.path for source in sources if not source.member]
    is_plain = len(files) == len(sources) and all(map(_has_preamble, files))
    return files if is_plain else []


def _has_preamble(file: Path) -> bool:
    with file.open("rb") as stream:
        return begins_as_dicom(stream.read(132))


def _sources_of(path: str | os.PathLike[str], series_uid: str, stack: int) -> list[Source]:
    return _files_of(choose_candidate(find_candidates(path), series_uid, path, stack))


def _files_of(candidate: Candidate) -> list[Source]:
    """Its files, each once: all frames of one file have the same source."""
    return list(dict.fromkeys(source for source, _ in candidate.stack.images))


def _read_candidate(candidate: Candidate, path: Path) -> SagittalSeries:
    summary, stack = candidate.summary, candidate.stack
    if candidate.geometry_fault:
        raise SpinemetError(
            f"The series {candidate.title} cannot be used: {candidate.geometry_fault}; "
            "choose another series or export this one again."
        )
    notes = list(stack.warnings)
    if not summary.detectable:
        notes.append(
            ScanWarning(
                "not-for-detection", f"This series is not meant for detection: {summary.reason}."
            )
        )
    try:
        volume = _read_volume(stack, notes)
        array, affine = reorient(np.asarray(volume.array), np.asarray(volume.affine, dtype=float))
        voxels = array.astype(np.float32, copy=False)
    except Exception as error:
        # One of its files, in a clause of ours.
        reason = str(error) if isinstance(error, NotDicomError) else why_unreadable(error)
        remedy = "copy or export the scan again"
        if isinstance(error, NoCodecError):
            remedy = "export it uncompressed"
        raise SpinemetError(
            f"The series {candidate.title} cannot be read: {reason}; {remedy}."
        ) from error
    return SagittalSeries(
        voxels,
        affine,
        series_uid=summary.series_uid,
        study_uid=str(value_of(stack.header, "StudyInstanceUID", "")),
        frame_of_reference_uid=volume.frame_of_reference_uid or "",
        description=summary.description,
        contrast=summary.contrast,
        stack=summary.stack,
        facts=facts_of(stack.header),
        warnings=tuple(notes),
        # Absolute, since contours may be written long after the working folder has changed.
        source=path.absolute(),
        examination=examination_of(stack.header),
    )


def _read_volume(stack: Stack, notes: list[ScanWarning]) -> hd.Volume:
    # Objects of frames may hold one frame each: some scanners export every slice so.
    kinds = {isinstance(header, FrameHeader) for _, header in stack.images}
    if kinds == {True, False}:
        raise SpinemetError("it mixes multi-frame and single-frame files")
    read_pixels = read_multi_frames if kinds == {True} else read_single_frames
    return read_pixels(stack, notes)
