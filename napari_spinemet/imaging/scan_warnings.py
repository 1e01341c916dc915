"""What one must know about a scan or a result to judge it: from reading to the last record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class WarningKind(NamedTuple):
    """What all warnings with one code have in common.

    Attributes
    ----------
    is_grave : bool
        Whether a result may be wrong by it: such a result never looks like a clean one.
    remedy : str
        What to do, in a sentence.
    """

    is_grave: bool
    remedy: str


COPY_AGAIN = "Copy or export the scan again, and compare the number of slices with the scanner's."

WARNING_KINDS: Mapping[str, WarningKind] = {
    "other": WarningKind(False, "Judge by the picture whether it matters."),
    # Reading
    "files-damaged": WarningKind(True, COPY_AGAIN),
    "slices-missing": WarningKind(True, COPY_AGAIN),
    "images-passed-over": WarningKind(
        False, "Look at the picture; the images that were left out are not part of it."
    ),
    "patient-names": WarningKind(
        True, "Make sure whose images these are, and export the scan of one patient again."
    ),
    "series-joined": WarningKind(
        False, "Look at the picture, and whether the slices of all of them go on evenly."
    ),
    "other-body-part": WarningKind(
        True, "Look whether this is a spine; choose a sagittal STIR series of the spine."
    ),
    "files-doubled": WarningKind(False, "Nothing needs to be done."),
    "decimal-commas": WarningKind(False, "Compare the spacing with that of the scanner."),
    "orientation-noise": WarningKind(False, "Nothing needs to be done."),
    "no-frame-of-reference": WarningKind(
        False, "Do not compare places in this scan with those in another series."
    ),
    "pixels-too-long": WarningKind(False, "Look whether the picture is whole."),
    "slice-order": WarningKind(
        True, "Look whether the slices follow each other, and export the scan again if not."
    ),
    "values-out-of-range": WarningKind(
        False, "Export the scan again without text and borders in the picture."
    ),
    "not-for-detection": WarningKind(True, "Choose a sagittal STIR series of the spine."),
    # Detection
    "unfamiliar-scan": WarningKind(
        True,
        "Judge the scan by yourself, marks and bodies without one; a model can be adapted to a "
        "scanner under Train.",
    ),
    "spine-near-border": WarningKind(
        False, "Evaluate the whole width to be sure that nothing is missed."
    ),
    "no-spine": WarningKind(
        True, "Look whether this is a spine; judge each finding, and the scan, by yourself."
    ),
    "neighbours-not-comparable": WarningKind(
        True, "Judge the marrow as a whole by yourself, also where nothing is marked."
    ),
    "several-bodies-marked": WarningKind(
        False, "Judge every body by yourself, also those without a mark."
    ),
    "many-findings": WarningKind(
        False, "Look whether the marrow as a whole is diseased, or the picture unusual."
    ),
}
"""Every code there is."""


class ScanWarning(str):
    """One warning, which is its sentence and knows its code and what to do.

    It is no exception. As a string it is the sentence.

    Parameters
    ----------
    code : str
        One of :data:`WARNING_KINDS`.
    sentence : str
        What is so, and where.
    remedy : str
        What to do, where that is another than the kind's.

    Examples
    --------
    >>> warning = ScanWarning("decimal-commas", "In 3 files decimal commas were read as points.")
    >>> warning.to_dict()["code"], warning.is_grave
    ('decimal-commas', False)
    """

    __slots__ = ("code", "remedy")

    def __new__(cls, code: str, sentence: str, remedy: str = "") -> ScanWarning:
        """Make one; see the class."""
        warning = super().__new__(cls, sentence)
        warning.code = code
        warning.remedy = remedy or WARNING_KINDS[code].remedy
        return warning

    code: str
    remedy: str

    def __getnewargs__(self) -> tuple[str, str, str]:  # type: ignore[override]
        return self.code, str(self), self.remedy

    @property
    def is_grave(self) -> bool:
        """Whether a result may be wrong by it."""
        return WARNING_KINDS[self.code].is_grave

    @property
    def text(self) -> str:
        """The sentence, and what to do."""
        return f"{self} {self.remedy}"

    def to_dict(self) -> dict[str, str]:
        """As it stands in every record."""
        return {"code": self.code, "sentence": str(self), "remedy": self.remedy}

    @classmethod
    def from_dict(cls, record: Mapping[str, str]) -> ScanWarning:
        """Read it from a record."""
        return cls(record["code"], record["sentence"], record["remedy"])


def as_warnings(warnings: Iterable[str]) -> tuple[ScanWarning, ...]:
    """Each as a warning, also those that somebody wrote as plain sentences."""
    return tuple(w if isinstance(w, ScanWarning) else ScanWarning("other", w) for w in warnings)


def has_grave(warnings: Iterable[ScanWarning]) -> bool:
    """Whether a result with these warnings may be wrong."""
    return any(warning.is_grave for warning in warnings)
