"""The contrast of a series by a table of rules: standard attributes first, names last."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from pydicom.dataset import Dataset

from ..headers import number_of, strings_of, text_of
from .fat_suppression import find_fat_suppression
from .image_kinds import b_value, dixon_part_by_name, image_kind

STIR_INVERSION_MS = (50.0, 260.0)
"""Inversion times that null fat: its T1 times ln 2, up to 3 T with room to spare."""
FLAIR_INVERSION_MS = 1500.0
T2_ECHO_MS, T1_ECHO_MS = 60.0, 35.0
T2_REPETITION_MS, T1_REPETITION_MS = 1500.0, 1200.0
T2_STAR_ECHO_MS = 12.0
"""Gradient echoes from this on are weighted by T2*."""

_NAMES = (
    ("ADC", r"E?ADC"),
    ("DWI", r"DWI(BS)?|DIFF(USION)?|TRACEW?|B ?[1-9]\d{2,3}|EP2D"),
    ("T2*", r"T2 ?\*|T2 ?STAR|MEDIC|MERGE|SWI"),
    ("map", r"(T1|T2|R2\*?) ?MAP"),
    ("MPRAGE", r"MP ?RAGE|MP2RAGE|BRAVO|TFL3D"),
    ("FLAIR", r"(T2 ?)?FLAIR"),
    ("STIR", r"(T2 ?)?(STIR|TIRM)\w*"),
    ("T1", r"T1\w*"),
    ("T2", r"T2\w*"),
)
"""Contrast and what people call it, as whole words; the first that occurs counts."""


class Contrast(NamedTuple):
    """What a series shows, and by which rule that is known.

    Attributes
    ----------
    name : str
        ``STIR``, ``T1``, ``T2``, ``T2*``, ``DWI``, ``ADC``, ``FLAIR``, ``MPRAGE``, ``EPI``, one of
        the kinds of images that are no plain magnitude, or ``other``.
    rule : str
        Which attributes said so, as part of a sentence.
    fat_suppression : str
        The rule by which fat is known to be suppressed; empty where it is not.
    """

    name: str
    rule: str
    fat_suppression: str = ""

    @property
    def is_detectable(self) -> bool:
        """Whether lesions are looked for in it: fluid and lesions bright, fat dark."""
        return self.name == "STIR" or (self.name == "T2" and bool(self.fat_suppression))


class _Facts(NamedTuple):
    """What the rules look at."""

    kind: str
    sequence: set[str]
    variant: set[str]
    sequence_name: str
    flavours: set[str]
    inversion: float | None
    echo: float | None
    repetition: float | None
    b_value: float | None
    is_echo_planar: bool
    name: str
    dixon_part: str

    @property
    def has_inversion(self) -> bool:
        """By ScanningSequence."""
        return "IR" in self.sequence

    @property
    def has_stir_time(self) -> bool:
        """Whether the inversion nulls fat."""
        low, high = STIR_INVERSION_MS
        return self.inversion is not None and low <= self.inversion <= high

    @property
    def is_sequence_known(self) -> bool:
        """RM, research mode, says nothing."""
        return bool(self.sequence - {"RM"})

    @property
    def is_called_inversion(self) -> bool:
        """By the vendor's name of the sequence, or the user's of the series."""
        is_vendors = bool(re.search(r"(^|[^A-Z])(TIR|FIR|STIR|TIRM)", self.sequence_name))
        return is_vendors or self.name == "STIR"


def contrast_of(header: Dataset) -> Contrast:
    """The contrast of an image, and the rule that says so; see ``docs/reading.md``.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of a single-frame image, or of one frame.
    """
    facts = _facts_of(header)
    for rule in RULES:
        name = rule.decide(facts)
        if name:
            return Contrast(name, rule.source, find_fat_suppression(header))
    return Contrast("other", "no rule knows it", find_fat_suppression(header))


class Rule(NamedTuple):
    """One rule of the table.

    Attributes
    ----------
    source : str
        The attributes that it goes by.
    meaning : str
        What it says, in a line of the documentation.
    decide : callable
        From the facts to the name of the contrast; empty where the rule has nothing to say.
    """

    source: str
    meaning: str
    decide: Callable[[_Facts], str]


def _by_kind(facts: _Facts) -> str:
    return "" if facts.kind == "water" else facts.kind


def _by_dixon_name(facts: _Facts) -> str:
    return facts.dixon_part


def _by_diffusion(facts: _Facts) -> str:
    return "DWI" if facts.b_value else ""


def _by_flavour(facts: _Facts) -> str:
    names = {
        "STIR": "STIR",
        "FLUID_ATTENUATED": "FLAIR",
        "T2_STAR": "T2*",
        "DIFFUSION": "DWI",
        "PERFUSION": "perfusion",
    }
    return next((name for flavour, name in names.items() if flavour in facts.flavours), "")


def _by_echo_planar(facts: _Facts) -> str:
    if not facts.is_echo_planar:
        return ""
    return facts.name if facts.name in ("DWI", "ADC") else "EPI"


def _by_name_of_diffusion(facts: _Facts) -> str:
    return facts.name if facts.name in ("DWI", "ADC") else ""


def _by_inversion(facts: _Facts) -> str:
    is_inversion = facts.has_inversion or not facts.is_sequence_known or facts.is_called_inversion
    if not facts.inversion or not is_inversion:
        return ""
    if "GR" in facts.sequence:
        return "MPRAGE" if facts.inversion > STIR_INVERSION_MS[1] else "other"
    is_slow = facts.repetition is None or facts.repetition >= T2_REPETITION_MS
    if facts.has_stir_time and (is_slow or facts.has_inversion):
        return "STIR"
    is_flair = facts.inversion >= FLAIR_INVERSION_MS and (facts.echo or T2_ECHO_MS) >= T2_ECHO_MS
    return "FLAIR" if is_flair else "other"


def _by_gradient_echo(facts: _Facts) -> str:
    if "GR" not in facts.sequence or facts.echo is None:
        return ""
    if "MP" in facts.variant and facts.has_inversion:
        return "MPRAGE"
    return "T2*" if facts.echo >= T2_STAR_ECHO_MS else ""


def _by_name_of_inversion(facts: _Facts) -> str:
    """An inversion whose time is not told: STIR and FLAIR both look like T2 then."""
    is_open = facts.has_inversion or not facts.is_sequence_known
    if not is_open or facts.name not in ("STIR", "FLAIR"):
        return "other" if facts.has_inversion and facts.name not in ("T1", "T2") else ""
    is_fast = facts.repetition is not None and facts.repetition < T1_REPETITION_MS
    return "" if is_fast else facts.name


def _by_times(facts: _Facts) -> str:
    if facts.echo is None or facts.repetition is None or facts.has_inversion:
        return ""
    if not facts.is_sequence_known and facts.name in ("map", "T2*", "MPRAGE"):
        return ""  # the numbers of these are those of a T2 or a T1
    if facts.echo >= T2_ECHO_MS and facts.repetition >= T2_REPETITION_MS:
        return "T2"
    if facts.echo < T1_ECHO_MS and facts.repetition < T1_REPETITION_MS:
        return "T1"
    # Between proton density and T2 goes what the hospital calls it, and so what it is used for.
    is_between = facts.echo >= T1_ECHO_MS and facts.repetition >= T2_REPETITION_MS
    return "T2" if is_between and facts.name == "T2" else "other"


def _by_name(facts: _Facts) -> str:
    return facts.name


RULES = (
    Rule(
        "ComplexImageComponent, ImageType or FrameType",
        "Phase, real and imaginary parts, ADC, diffusion, fat, in-phase, opposed-phase, maps, "
        "projections, subtractions, localisers and screenshots are what they are called there.",
        _by_kind,
    ),
    Rule(
        "the name of a Dixon image",
        "FAT:, InPhase: and OutPhase: in front of a name, or F, IN, OPP behind Dixon's names.",
        _by_dixon_name,
    ),
    Rule(
        "the b-value",
        "Any b-value above 0 is DWI: DiffusionBValue, or where Siemens, GE and Philips keep it.",
        _by_diffusion,
    ),
    Rule(
        "AcquisitionContrast or ImageType",
        "STIR, FLUID_ATTENUATED, T2_STAR, DIFFUSION and PERFUSION of enhanced objects.",
        _by_flavour,
    ),
    Rule(
        "ScanningSequence EP or EchoPlanarPulseSequence",
        "Echo-planar images are EPI, or DWI and ADC where the name says so.",
        _by_echo_planar,
    ),
    Rule(
        "a name of diffusion",
        "DWI, ADC and their like in the name: the other attributes of these are those of a T2 or a "
        "STIR.",
        _by_name_of_diffusion,
    ),
    Rule(
        "InversionTime",
        "50 to 260 ms null fat: STIR. From 1500 ms with a long echo FLAIR; with a gradient echo "
        "MPRAGE. ScanningSequence must say IR or nothing, or the name of sequence or series must.",
        _by_inversion,
    ),
    Rule(
        "ScanningSequence GR",
        "A gradient echo with a prepared inversion is MPRAGE, with an echo from 12 ms T2*.",
        _by_gradient_echo,
    ),
    Rule(
        "ScanningSequence and the name",
        "An inversion whose time is not told, or no sequence at all, with the name STIR, TIRM or "
        "FLAIR.",
        _by_name_of_inversion,
    ),
    Rule(
        "EchoTime and RepetitionTime",
        "An echo from 60 ms with a repetition from 1500 ms is T2, from 35 ms if it is called so, "
        "one below 35 ms with a repetition below 1200 ms T1.",
        _by_times,
    ),
    Rule(
        "the name",
        "Words of SeriesDescription and ProtocolName, where no attribute decides.",
        _by_name,
    ),
)
"""In this order; the first that says something counts."""


def _facts_of(header: Dataset) -> _Facts:
    sequence = {text.upper().strip() for text in strings_of(header, "ScanningSequence")}
    image_types = [text.upper().strip() for text in strings_of(header, "ImageType")[2:]]
    contrast = text_of(header, "AcquisitionContrast").upper()
    return _Facts(
        kind=image_kind(header),
        sequence=sequence,
        variant={text.upper() for text in strings_of(header, "SequenceVariant")},
        sequence_name=text_of(header, "SequenceName").upper(),
        flavours={contrast, *image_types},
        inversion=number_of(header, "InversionTime"),
        echo=number_of(header, "EchoTime"),
        repetition=number_of(header, "RepetitionTime"),
        b_value=b_value(header),
        is_echo_planar="EP" in sequence
        or text_of(header, "EchoPlanarPulseSequence").upper() == "YES",
        name=_contrast_by_name(header),
        dixon_part=dixon_part_by_name(header),
    )


def _contrast_by_name(header: Dataset) -> str:
    """What the scanner's user called it."""
    words = " ".join(text_of(header, k) for k in ("SeriesDescription", "ProtocolName")).upper()
    text = re.sub(r"[^A-Z0-9*]+", " ", words)
    return next((name for name, word in _NAMES if re.search(rf"\b({word})(?!\S)", text)), "")
