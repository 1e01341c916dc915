"""Which stacks of a series can be read, and which of them are detected on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from pydicom.dataset import Dataset

from ..imaging import SeriesSummary
from ..imaging.scan_warnings import ScanWarning
from .contrast.anatomy import other_body_part
from .contrast.image_kinds import b_value
from .contrast.weighting import Contrast, contrast_of
from .examination import examination_of
from .headers import text_of, value_of
from .stacks.completeness import find_disorder, find_missing
from .stacks.faults import find_fault
from .stacks.leftovers import may_lack_images_of, name_difference
from .stacks.sorting import split_into_stacks
from .stacks.stack import Stack

if TYPE_CHECKING:
    from .stacks.joining import JoinedSeries

_SCOUT_SLICES = 5
"""A stack of as few, beside one of more than twice as many, is there to plan others on."""
_SUITABLE = "lesions are looked for in fat-suppressed T2 (STIR)"


@dataclass
class Candidate:
    """One stack of a series, and the verdict on it.

    Attributes
    ----------
    summary : SeriesSummary
        What a listing says of it.
    stack : Stack
        The images that are read, or the largest stack where none can be.
    geometry_fault : str
        Why they cannot be read at all; empty if they can, detectable or not.
    uids : tuple of str
        SeriesInstanceUID of the series, and of others that were put together with it.
    """

    summary: SeriesSummary
    stack: Stack
    geometry_fault: str
    uids: tuple[str, ...]

    @property
    def series_title(self) -> str:
        """Name of the series for messages."""
        description = self.summary.description
        return f"'{description}'" if description else self.summary.series_uid or "without a name"

    @property
    def title(self) -> str:
        """Name for messages."""
        name = self.summary.stack_name
        return f"{self.series_title}, {name}" if name else self.series_title

    def warn(self, warnings: Sequence[ScanWarning]) -> None:
        """Add what was found out later.

        Parameters
        ----------
        warnings : sequence of ScanWarning
        """
        self.stack.warnings.extend(warnings)
        self.summary = replace(self.summary, warnings=tuple(self.stack.warnings))


class _Neighbours(NamedTuple):
    """What lies beside a series and tells of it."""

    damage: tuple[str, ...]
    listed: frozenset[str]


def judge_series(
    series: JoinedSeries, damage: Sequence[str], listed: Mapping[str, frozenset[str]]
) -> list[Candidate]:
    """Say which stacks of a series are volumes, and whether lesions are looked for in them.

    Parameters
    ----------
    series : JoinedSeries
        All of its images.
    damage : sequence of str
        Reasons of the files that were passed over beside it.
    listed : mapping
        SOPInstanceUIDs that a DICOMDIR names, by SeriesInstanceUID.

    Returns
    -------
    list of Candidate
        One for each volume if any of them is sagittal, else one for the whole series.
    """
    stacks = split_into_stacks(series.images)
    neighbours = _Neighbours(tuple(damage), listed.get(series.uids[0], frozenset()))
    sound = [stack for stack in stacks if not find_fault(stack)]
    if not any(stack.plane == "sagittal" for stack in sound):
        fault = _geometry_fault(stacks, _plane_of(stacks))
        return [_judge_stack(series, stacks, stacks[0], 0, fault, neighbours)]
    numbers = range(1, len(sound) + 1) if len(sound) > 1 else (0,)
    return [
        _judge_stack(series, stacks, stack, number, _fault_of(stack, stacks), neighbours)
        for number, stack in zip(numbers, sound, strict=True)
    ]


def _judge_stack(
    series: JoinedSeries,
    stacks: Sequence[Stack],
    stack: Stack,
    number: int,
    fault: str,
    neighbours: _Neighbours,
) -> Candidate:
    """The verdict on one stack; number 0 is the only row of its series."""
    is_read = not fault
    # Other volumes are rows of their own.
    others = sum(len(other.images) for other in stacks if find_fault(other))
    stack.warnings.extend(series.warnings)
    if others and is_read:
        stack.warnings.append(
            ScanWarning(
                "images-passed-over",
                f"{others} images of the series that form no volume were passed over.",
            )
        )
    images = [image for _, image in series.images]
    contrast = _contrast_in_series(stack, stacks)
    reason = fault or _unsuitable(stack, contrast) or _scout(stack, stacks)
    stack.warnings.extend(_find_losses(stack, images, neighbours, fault))
    summary = SeriesSummary(
        series_uid=series.uids[0],
        description=text_of(stack.header, "SeriesDescription"),
        plane=stack.plane if number or is_read else _plane_of(stacks),
        contrast=contrast.name,
        slices=len(stack.images) if number or is_read else sum(len(s.images) for s in stacks),
        spacing_mm=stack.spacing_mm,
        detectable=not reason,
        reason=reason,
        stack=max(number, 1),
        stack_name=(stack.name or f"stack {number}") if number else "",
        contrast_rule=_rule_of(contrast),
        warnings=tuple(stack.warnings),
        examination=examination_of(stack.header),
        study_uid=text_of(stack.header, "StudyInstanceUID"),
        frame_of_reference_uid=text_of(stack.header, "FrameOfReferenceUID"),
    )
    return Candidate(summary, stack, fault, tuple(series.uids))


def _fault_of(stack: Stack, stacks: Sequence[Stack]) -> str:
    """Why a stack that is a box is not read all the same: its plane, or slices that it lacks."""
    if stack.plane != "sagittal":
        return _plane_fault(stack.plane)
    for other in stacks:
        if other is not stack and may_lack_images_of(stack, other):
            return (
                f"it holds {len(stacks)} stacks of images that do not form one volume: they "
                f"differ in {name_difference(stack, other)}"
            )
    return ""


def _plane_fault(plane: str) -> str:
    return f"its plane is {plane}, and lesions are looked for in sagittal series"


def _geometry_fault(stacks: Sequence[Stack], plane: str) -> str:
    """Why no stack of a series is a sagittal volume."""
    if len(stacks) > 1:
        fault = (
            f"it holds {len(stacks)} stacks of images that do not form one volume: they differ in "
            f"{name_difference(stacks[0], stacks[1])}"
        )
        return fault if plane == "sagittal" else f"{fault}, and its plane is {plane}"
    return find_fault(stacks[0]) if plane in ("sagittal", "unknown") else _plane_fault(plane)


def _plane_of(stacks: Sequence[Stack]) -> str:
    """The plane of a series that holds no sagittal volume."""
    is_one_plane = len({stack.plane for stack in stacks}) == 1
    return stacks[0].plane if is_one_plane else "mixed"


def _unsuitable(stack: Stack, contrast: Contrast) -> str:
    """Why lesions are not looked for in a stack that can be read; empty if they are."""
    modality = str(value_of(stack.header, "Modality", ""))
    if modality != "MR":
        return f"its modality is {modality or 'unknown'}, and lesions are looked for in MR"
    if contrast.is_detectable:
        return ""
    if contrast.name == "T2":
        return f"its contrast is T2, and nothing says that fat is suppressed; {_SUITABLE}"
    by = f", by {contrast.rule}" if contrast.name != "other" else ""
    return f"its contrast is {contrast.name}{by}, and {_SUITABLE}"


def _contrast_in_series(stack: Stack, stacks: Sequence[Stack]) -> Contrast:
    """The contrast of a stack; without diffusion weighting beside others that have it, DWI too."""
    contrast = contrast_of(stack.header)
    if b_value(stack.header) == 0 and any(b_value(other.header) for other in stacks):
        return contrast._replace(name="DWI", rule="the b-values of its series")
    return contrast


def _scout(stack: Stack, stacks: Sequence[Stack]) -> str:
    """Why a few slices beside a whole stack are not detected on."""
    count, largest_count = len(stack.images), max(len(other.images) for other in stacks)
    is_station = stack.name and not stack.separator
    if is_station or count > _SCOUT_SLICES or largest_count <= 2 * count:
        return ""
    return f"it has {count} slices beside a stack of {largest_count}, as a scout has"


def _rule_of(contrast: Contrast) -> str:
    if contrast.name == "T2" and contrast.fat_suppression:
        return f"{contrast.rule}; fat is suppressed by {contrast.fat_suppression}"
    return contrast.rule


def _find_losses(
    stack: Stack, images: Sequence[Dataset], neighbours: _Neighbours, fault: str
) -> Iterator[ScanWarning]:
    """What was passed over, what is or may be missing, and whose or what it may be instead."""
    count = len(stack.duplicates)
    if count:
        name = stack.duplicates[0][0].name
        files = f"The duplicate file {name} was" if count == 1 else f"{count} duplicate files were"
        yield ScanWarning("files-doubled", f"{files} passed over.")
    if stack.copies:
        name, count = stack.copies[0].name, len(stack.copies)
        yield ScanWarning(
            "files-doubled",
            f"The file {name} was passed over: it holds the pixels of another one."
            if count == 1
            else f"{count} files were passed over: they hold the pixels of others.",
        )
    damage_count = len(neighbours.damage)
    if damage_count:
        files = "file was" if damage_count == 1 else "files were"
        yield ScanWarning(
            "files-damaged",
            f"{damage_count} damaged {files} passed over, so slices at an end may be missing.",
        )
    if fault:
        return
    yield from find_missing(stack, images, neighbours.listed)
    yield from find_disorder(stack)
    yield from _find_other_names(stack)
    part = other_body_part(stack.header)
    if part:
        yield ScanWarning(
            "other-body-part",
            f"The header names the body part {part}, and lesions are looked for in the spine.",
        )


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
