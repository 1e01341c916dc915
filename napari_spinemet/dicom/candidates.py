"""The series of a folder, each with the verdict on it, from headers alone."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from ..errors import SpinemetError
from ..imaging.scan_warnings import ScanWarning
from .files.contents import DicomContents, read_headers
from .files.sources import Source
from .frames import FrameCountError, frame_headers, is_multi_frame
from .headers import repair_decimal_commas, value_of
from .stacks.joining import JoinedSeries, join_series
from .stacks.leftovers import may_be_stray, may_go_on
from .verdicts import Candidate, judge_series

Images = list[tuple[Source, Dataset]]

_log = logging.getLogger(__name__)
_NOT_IMAGES = {"SEG", "PR", "KO", "SR", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "DOC", "AU"}
_MOST_COMPARED = 500
_MAX_NAMES = 5
"""Series that a message names before it only counts."""


def find_candidates(path: str | os.PathLike[str]) -> list[Candidate]:
    """Every stack of every series of a folder, file or zip, in the order of their first files.

    Raises
    ------
    SpinemetError
        If there is no image at all.
    """
    contents = read_headers(path)
    by_series = _images_by_series(contents)
    if not by_series and not contents.damage:
        raise SpinemetError(
            f"There are DICOM files but no images among them in {path}; choose a scan."
        )
    _suspect_strangers(contents, by_series)
    candidates = [
        candidate
        for series in _joined_where_possible(by_series)
        for candidate in _judge_where_possible(series, contents)
    ]
    if not candidates:
        raise SpinemetError(
            f"No image in {path} can be read: {contents.damage[0]}; copy the scan again."
        )
    for candidate in candidates:
        if not candidate.geometry_fault:
            candidate.warn(_find_strays(candidate, candidates))
    return candidates


def _images_by_series(contents: DicomContents) -> dict[str, Images]:
    """All images by SeriesInstanceUID; what is damaged gives its reason to the contents."""
    by_series: dict[str, Images] = {}
    for source, header in contents.headers:
        try:
            images = _images_of(source, header, contents)
        except FrameCountError as error:
            contents.skip_reasons.append(f"{source.name} is damaged ({error})")
            continue
        except Exception:  # noqa: BLE001  a file's content is first used here
            contents.skip_reasons.append(f"{source.name} is damaged (it was cut off or changed)")
            continue
        if images:
            uid = str(value_of(header, "SeriesInstanceUID", ""))
            by_series.setdefault(uid, []).extend((source, image) for image in images)
    if len(by_series) > 1:
        # They may have belonged to any of the others.
        nameless = {source.name for source, _ in by_series.get("", [])}
        contents.skip_reasons.extend(
            f"{name} is damaged (it names no series)" for name in sorted(nameless)
        )
    return by_series


def _judge_where_possible(series: JoinedSeries, contents: DicomContents) -> list[Candidate]:
    try:
        return judge_series(series, contents.damage, contents.listed)
    except Exception as error:  # noqa: BLE001  headers can be damaged in ways nobody thought of
        _log.warning("A series cannot be judged.", exc_info=error)
        name = series.images[0][0].name
        contents.skip_reasons.append(f"the series of {name} is damaged (its headers contradict)")
        return []


def _joined_where_possible(by_series: Mapping[str, Images]) -> list[JoinedSeries]:
    try:
        return join_series(by_series)
    except Exception as error:  # noqa: BLE001  each may be judged by itself all the same
        _log.warning("Series cannot be compared.", exc_info=error)
        return [JoinedSeries([uid], images) for uid, images in by_series.items()]


def choose_candidate(
    candidates: Sequence[Candidate],
    series_uid: str | None,
    path: str | os.PathLike[str],
    stack: int | None = None,
) -> Candidate:
    """The series and stack that were named, else the only one that is detectable.

    Parameters
    ----------
    candidates : sequence of Candidate
        All stacks of all series of the path; at least one.
    series_uid : str or None
        The series that was named.
    path : path-like
        Where they are, for the sentences.
    stack : int or None
        Number of the stack within its series, from 1.

    Raises
    ------
    SpinemetError
        If no series or more than one fits.
    """
    candidates = _those_named(candidates, series_uid, path, stack)
    detectable = [c for c in candidates if c.summary.detectable]
    if len(detectable) == 1:
        return detectable[0]
    if series_uid is not None and len(candidates) == 1:
        return candidates[0]
    if detectable:
        raise SpinemetError(_why_open(detectable, path))
    readable = [c for c in candidates if not c.geometry_fault]
    if series_uid is not None and len(readable) == 1:
        return readable[0]
    raise SpinemetError(_why_none(candidates, readable if series_uid is not None else (), path))


def _those_named(
    candidates: Sequence[Candidate],
    series_uid: str | None,
    path: str | os.PathLike[str],
    stack: int | None,
) -> list[Candidate]:
    """Those with the series and the stack that were named; an error if there is none."""
    of_series = [c for c in candidates if series_uid is None or series_uid in c.uids]
    if not of_series:
        raise SpinemetError(
            f"No series in {path} has the UID {series_uid}; it holds {_enumerate(candidates)}; "
            "choose one of these."
        )
    of_stack = [c for c in of_series if stack is None or c.summary.stack == stack]
    if not of_stack:
        raise SpinemetError(
            f"No series in {path} has a stack {stack}; it holds {_enumerate(candidates)}; "
            "choose one of these."
        )
    return of_stack


def _why_none(
    candidates: Sequence[Candidate], readable: Sequence[Candidate], path: str | os.PathLike[str]
) -> str:
    """The sentence about those of which none is taken: for a series that was named, or any."""
    if readable:
        return (
            f"The series {readable[0].series_title} holds {len(readable)} stacks, "
            f"{_enumerate(readable)}; say which by its stack."
        )
    if len(candidates) == 1:
        candidate = candidates[0]
        return (
            f"The series {candidate.title} cannot be detected on: {candidate.summary.reason}; "
            f"{_advice(candidate)}."
        )
    reasons = _shorten([f"{c.title}: {c.summary.reason}" for c in candidates], "; ")
    return f"No series in {path} can be detected on ({reasons}); choose a sagittal STIR series."


def _why_open(detectable: Sequence[Candidate], path: str | os.PathLike[str]) -> str:
    """The sentence about several that fit."""
    count, is_one_series = len(detectable), len({c.uids[0] for c in detectable}) == 1
    if is_one_series:
        title = detectable[0].series_title
        return (
            f"The series {title} in {path} holds {count} stacks that can be detected on, "
            f"{_enumerate(detectable)}; say which by its stack."
        )
    return (
        f"{count} series in {path} can be detected on, {_enumerate(detectable)}; say which by its "
        "UID."
    )


def _advice(candidate: Candidate) -> str:
    """An export changes neither contrast nor plane."""
    if candidate.geometry_fault and candidate.stack.plane in ("sagittal", "unknown"):
        return "choose another series or export this one again"
    return "choose a sagittal STIR series"


def _find_strays(candidate: Candidate, candidates: Sequence[Candidate]) -> list[ScanWarning]:
    """Warn of slices in a broken series that may have been of this one: their headers are damaged.

    A series that is whole is another one, unless it is called the same and goes on where this one
    ends: then a slice between them was lost.
    """
    count = 0
    for other in candidates[:_MOST_COMPARED]:
        if set(other.uids) & set(candidate.uids):
            continue
        is_alike = (other.summary.description, other.summary.contrast) == (
            candidate.summary.description,
            candidate.summary.contrast,
        )
        goes_on = not other.geometry_fault and is_alike and may_go_on(candidate.stack, other.stack)
        is_stray = other.geometry_fault and may_be_stray(candidate.stack, other.stack)
        if goes_on or is_stray:
            count += len(other.stack.images)
    if not count:
        return []
    slices, lie = ("1 slice", "lies") if count == 1 else (f"{count} slices", "lie")
    sentence = f"{slices} that may belong to this series {lie} in another one."
    return [ScanWarning("slices-missing", sentence)]


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
    return _shorten([f"{c.title} ({_number(c)})" for c in candidates], ", ")


def _number(candidate: Candidate) -> str:
    """What to say to have it."""
    summary = candidate.summary
    is_alone = summary.stack == 1 and not summary.stack_name
    return summary.series_uid if is_alone else f"{summary.series_uid}, stack {summary.stack}"


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

    Reports and raw data say what they are, and so do the objects of vendors by identifiers of their
    own; what says nothing has lost that too.
    """
    class_uids = (
        value_of(header.file_meta, "MediaStorageSOPClassUID"),
        value_of(header, "SOPClassUID"),
    )
    uids = [UID(str(uid)) for uid in class_uids if uid]
    names = [uid.name for uid in uids if uid.name != uid]
    if not names:
        return not (uids and all(uid.is_valid and uid.is_private for uid in uids))
    return any("Image Storage" in name for name in names)
