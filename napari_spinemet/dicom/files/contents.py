"""Every DICOM object in a folder, a file or a zip, by its header."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import FileDataset

from ...errors import SpinemetError
from ..headers import items_of, value_of
from .source_listing import is_archive, list_sources
from .sources import NOT_DICOM, NotDicomError, Source

_DIRECTORY_SOP_CLASS = "1.2.840.10008.1.3.10"


@dataclass
class DicomContents:
    """The DICOM objects of a folder, file or zip.

    Attributes
    ----------
    headers : list
        (source, header without pixels) of each DICOM object that is not a directory.
    skip_reasons : list of str
        One reason for each file or folder that was passed over.
    strangers : list of Source
        The files among them that are no DICOM objects, or no longer look like one.
    listed : dict
        SOPInstanceUIDs that a DICOMDIR among them names, by SeriesInstanceUID.
    """

    headers: list[tuple[Source, FileDataset]] = field(default_factory=list)
    skip_reasons: list[str] = field(default_factory=list)
    strangers: list[Source] = field(default_factory=list)
    listed: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def damage(self) -> list[str]:
        """The reasons of those files that are DICOM, or were."""
        return [reason for reason in self.skip_reasons if NOT_DICOM not in reason]


def read_headers(path: str | os.PathLike[str]) -> DicomContents:
    """Read the headers of everything in a folder, file, zip or DICOMDIR.

    A DICOMDIR stands for the folder that it lies in: its references are not followed, so
    that nothing outside is opened, and files that it forgot are found all the same.

    Raises
    ------
    SpinemetError
        If the path does not exist, is empty, or holds no DICOM object at all.
    """
    root = Path(path)
    _check_exists(root)
    is_one_file = root.is_file() and not is_archive(root)
    if is_one_file and root.name.upper() == "DICOMDIR":
        root, is_one_file = root.parent, False
    contents = DicomContents()
    for source in list_sources(root, contents.skip_reasons.append):
        try:
            header = source.parse(headers_only=True)
        except NotDicomError as error:
            contents.skip_reasons.append(str(error))
            if NOT_DICOM in str(error):
                contents.strangers.append(source)
            continue
        if value_of(header.file_meta, "MediaStorageSOPClassUID") == _DIRECTORY_SOP_CLASS:
            contents.listed.update(_listed_images(header))
            continue
        contents.headers.append((source, header))
    if not contents.headers:
        raise SpinemetError(_why_empty(contents, root, is_one_file))
    return contents


def _listed_images(directory: FileDataset) -> dict[str, frozenset[str]]:
    """What a DICOMDIR names: records of images stand behind that of their series."""
    series = ""
    images: dict[str, set[str]] = {}
    for record in items_of(directory, "DirectoryRecordSequence"):
        kind = str(value_of(record, "DirectoryRecordType", ""))
        if kind in ("PATIENT", "STUDY", "SERIES"):
            series = str(value_of(record, "SeriesInstanceUID", ""))
        elif kind == "IMAGE" and series:
            uid = str(value_of(record, "ReferencedSOPInstanceUIDInFile", ""))
            images.setdefault(series, set()).add(uid)
    return {series: frozenset(uids - {""}) for series, uids in images.items()}


def _check_exists(path: Path) -> None:
    try:
        exists = path.exists()
    except OSError as error:  # a folder on the way may not be entered, or the name is too long
        raise SpinemetError(
            f"{path} cannot be opened ({error.strerror}); check the path and its permissions."
        ) from error
    if not exists:
        raise SpinemetError(f"There is nothing at {path}; check the path.")
    if not (path.is_dir() or path.is_file()):
        raise SpinemetError(
            f"{path} is neither a file nor a folder; choose a DICOM file, folder or zip."
        )


def _why_empty(contents: DicomContents, path: Path, is_one_file: bool) -> str:
    """The sentence about a path without any DICOM object."""
    reasons = contents.skip_reasons
    if is_one_file:
        reason = reasons[0] if reasons else f"{path.name} {NOT_DICOM}"
        return f"{reason}; choose a DICOM file, folder or zip."
    archive_reasons = [reason for reason in reasons if reason.endswith("unpack it first")]
    if archive_reasons:
        return f"{archive_reasons[0]}."
    if contents.damage:
        return f"No file in {path} can be read: {contents.damage[0]}; copy the scan again."
    if reasons:
        return (
            f"None of the {len(reasons)} files in {path} is DICOM; choose the folder "
            "that holds the scan."
        )
    return f"{path} holds no scan; choose the folder that holds one."
