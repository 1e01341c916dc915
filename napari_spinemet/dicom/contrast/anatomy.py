"""The part of the body that a header names, where it is none of the spine."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from ..headers import items_of, text_of

_SPINE = re.compile(
    r"\w*SPINE?|SPINAL|SPI|[CTL]{1,3}SP\w*|LUMB\w*|CERV\w*|THORA\w*|DORSAL\w*|VERTEBR\w*|SACR\w*|"
    r"COCCYX|BACK|[HBL]WS|WIRBEL\w*|RACHIS|COL|COLUMN\w*|COLONN\w*|COLUMNA|SACROIL\w*|NECK|CHEST|"
    r"ABD\w*|PELVI\w*|TRUNK|BODY|WHOLE ?BODY|WB|TORSO|HALS|BECKEN"
)
_OTHERS = re.compile(
    r"KNEE|HEAD|BRAIN|SKULL|SHOULDER|ELBOW|HAND|WRIST|HIP|ANKLE|FOOT|FEET|FINGER|TOE|LEG|ARM|CALF|"
    r"THIGH|FEMUR|TIBIA|FIBULA|HUMERUS|FOREARM|RADIUS|ULNA|EXTREMITY|[UL]EXTR?\w*|BREAST|HEART|"
    r"CARDIAC|LIVER|PROSTATE|KIDNEY|UTERUS|ORBIT|EYE|IAC|JAW|TMJ|PITUITARY|KNIE|SCHULTER|KOPF|"
    r"SCH[AÄ]DEL|FUSS|HUFTE|H[UÜ]FTE|GENOU|EPAULE|TETE|CRANE|RODILLA|CABEZA|HOMBRO|GINOCCHIO|TESTA"
)


def other_body_part(header: Dataset) -> str:
    """The body part that a header names, if that is no part of the spine or near it.

    BodyPartExamined and AnatomicRegionSequence count; where both are missing, the names that people
    gave. Scanners carry the part over from the former patient, so this is a reason to look and none
    to refuse.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of a single-frame image, or of one frame.

    Returns
    -------
    str
        As it stands there; empty where none is named, or one that a spine may lie in.
    """
    regions = items_of(header, "AnatomicRegionSequence")
    parts = [text_of(header, "BodyPartExamined"), *(text_of(r, "CodeMeaning") for r in regions)]
    if not any(parts):
        keywords = ("SeriesDescription", "ProtocolName", "StudyDescription")
        parts = [text_of(header, keyword) for keyword in keywords]
    text = re.sub(r"[^A-ZÄÖÜ0-9]+", " ", " ".join(parts).upper())
    if any(_SPINE.fullmatch(word) for word in text.split()):
        return ""
    others = [word for word in text.split() if _OTHERS.fullmatch(word)]
    return others[0] if others else ""
