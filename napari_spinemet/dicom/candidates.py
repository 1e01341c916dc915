"""The series of a folder, each with the verdict on it, from headers alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from ..errors import SpinemetError
from ..imaging import ScanWarning, SeriesSummary
from .contents import DicomContents, read_headers
from .frames import frame_headers, is_multi_frame
from .headers import contrast_of, strings_of, text_of, value_of
from .library_messages import first_clause
from .pixels import repair_decimal_commas
from .sources import Source
from .stacks.completeness import find_missing
from .stacks.faults import find_fault
from .stacks.sorting import may_lack_images_of, split_into_stacks
from .stacks.stack import Stack

Images = list[tuple[Source, Dataset]]

_NOT_IMAGES = {"SEG", "PR", "KO", "SR", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "DOC", "AU"}
_MAX_NAMES = 5
"""Series that a message names before it only counts."""


@dataclass
class Candidate:
    """One series of a folder with its stacks, the one that counts, and the verdict on it.

    Attributes
    ----------
    summary : SeriesSummary
        What a listing says of it.
    stack : Stack
        The images that are read, or the largest stack where none can be.
    geometry_fault : str
        Why they cannot be read at all; empty if they can, detectable or not.
    """

    summary: SeriesSummary
    stack: Stack
    geometry_fault: str

    @property
    def title(self) -> str:
        """Name for messages."""
        description = self.summary.description
        return f"'{description}'" if description else self.summary.series_uid


def find_candidates(path: str | os.PathLike[str]) -> list[Candidate]:
    """Every series of a folder, file or zip, in the order of their first files.

    Raises
    ------
    SpinemetError
        If there is no image at all.
    """
    contents = read_headers(path)
    by_series: dict[str, Images] = {}
    for source, header in contents.headers:
        try:
            images = _images_of(source, header, contents)
        except Exception as error:  # noqa: BLE001  a file's content is first used here
            contents.skip_reasons.append(f"{source.name} is damaged ({first_clause(error)})")
            continue
        if images:
            uid = str(value_of(header, "SeriesInstanceUID", ""))
            by_series.setdefault(uid, []).extend((source, image) for image in images)
    if not by_series:
        damage = contents.damage
        if damage:
            raise SpinemetError(
                f"No image in {path} can be read, the first one since {damage[0]}; copy the "
                "scan again."
            )
        raise SpinemetError(
            f"There are DICOM files but no images among them in {path}; choose a scan."
        )
    _suspect_strangers(contents, by_series)
    if len(by_series) > 1:
        # They may have belonged to any of the others.
        nameless = {source.name for source, _ in by_series.get("", [])}
        contents.skip_reasons.extend(
            f"{name} is damaged (it names no series)" for name in sorted(nameless)
        )
    return [_judge(uid, images, contents.damage) for uid, images in by_series.items()]


def choose_candidate(
    candidates: Sequence[Candidate], series_uid: str | None, path: str | os.PathLike[str]
) -> Candidate:
    """The series that was named, else the only one that is detectable.

    Parameters
    ----------
    candidates : sequence of Candidate
        All series of the path; at least one.
    series_uid : str or None
        The one that was named.
    path : path-like
        Where they are, for the sentences.

    Raises
    ------
    SpinemetError
        If no series or more than one fits.
    """
    if series_uid is not None:
        for candidate in candidates:
            if candidate.summary.series_uid == series_uid:
                return candidate
        raise SpinemetError(
            f"No series in {path} has the UID {series_uid}; it holds "
            f"{_enumerate(candidates)}; choose one of these."
        )
    detectable = [c for c in candidates if c.summary.detectable]
    if len(detectable) == 1:
        return detectable[0]
    if detectable:
        raise SpinemetError(
            f"{len(detectable)} series in {path} can be detected on, "
            f"{_enumerate(detectable)}; say which by its UID."
        )
    if len(candidates) == 1:
        raise SpinemetError(
            f"The series {candidates[0].title} cannot be detected on: "
            f"{candidates[0].summary.reason}; choose another series or export this one again."
        )
    reasons = _shorten([f"{c.title}: {c.summary.reason}" for c in candidates], "; ")
    raise SpinemetError(
        f"No series in {path} can be detected on ({reasons}); choose a sagittal STIR series."
    )


def _suspect_strangers(contents: DicomContents, by_series: Mapping[str, Images]) -> None:
    """What lies beside slices and is called as they are was one, whatever it holds now."""
    patterns = {_name_pattern(source) for images in by_series.values() for source, _ in images}
    contents.skip_reasons.extend(
        f"{stranger.name} is damaged (it is called as the slices are)"
        for stranger in contents.strangers
        if _name_pattern(stranger) in patterns
    )


def _name_pattern(source: Source) -> tuple[str, str]:
    """Folder of a file, and its name with all numbers made equal."""
    file = source.path / source.member if source.member else source.path
    return str(file.parent), re.sub("[0-9]+", "0", file.name)


def _enumerate(candidates: Iterable[Candidate]) -> str:
    return _shorten([f"{c.title} ({c.summary.series_uid})" for c in candidates], ", ")


def _shorten(items: list[str], separator: str) -> str:
    """The first few of a list, and how many more there are."""
    rest = len(items) - _MAX_NAMES
    tail = [f"and {rest} more"] if rest > 0 else []
    return separator.join([*items[:_MAX_NAMES], *tail])


def _images_of(source: Source, header: FileDataset, contents: DicomContents) -> list[Dataset]:
    """The images of one file; none if it is no image, and a reason if it lost its own."""
    if str(value_of(header, "Modality", "")) in _NOT_IMAGES:
        return []
    if "Rows" not in header:
        if _should_be_image(header):
            contents.skip_reasons.append(f"{source.name} is damaged (it ends before its image)")
        return []
    repair_decimal_commas(header)
    return frame_headers(header) if is_multi_frame(header) else [header]


def _should_be_image(header: FileDataset) -> bool:
    """Whether an object without an image lost it: a file cut off parses without complaint.

    Reports and raw data say what they are; what says nothing that is known has lost that too.
    """
    class_uids = (
        value_of(header.file_meta, "MediaStorageSOPClassUID"),
        value_of(header, "SOPClassUID"),
    )
    names = [uid.name for uid in map(UID, filter(None, class_uids)) if uid.name != uid]
    return not names or any("Image Storage" in name for name in names)


def _judge(uid: str, images: Images, damage: Sequence[str]) -> Candidate:
    """Choose the stack of a series and say whether it can be read, and detected on."""
    stacks = split_into_stacks(images)
    sound = [stack for stack in stacks if not find_fault(stack)]
    volume = _only_volume(stacks, sound)
    if volume is not None:
        stack, plane, fault = volume, volume.plane, ""
        for other in stacks:
            if other is not stack:
                stack.warnings.append(
                    ScanWarning(
                        "images-passed-over",
                        f"{len(other.images)} images that do not fit the stack were passed over.",
                    )
                )
    else:
        stack, plane = stacks[0], _plane_of(stacks, sound)
        fault = _geometry_fault(stacks, plane)
    stack.warnings.extend(_find_losses(stack, [image for _, image in images], damage, fault))
    contrast = contrast_of(stack.header)
    reason = fault or _unsuitable(stack.header, contrast)
    summary = SeriesSummary(
        series_uid=uid,
        description=text_of(stack.header, "SeriesDescription"),
        plane=plane,
        contrast=contrast,
        slices=sum(len(s.images) for s in stacks),
        spacing_mm=stack.spacing_mm,
        detectable=not reason,
        reason=reason,
    )
    return Candidate(summary, stack, fault)


def _find_losses(
    stack: Stack, images: Sequence[Dataset], damage: Sequence[str], fault: str
) -> Iterator[ScanWarning]:
    """What was passed over, and what is or may be missing."""
    count = len(stack.duplicates)
    if count:
        name = stack.duplicates[0][0].name
        files = f"The duplicate file {name} was" if count == 1 else f"{count} duplicate files were"
        yield ScanWarning("files-doubled", f"{files} passed over.")
    if damage:
        files = "file was" if len(damage) == 1 else "files were"
        yield ScanWarning(
            "files-damaged",
            f"{len(damage)} damaged {files} passed over, so slices at an end may be missing.",
        )
    if not fault:
        yield from find_missing(stack, images)
        yield from _find_other_names(stack)


def _find_other_names(stack: Stack) -> Iterator[ScanWarning]:
    """Two names under one PatientID: one of the images may be another person's.

    The names themselves are not told: warnings go into reports without names.
    """
    names = {
        re.sub(r"[\^\s,]+", " ", text_of(header, "PatientName")).strip().casefold()
        for _, header in stack.images
    } - {""}
    if len(names) > 1:
        yield ScanWarning(
            "patient-names",
            f"Its images name {len(names)} different patients, though with one PatientID.",
        )


def _only_volume(stacks: Sequence[Stack], sound: Sequence[Stack]) -> Stack | None:
    """The one sagittal box among the stacks of a series, if the others can be passed over."""
    if len(sound) != 1 or sound[0].plane != "sagittal":
        return None
    volume = sound[0]
    others = (stack for stack in stacks if stack is not volume)
    return None if any(may_lack_images_of(volume, other) for other in others) else volume


def _plane_of(stacks: Sequence[Stack], sound: Sequence[Stack]) -> str:
    """The plane of a series that is no single volume: that of its largest stack, or mixed."""
    is_one_plane = len({stack.plane for stack in stacks}) == 1
    # A single sagittal box among several sound ones: the largest stack speaks for the series.
    is_one_sagittal = len(sound) > 1 and [s.plane for s in sound].count("sagittal") == 1
    return stacks[0].plane if is_one_plane or is_one_sagittal else "mixed"


def _geometry_fault(stacks: Sequence[Stack], plane: str) -> str:
    """Why the stacks of a series are no volume."""
    if len(stacks) > 1:
        fault = f"it holds {len(stacks)} stacks of images that do not form one volume"
        return fault if plane == "sagittal" else f"{fault}, and its plane is {plane}"
    if plane in ("sagittal", "unknown"):
        return find_fault(stacks[0])
    return f"its plane is {plane}, and lesions are looked for in sagittal series"


def _unsuitable(header: Dataset, contrast: str) -> str:
    """Why lesions are not looked for in a series that can be read; empty if they are."""
    modality = str(value_of(header, "Modality", ""))
    if modality != "MR":
        return f"its modality is {modality or 'unknown'}, and lesions are looked for in MR"
    if contrast == "STIR" or (contrast == "T2" and _is_fat_saturated(header)):
        return ""
    return f"its contrast is {contrast}, and lesions are looked for in fat-suppressed T2 (STIR)"


def _is_fat_saturated(header: Dataset) -> bool:
    return "FS" in {option.upper() for option in strings_of(header, "ScanOptions")}
