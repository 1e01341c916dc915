from __future__ import annotations

import numpy as np
import pytest
from dicom_builder import make_series, make_truth, rotation
from pydicom.dataset import Dataset

from napari_spinemet.dicom.headers import contrast_of, facts_of, numbers_of, plane_of

CONTRASTS = {
    "STIR, 1.5 T": ({"seq": ["SE", "IR"], "ti": 160, "te": 60, "tr": 4000}, "STIR"),
    "STIR, 0.5 T": ({"seq": "IR", "ti": 110, "te": 20, "tr": 2500}, "STIR"),
    "STIR, 3 T": ({"seq": ["SE", "IR"], "ti": 220, "te": 70, "tr": 5000}, "STIR"),
    "STIR without ScanningSequence": ({"ti": 160, "te": 60, "tr": 4000}, "STIR"),
    "FLAIR": ({"seq": ["SE", "IR"], "ti": 2500, "te": 120, "tr": 9000}, "other"),
    "T1 FLAIR": ({"seq": ["SE", "IR"], "ti": 860, "te": 12, "tr": 2000}, "other"),
    "T2": ({"seq": "SE", "te": 100, "tr": 3500}, "T2"),
    "T2 with TI 0": ({"seq": "SE", "ti": 0, "te": 100, "tr": 3500}, "T2"),
    "T1": ({"seq": "SE", "te": 10, "tr": 500}, "T1"),
    "T1 with TI 0": ({"seq": "SE", "ti": 0, "te": 10, "tr": 500}, "T1"),
    "TI left over in a T2": ({"seq": "SE", "ti": 160, "te": 100, "tr": 3500}, "T2"),
    "proton density": ({"seq": "SE", "te": 20, "tr": 3000}, "other"),
    "gradient echo": ({"seq": "GR", "te": 15, "tr": 1500}, "other"),
    "T2 that is called STIR": ({"seq": "SE", "te": 100, "tr": 3500, "text": "STIR SAG"}, "T2"),
    "STIR that is called T1": (
        {"seq": "IR", "ti": 160, "te": 60, "tr": 4000, "text": "T1"},
        "STIR",
    ),
    "IR without TI, called STIR": ({"seq": "IR", "te": 60, "tr": 4000, "text": "sag stir"}, "STIR"),
    "IR with TI 0, called nothing": ({"seq": "IR", "ti": 0, "te": 60, "tr": 4000}, "other"),
    "IR without TI, called FLAIR": ({"seq": "IR", "te": 120, "tr": 9000, "text": "FLAIR"}, "other"),
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
    assert contrast_of(header) == contrast


SAGITTAL, CORONAL, AXIAL = [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1], [1, 0, 0, 0, 1, 0]
PLANES = {
    "sagittal": (SAGITTAL, (0, 0, 0), "sagittal"),
    "sagittal, rows upwards": ([0, -1, 0, 0, 0, 1], (0, 0, 0), "sagittal"),
    "sagittal, transposed": ([0, 0, -1, 0, 1, 0], (0, 0, 0), "sagittal"),
    "sagittal, turned in plane": (SAGITTAL, (47, 0, 0), "sagittal"),
    "scoliosis": (SAGITTAL, (0, 0, 34), "sagittal"),
    "between sagittal and coronal": (SAGITTAL, (0, 0, 45), "mixed"),
    "just too oblique": (SAGITTAL, (0, 0, 36), "mixed"),
    "coronal": (CORONAL, (0, 0, 0), "coronal"),
    "axial": (AXIAL, (0, 0, 0), "axial"),
    "axial along a disc": (AXIAL, (25, 0, 0), "axial"),
}


@pytest.mark.parametrize(("cosines", "angles", "plane"), PLANES.values(), ids=PLANES.keys())
def test_plane_is_that_of_the_slice_normal(cosines, angles, plane) -> None:
    """Up to 35 degrees belong to a plane, whichever way its rows and columns run."""
    turned_cosines = np.array(cosines, dtype=float).reshape(2, 3) @ rotation(*angles).T
    assert plane_of(turned_cosines.ravel()) == plane


@pytest.mark.parametrize(
    ("value", "count"),
    [(None, 1), ("", 1), ("nan", 1), ("1e999", 1), ("1", 2), (["1", "2", "3"], 2)],
)
def test_numbers_are_finite_and_as_many_as_asked(value, count) -> None:
    """What is missing, damaged or too few counts as not there."""
    header = Dataset()
    header.add_new("ImagePositionPatient", "LO", value)
    assert numbers_of(header, "ImagePositionPatient", count) is None


def test_facts_hold_no_identity() -> None:
    """What is kept for display names the machine and the sequence, never the patient."""
    image = make_series(make_truth())[0]
    image.PatientName = "Secret^Name"
    facts = facts_of(image)
    assert facts["InversionTime"] == "160"
    assert not any(word in str(facts) for word in ("Secret", "TEST", "Name"))
