from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_builder import make_series, make_truth, rotation
from pydicom.dataset import Dataset, FileDataset

from napari_spinemet.dicom.headers import contrast_of, facts_of, numbers_of, plane_of
from napari_spinemet.dicom.sources import Source
from napari_spinemet.dicom.stack_faults import find_fault
from napari_spinemet.dicom.stack_sorting import may_lack_images_of, split_into_stacks
from napari_spinemet.dicom.stacks import Stack

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
    turned = np.array(cosines, dtype=float).reshape(2, 3) @ rotation(*angles).T
    assert plane_of(turned.ravel()) == plane


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


def stack_of(images: list[FileDataset]) -> Stack:
    """The one stack that some images form."""
    (stack,) = split_into_stacks([(Source(Path(str(k))), image) for k, image in enumerate(images)])
    return stack


def test_noise_in_directions_is_judged_by_what_it_moves() -> None:
    """The same noise that a small field forgives is refused where it moves the edge visibly."""
    images = make_series(make_truth())
    values = np.array(images[4].ImageOrientationPatient, dtype=float)
    along = values[:3] + 2e-3 * values[3:]
    along /= np.linalg.norm(along)
    down = values[3:] - along * (along @ values[3:])
    cosines = [*along, *(down / np.linalg.norm(down))]
    images[4].ImageOrientationPatient = [f"{v:.9f}" for v in cosines]
    assert find_fault(stack_of(images)) == ""
    for image in images:
        image.Rows = image.Columns = 512
    assert "directions of its slices differ, by up to 1.2 mm" in find_fault(stack_of(images))


def test_a_fault_is_found_without_reading_pixels() -> None:
    """The verdict of a listing and that of a reading are the same one."""
    images = make_series(make_truth())
    for image in images:
        del image.PixelData
    assert find_fault(stack_of(images)) == ""
    assert find_fault(stack_of(images[:1] + images[3:])) == "2 slices are missing in the middle"


def test_spacing_is_that_of_the_series_as_it_is_read() -> None:
    """A sagittal stack stored on its side lists its spacing upright; other planes as stored."""
    truth = make_truth()
    assert stack_of(make_series(truth, transpose=True)).spacing_mm == pytest.approx(
        (4.4, 0.9, 0.7), abs=1e-6
    )
    axial = make_series(truth)
    for k, image in enumerate(axial):
        image.ImageOrientationPatient, image.ImagePositionPatient = AXIAL, [0, 0, 3 * k]
    assert stack_of(axial).spacing_mm == pytest.approx((3, 0.9, 0.7))


def test_a_localiser_may_be_passed_over_and_a_lost_slice_may_not() -> None:
    """What is left out of a volume must not have belonged to it, nor to another patient."""
    images = make_series(make_truth())
    stack = stack_of(images[:8])
    assert may_lack_images_of(stack, stack_of(images[8:]))
    images[8].ImageOrientationPatient = AXIAL
    assert not may_lack_images_of(stack, stack_of(images[8:]))
    images[8].PatientID = "OTHER"
    assert may_lack_images_of(stack, stack_of(images[8:]))
    images[8].PatientID = "TEST"
    del images[8].ImageOrientationPatient
    assert may_lack_images_of(stack, stack_of(images[8:]))
    images[8].Rows, images[8].Columns = 600, 800
    assert not may_lack_images_of(stack, stack_of(images[8:]))
