from __future__ import annotations

import numpy as np
import pytest
from dicom_builder import make_series, make_truth, rotation
from pydicom.dataset import Dataset

from napari_spinemet.dicom.headers import facts_of, numbers_of, plane_of

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
