"""Whether fat is suppressed, in the words of the standard and of each vendor."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from ..headers import strings_of, text_of
from .image_kinds import image_kind

_FAT_SUPPRESSION = {"FAT", "FAT_AND_WATER"}
"""SpectrallySelectedSuppression (C.8.13.5.2) that takes fat away."""

_SCAN_OPTIONS = re.compile(
    r"S?FS|FSS?_GEMS|(FAT ?_?SAT|FSAT|FATSUP|SPIR|SPAIR|ASPIR|SPEC_?IR|SPECIAL|CHESS|WFS|FATS)\w*|"
    r"WE|PROSET|SSRF"
)
"""ScanOptions: FS of the standard; FATSAT_GEMS, SPECIAL of GE; SPIR, SPAIR, PROSET of
Philips; WE of Siemens; FSAT, CHESS, WFS of others. FAST_GEMS and PFF are none of them, and
IDEAL and FLEX_GEMS stand in all images of a Dixon scan."""

_NAMES = re.compile(
    r"FS|T[12]FS|PDFS|SPAIR|SPIR|FAT ?SAT\w*|FATSUP\w*|FAT ?SUPP?\w*|FSAT|CHESS|IDEAL W\w*|"
    r"(M?DIXON|DIX|FLEX|LAVA|IDEAL|VIBE)( \w+)* W|W (M?DIXON|DIX|FLEX|IDEAL)|WATER|PROSET"
)
_DENIALS = re.compile(
    r"(NO|NON|NOT|WITHOUT|OHNE|SANS|SIN|SENZA) ?"
    r"(FS|FAT ?SAT\w*|FAT ?SUP\w*|FSAT|SPIR|SPAIR|CHESS|SUPPRESSION)"
)
_OTHER_DIXON = re.compile(r"FAT (IN|OUT|OPP)\w*|IN ?PHASE|OUT ?PHASE|OPP\w*")
"""A name with these beside WATER is that of all images of a Dixon scan."""


def find_fat_suppression(header: Dataset) -> str:
    """The rule by which fat is known to be suppressed without an inversion; empty if it is not.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of a single-frame image, or of one frame.
    """
    if text_of(header, "SpectrallySelectedSuppression").upper() in _FAT_SUPPRESSION:
        return "SpectrallySelectedSuppression"
    if text_of(header, "SpectrallySelectedExcitation").upper() == "WATER":
        return "SpectrallySelectedExcitation"
    if image_kind(header) == "water":
        return "ImageType"
    options = (option.upper().strip() for option in strings_of(header, "ScanOptions"))
    if any(_SCAN_OPTIONS.fullmatch(option) for option in options):
        return "ScanOptions"
    words = " ".join(text_of(header, k) for k in ("SeriesDescription", "ProtocolName")).upper()
    text = re.sub(r"[^A-Z0-9]+", " ", re.sub(r"\bW/O\b", "WITHOUT", words)).strip()
    is_denied = re.search(rf"\b({_DENIALS.pattern}|{_OTHER_DIXON.pattern})\b", text)
    return "" if is_denied or not re.search(rf"\b({_NAMES.pattern})\b", text) else "the name"
