"""A cohort of phantoms as DICOM: one folder a case, with its scan and its contours."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from ..dicom import read_series, write_annotation
from ..errors import SpinemetError
from ..imaging import Annotation
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from ..storage import replace_atomically, write_text
from .case import PhantomCase, make_case

_DATE = "20170101"


def make_cohort(
    folder: str | os.PathLike[str],
    cases: int = 26,
    normals: int = 0,
    seed: int = 0,
    *,
    variety: str = "evaluation",
    pixel_mm: float | None = None,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> list[Path]:
    """Write a cohort of synthetic cases.

    Parameters
    ----------
    folder : path-like
        Receives one folder a case, each with ``scan/`` (DICOM MR images), ``contours/`` (one
        DICOM SEG of lesions and vertebrae) and ``case.json``, and ``cohort.json`` with the
        settings. Cases that are there already are left as they are.
    cases, normals : int
        Number of cases with lesions and without.
    seed : int
        The same seed gives the same files, bit for bit.
    variety : {"evaluation", "training"}
        As in life, or domain-randomised.
    pixel_mm : float, optional
        In-plane pixel of every case; drawn if not given.

    Returns
    -------
    list of Path
        The case folders.

    Raises
    ------
    SpinemetError
        If the folder holds a cohort that was made with other settings.
    """
    if cases < 0 or normals < 0 or cases + normals == 0:
        raise SpinemetError("A cohort needs at least one case; ask for 1 or more.")
    root = Path(folder)
    paths = []
    facts = {"cases": cases, "normals": normals, "seed": seed, "variety": variety}
    if pixel_mm is not None:
        facts["pixel_mm"] = pixel_mm
    _refuse_other(root, facts)
    # First, so that a cohort that was cut short also knows its settings.
    write_text(root / "cohort.json", json.dumps({"phantom": facts}) + "\n")
    for number in range(cases + normals):
        if cancel is not None:
            cancel.raise_if_cancelled()
        diseased = number < cases
        name = f"case-{number + 1:03d}" if diseased else f"normal-{number + 1 - cases:03d}"
        path = root / name
        if not (path / "case.json").exists():
            case = make_case((seed, number), diseased=diseased, variety=variety, pixel_mm=pixel_mm)
            _write_case(path, case, f"{seed}.{number}.{variety}")
        paths.append(path)
        on_event(Progressed("phantom", number + 1, cases + normals, name))
    return paths


def _refuse_other(root: Path, facts: Mapping[str, object]) -> None:
    """Refuse a folder whose cases are not the first ones of the wanted cohort."""
    try:
        held = json.loads((root / "cohort.json").read_text(encoding="utf-8"))["phantom"]
    except (OSError, ValueError, TypeError, KeyError):
        return
    # Normal cases are numbered, and seeded, after the diseased ones.
    decisive = ["seed", "variety", "pixel_mm"] + (["cases"] if held.get("normals") else [])
    if any(held.get(key) != facts.get(key) for key in decisive):
        raise SpinemetError(
            f"{root} holds a cohort made with other settings ({json.dumps(held)}); "
            "choose another folder."
        )


def _write_case(path: Path, case: PhantomCase, identity: str) -> None:
    images = _images(case, identity)
    for number, image in enumerate(images, 1):
        with replace_atomically(path / "scan" / f"IM{number:04d}") as temporary:
            image.save_as(temporary, enforce_file_format=True)
    series = read_series(path / "scan")
    annotation = Annotation(
        case.annotation.lesions,
        case.annotation.vertebrae,
        case.annotation.levels,
        series.series_uid,
        "phantom",
    )
    write_annotation(
        annotation,
        series,
        images,
        path / "contours" / "contours.dcm",
        uid=generate_uid(entropy_srcs=[identity, "contours"])[:60],
        when=_DATE,
    )
    facts = {
        "region": case.region,
        "lesions": [{"level": x.level, "contrast": round(x.contrast, 3)} for x in case.lesions],
    }
    write_text(path / "case.json", json.dumps(facts, indent=1) + "\n")


def _images(case: PhantomCase, identity: str) -> Sequence[FileDataset]:
    affine = case.series.affine
    spacing = case.series.spacing_mm
    study, series, frame = (
        generate_uid(entropy_srcs=[identity, part]) for part in ("study", "series", "frame")
    )
    result = []
    for index, pixels in enumerate(case.stored):
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
        image.PatientName, image.PatientID = "Phantom^Spine", f"PHANTOM-{identity}"
        image.PatientBirthDate = image.PatientSex = image.AccessionNumber = ""
        image.ReferringPhysicianName = image.PositionReferenceIndicator = ""
        image.StudyDate, image.StudyTime, image.StudyID = _DATE, "000000", "1"
        image.Manufacturer = "napari-spinemet phantom"
        image.SeriesDescription, image.SeriesNumber = "STIR SAG", 1
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
