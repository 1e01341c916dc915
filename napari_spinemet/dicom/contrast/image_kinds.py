"""What kind of image a header declares: magnitude, or something that is looked at otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from pydicom.dataset import Dataset

from ..headers import number_of, strings_of, text_of

_KINDS: tuple[tuple[str, str], ...] = (
    ("ADC", r"E?ADC.*|.* ADC|EXP ADC.*"),
    ("DWI", r"DIFFUSION.*|DWI.*|TRACEW?|ISOTROPIC|TENSOR.*|COLFA"),
    ("fat fraction", r"FAT FRACTION|FF|PDFF|FAT PERCENT.*"),
    ("phase", r"P|PHASE|PHASE SUBTRACTION|VELOCITY.*|FLOW ENCODED"),
    ("map", r".*\bMAP|R1|R2|R2 STAR|PERFUSION.*|TTP|RCBV|RCBF|MTT"),
    ("real part", r"R|REAL"),
    ("imaginary part", r"I|IMAGINARY"),
    ("fat", r"F|FAT|FAT ONLY|DIXON FAT"),
    ("in-phase", r"IP|IN PHASE|INPHASE|DIXON IN( PHASE)?"),
    ("opposed-phase", r"OP|OPP|(OPP|OPPOSED|OUT|OUT OF|DIXON OPP|DIXON OUT)( PHASE)?|OUTPHASE"),
    ("water", r"W|WATER|WATER ONLY|DIXON WATER"),
    ("projection", r"MIP|MIN IP|MAX IP|MINIP|MPR THICK|PROJECTION IMAGE|MNIP"),
    ("subtraction", r"SUB|SUBTRACT(ION)?"),
    ("localiser", r"LOCALI[SZ]ER|SCOUT|SURVEY"),
    ("screenshot", r"SCREEN ?SAVE|SCREENSHOT|CAPTURE"),
)
"""Kind and what a value of ImageType, from the third on, or of FrameType is called then: standard
terms (PS3.3 C.8.13, C.8.3.1.1.1 and C.7.6.1.1.2) and those of the vendors. The first counts."""

_COMPONENTS = {"PHASE": "phase", "REAL": "real part", "IMAGINARY": "imaginary part"}
"""ComplexImageComponent (C.8.13.3.1.1) where it is no magnitude."""

_PRIVATE_B_VALUES = (
    ("SIEMENS MR HEADER", 0x0019, 0x0C),
    ("GEMS_PARM_01", 0x0043, 0x39),
    ("Philips Imaging DD 001", 0x2001, 0x03),
)
"""(private creator, group, element) where vendors keep the b-value of single frames."""
_GE_OFFSET = 1e9
"""Newer GE software adds it to the b-value."""


def image_kind(header: Dataset) -> str:
    """The kind of image, by what the standard's attributes say.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of a single-frame image, or of one frame.

    Returns
    -------
    str
        One of ``ADC``, ``DWI``, ``phase``, ``fat`` and so on; empty for a plain magnitude image.
    """
    component = _COMPONENTS.get(text_of(header, "ComplexImageComponent").upper())
    if component:
        return component
    values = strings_of(header, "FrameType") or strings_of(header, "ImageType")
    tokens = {re.sub("[_*-]+", " ", value.upper()).strip() for value in values[2:]}
    for kind, pattern in _KINDS:
        if any(re.fullmatch(pattern, token) for token in tokens):
            return kind
    return ""


_DIXON = r"(M?DIXON|DIX|FLEX|IDEAL|LAVA|VIBE)"
_DIXON_PARTS = (
    ("fat", rf"^FAT ?:|\b{_DIXON}\b.*\b(F|FAT)$|^FAT {_DIXON}\b"),
    ("opposed-phase", rf"^(OUT|OPPOSED|OPP) ?PHASE ?:|\b{_DIXON}\b.*\b(OPP|OUT|OP)( ?PHASE)?$"),
    ("in-phase", rf"^IN ?PHASE ?:|\b{_DIXON}\b.*\b(IN|IP|IN ?PHASE)$"),
)
"""What GE and Siemens call the images of one Dixon scan but that of water."""


def dixon_part_by_name(header: Dataset) -> str:
    """Which image of a Dixon scan it is by its name: fat, in-phase or opposed-phase; else empty.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of a single-frame image, or of one frame.
    """
    name = text_of(header, "SeriesDescription").upper()
    text = re.sub(r"[^A-Z0-9:]+", " ", name).strip()
    return next((part for part, pattern in _DIXON_PARTS if re.search(pattern, text)), "")


def b_value(header: Dataset) -> float | None:
    """The b-value in s/mm², where the header tells one.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of a single-frame image, or of one frame.
    """
    standard = number_of(header, "DiffusionBValue")
    if standard is not None:
        return standard
    groups = {tag >> 16 for tag in header.keys()}  # noqa: SIM118  not its elements
    for creator, group, element in _PRIVATE_B_VALUES:
        if group not in groups:
            continue
        try:
            value = header.private_block(group, creator)[element].value
            number = float(np.atleast_1d(np.array(_as_text(value), dtype=object))[0])
        except Exception:  # noqa: BLE001  not there, or written by another's rules
            continue
        if np.isfinite(number) and number >= 0:
            return number % _GE_OFFSET
    return None


def _as_text(value: object) -> object:
    """Private values of unknown representation come as bytes."""
    return value.decode("ascii").strip("\0 ").split("\\")[0] if isinstance(value, bytes) else value


def content_of(header: Dataset) -> Mapping[str, object]:
    """What images that belong to one volume never differ in, by attribute.

    Numbers are compared within the tolerances of :data:`CONTENT_TOLERANCES`; None fits anything.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of a single-frame image, or of one frame.
    """
    return {
        "ImageType": image_kind(header),
        "EchoTime": number_of(header, "EchoTime"),
        "InversionTime": number_of(header, "InversionTime"),
        "DiffusionBValue": b_value(header),
        "Modality": text_of(header, "Modality"),
    }


CONTENT_TOLERANCES = {
    "EchoTime": (1.0, 0.03),
    "InversionTime": (5.0, 0.03),
    "DiffusionBValue": (5.0, 0.01),
}
"""Differences that are no more than noise: the larger of a number and a share of the value. Echoes
of one sequence are several milliseconds apart, b-values tens."""
