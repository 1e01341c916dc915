"""Whose scan it is and of when, from a header."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from pydicom.dataset import Dataset

from ..errors import SpinemetError
from ..imaging import Examination
from .files.archives import keep_archives_open
from .files.source_listing import list_sources
from .files.sources import NotDicomError
from .headers import plain_text, text_of, value_of

_UNITS = {"Y": "y", "M": "months", "W": "weeks", "D": "days"}
MOST_FILES = 200
"""So many headers are read to find one of a series."""


def examination_of(header: Dataset) -> Examination:
    """Whose scan it is, and of when; what is missing or damaged is empty.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of any image of the series.
    """
    date = _date(text_of(header, "StudyDate")) or _date(text_of(header, "SeriesDate"))
    return Examination(
        _name(header),
        text_of(header, "PatientID"),
        _age(text_of(header, "PatientAge"), _date(text_of(header, "PatientBirthDate")), date),
        text_of(header, "PatientSex")[:1].upper(),
        date.isoformat() if date else "",
    )


def read_examination(path: str | os.PathLike[str], series_uid: str) -> Examination:
    """Whose a series is, from the first of its headers that is come upon.

    Parameters
    ----------
    path : path-like
        Folder, file or archive.
    series_uid : str
        Which of its series: a folder may hold several patients. Empty for whichever comes first.

    Returns
    -------
    Examination
        Empty where the series is not among the first :data:`MOST_FILES` files.
    """
    try:
        with keep_archives_open():
            for source, _ in zip(list_sources(Path(path)), range(MOST_FILES), strict=False):
                try:
                    header = source.parse(headers_only=True)
                except NotDicomError:
                    continue
                if series_uid in ("", text_of(header, "SeriesInstanceUID")):
                    return examination_of(header)
    except (OSError, SpinemetError):  # opening the scan tells what is wrong with it
        pass
    return Examination()


def _name(header: Dataset) -> str:
    """Letters of the reader's own script first, as in 'Yamada^Tarou=...'."""
    value = value_of(header, "PatientName")
    groups = str(value if value is not None else "").split("=")
    for group in groups:
        parts = [plain_text(part) for part in group.split("^")]
        family, given_names = parts[0], " ".join(filter(None, parts[1:3]))
        if family or given_names:
            return ", ".join(filter(None, (family, given_names)))
    return ""


def _date(text: str) -> datetime.date | None:
    """From ``YYYYMMDD``, or with points or hyphens as some write it."""
    digits = text.replace("-", "").replace(".", "")
    try:
        return datetime.datetime.strptime(digits, "%Y%m%d").date()
    except ValueError:
        return None


def _age(text: str, birth: datetime.date | None, day: datetime.date | None) -> str:
    if len(text) == 4 and text[:3].isdecimal() and text[3].upper() in _UNITS:
        return f"{int(text[:3])} {_UNITS[text[3].upper()]}"
    if birth is None or day is None or birth > day:
        return ""
    years = day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
    return f"{years} y"
