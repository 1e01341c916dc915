"""One case of a cohort on disk: a DICOM scan, its contours, and what was put into it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from ..atomic_files import replace_atomically, write_text
from ..dicom import read_series
from ..exchange import write_annotation
from ..imaging import Annotation, SagittalSeries

_DATE = "20170101"


def write_case(
    path: Path,
    series: SagittalSeries,
    stored: npt.NDArray[np.int16],
    annotation: Annotation,
    facts: Mapping[str, object],
    *,
    identity: str,
    name: str,
) -> None:
    """Write ``scan/``, ``contours/`` and at last ``case.json``.

    Parameters
    ----------
    path : Path
        Of the case.
    series : SagittalSeries
        Its geometry and description.
    stored : numpy.ndarray
        Its pixels as int16.
    annotation : Annotation
    facts : mapping
        What goes into ``case.json``.
    identity : str
        The same one gives the same files, bit for bit.
    name : str
        Of the patient, who is none.
    """
    images = _images(series, stored, identity, name)
    for number, image in enumerate(images, 1):
        with replace_atomically(path / "scan" / f"IM{number:04d}") as temporary:
            image.save_as(temporary, enforce_file_format=True)
    written = read_series(path / "scan")
    contours = Annotation(
        annotation.lesions,
        annotation.vertebrae,
        annotation.levels,
        written.series_uid,
        "phantom",
    )
    write_annotation(
        contours,
        written,
        images,
        path / "contours" / "contours.dcm",
        uid=generate_uid(entropy_srcs=[identity, "contours"])[:60],
        when=_DATE,
    )
    write_text(path / "case.json", json.dumps(facts, indent=1) + "\n")


def _images(
    scan: SagittalSeries, stored: npt.NDArray[np.int16], identity: str, name: str
) -> Sequence[FileDataset]:
    affine = scan.affine
    spacing = scan.spacing_mm
    study, series, frame = (
        generate_uid(entropy_srcs=[identity, part]) for part in ("study", "series", "frame")
    )
    result = []
    for index, pixels in enumerate(stored):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[identity, str(index)])
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        image.SpecificCharacterSet = "ISO_IR 192"
        image.SOPClassUID = MRImageStorage
        image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID, image.SeriesInstanceUID = study, series
        image.FrameOfReferenceUID = frame
        image.Modality = "MR"
        image.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        image.PatientName, image.PatientID = name, f"PHANTOM-{identity}"
        image.PatientBirthDate = image.PatientSex = image.AccessionNumber = ""
        image.ReferringPhysicianName = image.PositionReferenceIndicator = ""
        image.StudyDate, image.StudyTime, image.StudyID = _DATE, "000000", "1"
        image.Manufacturer = "napari-spinemet phantom"
        image.SeriesDescription, image.SeriesNumber = scan.description, 1
        image.InstanceNumber = index + 1
        image.PatientPosition, image.BodyPartExamined = "HFS", "SPINE"
        image.ScanningSequence, image.SequenceVariant, image.ScanOptions = ["SE", "IR"], "SK", ""
        image.MRAcquisitionType = "2D"
        image.RepetitionTime, image.EchoTime, image.InversionTime = "4000", "60", "160"
        image.EchoTrainLength, image.FlipAngle = "10", "90"
        image.MagneticFieldStrength = "1.5"
        image.SliceThickness = f"{spacing[0]:.4g}"
        image.SpacingBetweenSlices = f"{spacing[0]:.4g}"
        image.PixelSpacing = [f"{spacing[1]:.6g}", f"{spacing[2]:.6g}"]
        # Columns grow along the affine's third axis, rows along its second.
        directions = [*(affine[:3, 2] / spacing[2]), *(affine[:3, 1] / spacing[1])]
        image.ImageOrientationPatient = [f"{v:.10f}" for v in directions]
        position = affine[:3, 3] + index * affine[:3, 0]
        image.ImagePositionPatient = [f"{v:.8f}" for v in position]
        image.Rows, image.Columns = pixels.shape
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.PixelData = np.ascontiguousarray(pixels, dtype="<i2").tobytes()
        result.append(image)
    return result
