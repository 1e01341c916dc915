"""The contrast of a series, by the attributes of the standard and the words of each vendor."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from napari_spinemet.dicom.contrast.weighting import contrast_of

CONTRASTS = {
    "STIR, 1.5 T": ({"seq": ["SE", "IR"], "ti": 160, "te": 60, "tr": 4000}, "STIR"),
    "STIR, 0.5 T": ({"seq": "IR", "ti": 110, "te": 20, "tr": 2500}, "STIR"),
    "STIR, 3 T": ({"seq": ["SE", "IR"], "ti": 220, "te": 70, "tr": 5000}, "STIR"),
    "STIR without ScanningSequence": ({"ti": 160, "te": 60, "tr": 4000}, "STIR"),
    "FLAIR": ({"seq": ["SE", "IR"], "ti": 2500, "te": 120, "tr": 9000}, "FLAIR"),
    "T1 FLAIR": ({"seq": ["SE", "IR"], "ti": 860, "te": 12, "tr": 2000}, "other"),
    "T2": ({"seq": "SE", "te": 100, "tr": 3500}, "T2"),
    "T2 with TI 0": ({"seq": "SE", "ti": 0, "te": 100, "tr": 3500}, "T2"),
    "T1": ({"seq": "SE", "te": 10, "tr": 500}, "T1"),
    "T1 with TI 0": ({"seq": "SE", "ti": 0, "te": 10, "tr": 500}, "T1"),
    "TI left over in a T2": ({"seq": "SE", "ti": 160, "te": 100, "tr": 3500}, "T2"),
    "proton density": ({"seq": "SE", "te": 20, "tr": 3000}, "other"),
    "an echo between, called T2": ({"seq": "SE", "te": 45, "tr": 3000, "text": "T2 TSE FS"}, "T2"),
    "an echo between, called PD": ({"seq": "SE", "te": 45, "tr": 3000, "text": "PD FS"}, "other"),
    "proton density, called T2": ({"seq": "SE", "te": 20, "tr": 3000, "text": "T2 TSE"}, "other"),
    "gradient echo": ({"seq": "GR", "te": 15, "tr": 1500}, "T2*"),
    "T2 that is called STIR": ({"seq": "SE", "te": 100, "tr": 3500, "text": "STIR SAG"}, "T2"),
    "STIR that is called T1": (
        {"seq": "IR", "ti": 160, "te": 60, "tr": 4000, "text": "T1"},
        "STIR",
    ),
    "IR without TI, called STIR": ({"seq": "IR", "te": 60, "tr": 4000, "text": "sag stir"}, "STIR"),
    "IR with TI 0, called nothing": ({"seq": "IR", "ti": 0, "te": 60, "tr": 4000}, "other"),
    "IR without TI, called FLAIR": ({"seq": "IR", "te": 120, "tr": 9000, "text": "FLAIR"}, "FLAIR"),
    "no parameters, TIRM": ({"text": "t2_tirm_sag"}, "STIR"),
    "no parameters, T1": ({"text": "Sag T1 TSE"}, "T1"),
    "no parameters, T2": ({"text": "Sag T2 TSE"}, "T2"),
    "nothing at all": ({}, "other"),
    "half the parameters": ({"te": 100, "text": "Sag T2"}, "T2"),
}


@pytest.mark.parametrize(("facts", "contrast"), CONTRASTS.values(), ids=CONTRASTS.keys())
def test_contrast_comes_from_the_sequence_and_not_from_its_name(facts, contrast) -> None:
    """The weighting follows the parameters; the description counts where they are silent."""
    keywords = {
        "seq": "ScanningSequence",
        "ti": "InversionTime",
        "te": "EchoTime",
        "tr": "RepetitionTime",
        "text": "SeriesDescription",
    }
    header = Dataset()
    for key, value in facts.items():
        setattr(header, keywords[key], value if isinstance(value, (str, list)) else str(value))
    assert contrast_of(header).name == contrast
