"""One case of a cohort on disk: a DICOM scan, its contours, and what was put into it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from ..atomic_files import replace_atomically, write_text
from ..dicom import read_series
from ..exchange import write_annotation
from ..imaging import Annotation, SagittalSeries
from .case import PhantomImage

_DATE = "20170101"
_SAME_IN_EVERY_IMAGE: Mapping[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 192",
    "SOPClassUID": MRImageStorage,
    "Modality": "MR",
    "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
    "PatientBirthDate": "",
    "PatientSex": "",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "PositionReferenceIndicator": "",
    "StudyDate": _DATE,
    "StudyTime": "000000",
    "StudyID": "1",
    "Manufacturer": "napari-spinemet phantom",
    "SeriesNumber": 1,
    "PatientPosition": "HFS",
    "BodyPartExamined": "SPINE",
    "ScanningSequence": ["SE", "IR"],
    "SequenceVariant": "SK",
    "ScanOptions": "",
    "MRAcquisitionType": "2D",
    "RepetitionTime": "4000",
    "EchoTime": "60",
    "InversionTime": "160",
    "EchoTrainLength": "10",
    "FlipAngle": "90",
    "MagneticFieldStrength": "1.5",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 1,
}
"""DICOM attributes by keyword: a STIR acquisition of nobody, pixels as signed 16 bit."""


def write_case(
    path: Path,
    images: Sequence[PhantomImage],
    annotation: Annotation,
    facts: Mapping[str, object],
    *,
    identity: str,
    name: str,
) -> None:
    """Write ``scan/``, ``contours/`` and at last ``case.json``, by which a case is whole.

    Images beyond the first have folders of their own, named by their contrast.

    Parameters
    ----------
    path : Path
        Of the case.
    images : sequence of PhantomImage
        On one grid; the first is what is detected on.
    annotation : Annotation
        On the grid of the series; one contour at least.
    facts : mapping
        What goes into ``case.json``.
    identity : str
        The same one gives the same files, bit for bit.
    name : str
        Of the patient, who is none.
    """
    first, *others = images
    source_images = _make_images(first, identity, name)
    _save(source_images, path / "scan")
    for number, image in enumerate(others, 2):
        _save(_make_images(image, identity, name, number), path / image.contrast)
    # As a reader will see it: positions lost their last digits on the way.
    saved_series = read_series(path / "scan")
    contours = Annotation(
        annotation.lesions,
        annotation.vertebrae,
        annotation.levels,
        saved_series.series_uid,
        "phantom",
    )
    write_annotation(
        contours,
        saved_series,
        path / "contours" / "contours.dcm",
        source_images=source_images,
        uid=generate_uid(entropy_srcs=[identity, "contours"])[:60],
        when=_DATE,
    )
    write_text(path / "case.json", json.dumps(facts, indent=1) + "\n")


def _save(images: Sequence[FileDataset], folder: Path) -> None:
    for number, image in enumerate(images, 1):
        with replace_atomically(folder / f"IM{number:04d}") as temporary:
            image.save_as(temporary, enforce_file_format=True)


def _make_images(
    phantom: PhantomImage, identity: str, name: str, number: int = 1
) -> Sequence[FileDataset]:
    """One dataset a slice; nothing in them is drawn or taken from the clock."""
    scan, pixels = phantom.series, phantom.pixels
    # Of one study and one frame of reference; the names of the first are as they always were.
    own = identity if number == 1 else f"{identity}.{phantom.contrast}"
    study, frame = (generate_uid(entropy_srcs=[identity, part]) for part in ("study", "frame"))
    series = generate_uid(entropy_srcs=[own, "series"])
    result = []
    for index, plane in enumerate(pixels):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[own, str(index)])
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        for keyword, value in {**_SAME_IN_EVERY_IMAGE, **phantom.header}.items():
            if value is not None:
                setattr(image, keyword, value)
        image.SeriesNumber = number
        image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID, image.SeriesInstanceUID = study, series
        image.FrameOfReferenceUID = frame
        image.PatientName, image.PatientID = name, f"PHANTOM-{identity}"
        image.SeriesDescription, image.InstanceNumber = scan.description, index + 1
        _set_geometry(image, scan, index)
        image.Rows, image.Columns = plane.shape
        image.PixelData = np.ascontiguousarray(plane, dtype="<i2").tobytes()
        result.append(image)
    return result


def _set_geometry(image: FileDataset, scan: SagittalSeries, index: int) -> None:
    """Where a slice lies; DICOM numbers have 16 characters, so digits are limited."""
    affine, spacing = scan.affine, scan.spacing_mm
    image.SliceThickness = f"{spacing[0]:.4g}"
    image.SpacingBetweenSlices = f"{spacing[0]:.4g}"
    image.PixelSpacing = [f"{spacing[1]:.6g}", f"{spacing[2]:.6g}"]
    # Columns grow along the affine's third axis, rows along its second.
    directions = [*(affine[:3, 2] / spacing[2]), *(affine[:3, 1] / spacing[1])]
    image.ImageOrientationPatient = [f"{v:.10f}" for v in directions]
    position = affine[:3, 3] + index * affine[:3, 0]
    image.ImagePositionPatient = [f"{v:.8f}" for v in position]
