"""List the series of a folder and read the one that can be detected on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileDataset

from ..errors import SpinemetError
from ..imaging import SagittalSeries, SeriesSummary
from ..imaging.geometry import reorient
from .frames import frame_headers, is_multi_frame
from .headers import contrast_of, facts_of
from .pixels import repair_decimal_commas, single_frame_volume
from .sources import Found, NotDicomError, Source, scan
from .stacks import Stack, split

_NOT_IMAGES = {"SEG", "PR", "KO", "SR", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "DOC", "AU"}


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
    return [candidate.summary for candidate in _candidates(scan(path))]


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
    candidate = _choose(_candidates(scan(path)), series_uid, path)
    summary, stack = candidate.summary, candidate.stack
    if candidate.geometry_fault:
        raise SpinemetError(
            f"The series {_name(summary)} cannot be used: {candidate.geometry_fault}."
        )
    notes = list(stack.warnings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each library's remarks on form; faults are exceptions
        try:
            volume, header = _read_volume(stack, notes)
        except (SpinemetError, NotDicomError) as error:
            raise SpinemetError(f"The series {_name(summary)} cannot be read: {error}.") from error
        except Exception as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise SpinemetError(
                f"The series {_name(summary)} cannot be read: {reason or type(error).__name__}."
            ) from error
    voxels, affine = reorient(np.asarray(volume.array), np.asarray(volume.affine, dtype=float))
    return SagittalSeries(
        voxels.astype(np.float32),
        affine,
        series_uid=summary.series_uid,
        study_uid=str(header.get("StudyInstanceUID", "")),
        frame_of_reference_uid=str(header.get("FrameOfReferenceUID", "")),
        description=summary.description,
        contrast=summary.contrast,
        facts=facts_of(header),
        warnings=tuple(notes),
    )


def _read_volume(stack: Stack, notes: list[str]) -> tuple[hd.Volume, Dataset]:
    source, header = stack.images[0]
    if not is_multi_frame(header):
        return single_frame_volume(stack, notes), header
    image = hd.image.Image.from_dataset(source.read(), copy=False)
    return image.get_volume(dtype=np.float32, rtol=0.02), header


def source_images(path: str | os.PathLike[str], series_uid: str) -> list[FileDataset]:
    """The single-frame objects of a series with their pixels, for objects that refer to them."""
    candidate = _choose(_candidates(scan(path)), series_uid, path)
    return [source.read() for source, _ in candidate.stack.images]


def _choose(
    candidates: list[_Candidate], series_uid: str | None, path: str | os.PathLike[str]
) -> _Candidate:
    if series_uid is not None:
        for candidate in candidates:
            if candidate.summary.series_uid == series_uid:
                return candidate
        raise SpinemetError(
            f"No series in {path} has the UID {series_uid}; it holds "
            f"{_listed(c.summary for c in candidates)}."
        )
    fitting = [c for c in candidates if c.summary.detectable]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SpinemetError(
            f"{len(fitting)} series in {path} can be detected on, {_listed(c.summary for c in fitting)}; "
            "say which by its UID."
        )
    if len(candidates) == 1:
        summary = candidates[0].summary
        raise SpinemetError(f"The series {_name(summary)} cannot be detected on: {summary.reason}.")
    reasons = "; ".join(f"{_name(c.summary)}: {c.summary.reason}" for c in candidates)
    raise SpinemetError(f"No series in {path} can be detected on ({reasons}).")


def _name(summary: SeriesSummary) -> str:
    return f"'{summary.description}'" if summary.description else summary.series_uid


def _listed(summaries: Iterable[SeriesSummary]) -> str:
    return ", ".join(f"{_name(s)} ({s.series_uid})" for s in summaries)


def _candidates(found: Found) -> list[_Candidate]:
    by_series: dict[str, list[tuple[Source, Dataset]]] = {}
    for source, header in found.headers:
        if "Rows" not in header or str(header.get("Modality", "")) in _NOT_IMAGES:
            continue
        repair_decimal_commas(header)
        images = frame_headers(header) if is_multi_frame(header) else [header]
        by_series.setdefault(str(header.get("SeriesInstanceUID", "")), []).extend(
            (source, image) for image in images
        )
    if not by_series:
        raise SpinemetError("There are DICOM files but no images among them; choose a scan.")
    return [_judge(uid, images, found) for uid, images in by_series.items()]


def _judge(uid: str, images: list[tuple[Source, Dataset]], found: Found) -> _Candidate:
    stacks = split(images)
    sound = [s for s in stacks if not s.fault()]
    usable = [s for s in sound if s.plane() == "sagittal"]
    if len(usable) == 1 and not any(s is not usable[0] for s in sound):
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
            if stack.fault().startswith("it has"):
                geometry = stack.fault()
        else:
            geometry = stack.fault()
    truncated = [reason for reason in found.skipped if "is not a DICOM file" not in reason]
    if truncated:
        stack.warnings.append(f"{len(truncated)} damaged files were passed over.")
    reason = geometry
    modality = str(stack.header.get("Modality", ""))
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
            description=str(stack.header.get("SeriesDescription", "") or ""),
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
    options = header.get("ScanOptions") or []
    options = [options] if isinstance(options, str) else list(options)
    return "FS" in {str(o).upper() for o in options}
