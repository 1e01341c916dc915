"""List the series of a folder and read the one that can be detected on."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from ..errors import SpinemetError
from ..imaging import SagittalSeries, SeriesSummary
from ..imaging.geometry import reorient
from .frames import frame_headers, is_multi_frame
from .headers import contrast_of, facts_of, strings_of, value_of
from .pixels import multi_frame_volume, repair_decimal_commas, single_frame_volume
from .sources import Found, NotDicomError, Source, first_clause, quiet, scan
from .stacks import Stack, belongs, split

_NOT_IMAGES = {"SEG", "PR", "KO", "SR", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "DOC", "AU"}
_MAX_LISTED = 5
"""Series that a message names before it only counts."""


@dataclass
class _Candidate:
    """One series of a folder with its stacks, the one that counts, and the verdict on it."""

    summary: SeriesSummary
    stack: Stack
    geometry_fault: str


def list_series(path: str | os.PathLike[str]) -> list[SeriesSummary]:
    """Say what a folder, file, zip or DICOMDIR holds, from the headers alone.

    Parameters
    ----------
    path : path-like
        Files need no extension and no preamble; several series may share one folder.

    Returns
    -------
    list of SeriesSummary
        In the order of their first files.

    Raises
    ------
    SpinemetError
        If there is no DICOM image at all.
    """
    with quiet():
        return [candidate.summary for candidate in _candidates(scan(path), path)]


def read_series(path: str | os.PathLike[str], series_uid: str | None = None) -> SagittalSeries:
    """Read a sagittal series.

    Parameters
    ----------
    path : path-like
        Folder, file, zip or DICOMDIR.
    series_uid : str, optional
        Which series; without it the one that is detectable. A series named here may have
        any contrast, but its geometry must be that of a sagittal stack.

    Returns
    -------
    SagittalSeries
        In LFP order, modality rescale applied, MONOCHROME1 inverted.

    Raises
    ------
    SpinemetError
        If no series or more than one fits, or if the series cannot be read without
        guessing its geometry.
    """
    with quiet():
        candidate = _choose(_candidates(scan(path), path), series_uid, path)
        summary, stack = candidate.summary, candidate.stack
        if candidate.geometry_fault:
            raise SpinemetError(
                f"The series {_name(summary)} cannot be used: {candidate.geometry_fault}; "
                "choose another series or export this one again."
            )
        notes = list(stack.warnings)
        if not summary.detectable:
            notes.append(f"This series is not meant for detection: {summary.reason}.")
        try:
            volume, header = _read_volume(stack, notes)
            array, affine = reorient(
                np.asarray(volume.array), np.asarray(volume.affine, dtype=float)
            )
            voxels = array.astype(np.float32)
        except Exception as error:
            raise SpinemetError(
                f"The series {_name(summary)} cannot be read: {first_clause(error)}; "
                "copy or export the scan again."
            ) from error
        return SagittalSeries(
            voxels,
            affine,
            series_uid=summary.series_uid,
            study_uid=str(value_of(header, "StudyInstanceUID", "")),
            frame_of_reference_uid=volume.frame_of_reference_uid or "",
            description=summary.description,
            contrast=summary.contrast,
            facts=facts_of(header),
            warnings=tuple(notes),
        )


def _read_volume(stack: Stack, notes: list[str]) -> tuple[hd.Volume, Dataset]:
    several = {is_multi_frame(header) for _, header in stack.images}
    if several == {True, False}:
        raise SpinemetError("it mixes multi-frame and single-frame files")
    read = multi_frame_volume if several == {True} else single_frame_volume
    return read(stack, notes), stack.header


def source_images(path: str | os.PathLike[str], series_uid: str) -> list[FileDataset]:
    """The objects of a series with their pixels, as they are stored, each file once.

    Raises
    ------
    SpinemetError
        If there is no such series, or one of its files cannot be read.
    """
    with quiet():
        candidate = _choose(_candidates(scan(path), path), series_uid, path)
        sources = dict.fromkeys(source for source, _ in candidate.stack.images)
        try:
            return [source.read() for source in sources]
        except NotDicomError as error:
            raise SpinemetError(f"{error}; copy the scan again.") from error


def content_hash(path: str | os.PathLike[str], series_uid: str) -> str:
    """One hash of the files of a series, whatever they are called and in whatever order.

    Raises
    ------
    SpinemetError
        If there is no such series, or one of its files cannot be read.
    """
    with quiet():
        candidate = _choose(_candidates(scan(path), path), series_uid, path)
    try:
        each = sorted(
            hashlib.sha256(source.raw()).hexdigest()
            for source in {source for source, _ in candidate.stack.images}
        )
    except (OSError, zipfile.BadZipFile) as error:
        raise SpinemetError(f"The scan at {path} cannot be read; copy it again.") from error
    return hashlib.sha256("\n".join(each).encode()).hexdigest()


def _choose(
    candidates: list[_Candidate], series_uid: str | None, path: str | os.PathLike[str]
) -> _Candidate:
    if series_uid is not None:
        for candidate in candidates:
            if candidate.summary.series_uid == series_uid:
                return candidate
        raise SpinemetError(
            f"No series in {path} has the UID {series_uid}; it holds "
            f"{_listed(c.summary for c in candidates)}; choose one of these."
        )
    fitting = [c for c in candidates if c.summary.detectable]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SpinemetError(
            f"{len(fitting)} series in {path} can be detected on, "
            f"{_listed(c.summary for c in fitting)}; say which by its UID."
        )
    if len(candidates) == 1:
        summary = candidates[0].summary
        raise SpinemetError(
            f"The series {_name(summary)} cannot be detected on: {summary.reason}; choose another "
            "series or export this one again."
        )
    reasons = _first([f"{_name(c.summary)}: {c.summary.reason}" for c in candidates], "; ")
    raise SpinemetError(
        f"No series in {path} can be detected on ({reasons}); choose a sagittal STIR series."
    )


def _name(summary: SeriesSummary) -> str:
    return f"'{summary.description}'" if summary.description else summary.series_uid


def _listed(summaries: Iterable[SeriesSummary]) -> str:
    return _first([f"{_name(s)} ({s.series_uid})" for s in summaries], ", ")


def _first(items: list[str], separator: str) -> str:
    """The first few of a list, and how many more there are."""
    more = len(items) - _MAX_LISTED
    tail = [f"and {more} more"] if more > 0 else []
    return separator.join([*items[:_MAX_LISTED], *tail])


def _candidates(found: Found, path: str | os.PathLike[str]) -> list[_Candidate]:
    by_series: dict[str, list[tuple[Source, Dataset]]] = {}
    for source, header in found.headers:
        try:
            if str(value_of(header, "Modality", "")) in _NOT_IMAGES:
                continue
            if "Rows" not in header:
                if _should_be_image(header):
                    found.skipped.append(f"{source.name} is damaged (it ends before its image)")
                continue
            repair_decimal_commas(header)
            images = frame_headers(header) if is_multi_frame(header) else [header]
        except Exception as error:  # as at any other place where a file's content is first used
            found.skipped.append(f"{source.name} is damaged ({first_clause(error)})")
            continue
        by_series.setdefault(str(value_of(header, "SeriesInstanceUID", "")), []).extend(
            (source, image) for image in images
        )
    if not by_series:
        damaged = _damaged(found)
        if damaged:
            raise SpinemetError(
                f"No image in {path} can be read, the first one since {damaged[0]}; copy the "
                "scan again."
            )
        raise SpinemetError(
            f"There are DICOM files but no images among them in {path}; choose a scan."
        )
    if len(by_series) > 1:
        # They may have belonged to any of the others.
        lost = {source.name for source, _ in by_series.get("", [])}
        found.skipped.extend(f"{name} is damaged (it names no series)" for name in sorted(lost))
    return [_judge(uid, images, found) for uid, images in by_series.items()]


def _should_be_image(header: FileDataset) -> bool:
    """Whether an object without an image lost it: a file cut off parses without complaint.

    Reports and raw data say what they are; what says nothing that is known has lost that too.
    """
    told = (
        value_of(header.file_meta, "MediaStorageSOPClassUID"),
        value_of(header, "SOPClassUID"),
    )
    names = [uid.name for uid in map(UID, filter(None, told)) if uid.name != uid]
    return not names or any("Image Storage" in name for name in names)


def _damaged(found: Found) -> list[str]:
    return [reason for reason in found.skipped if "is not a DICOM file" not in reason]


def _judge(uid: str, images: list[tuple[Source, Dataset]], found: Found) -> _Candidate:
    stacks = split(images)
    sound = [s for s in stacks if not s.fault()]
    usable = [s for s in sound if s.plane() == "sagittal"]
    if (
        len(sound) == 1
        and usable
        and any(belongs(s, sound[0]) for s in stacks if s is not sound[0])
    ):
        sound, usable = [], []
    if len(usable) == 1 and len(sound) == 1:
        stack = usable[0]
        for other in stacks:
            if other is not stack:
                stack.warnings.append(
                    f"{len(other.images)} images that do not fit the stack were passed over."
                )
    else:
        stack = stacks[0]
    planes = {s.plane() for s in stacks}
    plane = stack.plane() if len(usable) == 1 or len(planes) == 1 else "mixed"
    contrast = contrast_of(stack.header)
    geometry = ""
    if stack not in usable or len(sound) > 1:
        if len(stacks) > 1 and (len(sound) != 1 or not usable):
            geometry = f"it holds {len(stacks)} stacks of images that do not form one volume"
            if plane != "sagittal":
                geometry += f", and its plane is {plane}"
        elif plane != "sagittal":
            geometry = f"its plane is {plane}, and lesions are looked for in sagittal series"
            if plane == "unknown":
                geometry = stack.fault()
        else:
            geometry = stack.fault()
    damaged = _damaged(found)
    if damaged:
        files = "file was" if len(damaged) == 1 else "files were"
        stack.warnings.append(
            f"{len(damaged)} damaged {files} passed over, so slices at an end may be missing."
        )
    reason = geometry
    modality = str(value_of(stack.header, "Modality", ""))
    if not reason and modality != "MR":
        reason = f"its modality is {modality or 'unknown'}, and lesions are looked for in MR"
    if not reason and not (
        contrast == "STIR" or (contrast == "T2" and _fat_saturated(stack.header))
    ):
        reason = (
            f"its contrast is {contrast}, and lesions are looked for in fat-suppressed T2 (STIR)"
        )
    return _Candidate(
        SeriesSummary(
            series_uid=uid,
            description=" ".join(str(value_of(stack.header, "SeriesDescription", "")).split()),
            plane=plane,
            contrast=contrast,
            slices=sum(len(s.images) for s in stacks),
            spacing_mm=stack.spacing_mm(),
            detectable=not reason,
            reason=reason,
        ),
        stack,
        geometry,
    )


def _fat_saturated(header: Dataset) -> bool:
    return "FS" in {option.upper() for option in strings_of(header, "ScanOptions")}
