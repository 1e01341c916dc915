"""Small synthetic sagittal series whose every voxel and corner is known.

The truth is written down in LFP order and the files are made from it one pixel at a time: which
corner comes first in a file, and which way its rows run, follows from the positions of three of
its pixels. Nothing here uses the code under test.
"""

from __future__ import annotations

import itertools
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from napari_spinemet.imaging import SagittalSeries

SHAPE = (9, 32, 24)
SPACING_MM = (4.4, 0.9, 0.7)
BITS = 12
LFP = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
"""Columns: the directions of slice, row and column of an upright sagittal series."""


@dataclass(frozen=True)
class Truth:
    """Voxels in LFP order and the affine from (slice, row, column) to patient mm."""

    voxels: npt.NDArray[np.float64]
    affine: npt.NDArray[np.float64]

    def at(self, *index: float) -> npt.NDArray[np.float64]:
        """Patient position of one index."""
        return self.affine[:3, :3] @ np.array(index) + self.affine[:3, 3]

    def without(self, *slices: int) -> Truth:
        """What is left if slices at the start or the end are taken away."""
        indices = [k for k in range(len(self.voxels)) if k not in slices]
        affine = self.affine.copy()
        affine[:3, 3] = self.at(indices[0], 0, 0)
        return Truth(self.voxels[indices], affine)


def rotation(x: float, y: float, z: float) -> npt.NDArray[np.float64]:
    """Rotation matrix for angles in degrees about the patient's axes, x first."""
    result = np.eye(3)
    for axis, degrees in enumerate((x, y, z)):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        turn = np.eye(3)
        a, b = [(1, 2), (2, 0), (0, 1)][axis]
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
        result = turn @ result
    return result


def make_truth(
    *,
    shape: tuple[int, int, int] = SHAPE,
    spacing_mm: tuple[float, float, float] = SPACING_MM,
    angles: tuple[float, float, float] = (0.0, 12.0, 7.0),
    origin: tuple[float, float, float] = (-18.25, -40.5, 77.125),
    seed: int = 0,
) -> Truth:
    """Random voxels in a box with three different sizes and spacings, oblique in two ways."""
    voxels = np.random.default_rng(seed).integers(0, 2**BITS, shape).astype(float)
    affine = np.eye(4)
    affine[:3, :3] = rotation(*angles) @ LFP * spacing_mm
    affine[:3, 3] = origin
    return Truth(voxels, affine)


def make_series(
    truth: Truth,
    *,
    transpose: bool = False,
    flip_rows: bool = False,
    flip_columns: bool = False,
    name: str = "a",
    frame: str = "frame",
) -> list[FileDataset]:
    """The slices of a series from the patient's right to left, stored as told."""
    result = []
    for k in range(len(truth.voxels)):
        pixels, placement = _stored_slice(truth, k, transpose, flip_rows, flip_columns)
        image = _image(f"{name}.{k}", name, frame)
        image.InstanceNumber = k + 1
        for keyword, values in placement.items():
            setattr(image, keyword, _decimals(values))
        set_pixels(image, pixels)
        result.append(image)
    return result


def _stored_slice(
    truth: Truth, k: int, transpose: bool, flip_rows: bool, flip_columns: bool
) -> tuple[npt.NDArray[np.float64], dict[str, Sequence[float]]]:
    """Pixels of one slice as they lie in its file, and the attributes that place them."""
    rows, columns = truth.voxels.shape[1:]
    if transpose:
        rows, columns = columns, rows

    def truth_index(r: int, c: int) -> tuple[int, int]:
        r = rows - 1 - r if flip_rows else r
        c = columns - 1 - c if flip_columns else c
        return (c, r) if transpose else (r, c)

    pixels = np.empty((rows, columns))
    for r, c in itertools.product(range(rows), range(columns)):
        pixels[r, c] = truth.voxels[(k, *truth_index(r, c))]
    first, right, below_mm = (truth.at(k, *truth_index(*rc)) for rc in ((0, 0), (0, 1), (1, 0)))
    row_step, column_step = right - first, below_mm - first
    column_distance, row_distance = (
        float(np.linalg.norm(row_step)),
        float(np.linalg.norm(column_step)),
    )
    return pixels, {
        "ImagePositionPatient": first,
        "ImageOrientationPatient": [*(row_step / column_distance), *(column_step / row_distance)],
        "PixelSpacing": [row_distance, column_distance],
    }


def _image(identity: str, series: str, frame: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[identity, "image"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID = MRImageStorage
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    image.SeriesInstanceUID = generate_uid(entropy_srcs=[series, "series"])
    image.FrameOfReferenceUID = generate_uid(entropy_srcs=[frame])
    image.Modality, image.SeriesDescription = "MR", f"STIR SAG {series}"
    image.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    image.PatientName, image.PatientID, image.StudyID = "Test^Spine", "TEST", "1"
    image.PatientBirthDate = image.PatientSex = image.AccessionNumber = ""
    image.StudyDate, image.StudyTime, image.SeriesNumber = "20240101", "120000", 1
    image.ReferringPhysicianName = image.PositionReferenceIndicator = ""
    image.Manufacturer = "test"
    image.ScanningSequence, image.SequenceVariant = ["SE", "IR"], "SK"
    image.RepetitionTime, image.EchoTime, image.InversionTime = "4000", "60", "160"
    image.SliceThickness = "4"
    return image


def set_pixels(image: Dataset, pixels: npt.ArrayLike, *, signed: bool = False) -> None:
    """Store pixels as 16-bit numbers of which twelve are used."""
    array = np.asarray(pixels)
    image.Rows, image.Columns = array.shape[-2:]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, BITS, BITS - 1
    image.PixelRepresentation = int(signed)
    image.PixelData = array.astype("<i2" if signed else "<u2").tobytes()
    image["PixelData"].VR = "OW"


def pixels_of(image: Dataset) -> npt.NDArray[np.int64]:
    """The stored numbers of an image made by :func:`set_pixels`."""
    kind = "<i2" if image.PixelRepresentation else "<u2"
    flat = np.frombuffer(image.PixelData, kind)
    return flat.reshape(image.Rows, image.Columns).astype(np.int64)


def save(image: FileDataset, path: Path) -> Path:
    """Write one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, image, enforce_file_format=True)
    return path


def write(folder: Path, images: Sequence[FileDataset], seed: int = 0) -> list[Path]:
    """Write files without suffix whose names say nothing about their order."""
    names = np.random.default_rng(seed).permutation(10 * len(images))[: len(images)]
    return [save(image, folder / f"{name:08d}") for name, image in zip(names, images, strict=True)]


def make_zip(archive: Path, folder: Path, prefix: str = "") -> Path:
    """Pack a folder."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.rglob("*")):
            target.write(path, f"{prefix}{path.relative_to(folder)}")
    return archive


def make_enhanced(
    truth: Truth, order: Sequence[int] | None = None, name: str = "enhanced"
) -> FileDataset:
    """The series as one multi-frame object; ``order`` says which slice each frame holds."""
    images = make_series(truth, name=name)
    order = list(range(len(images))) if order is None else list(order)
    result = _image(f"{name}.all", name, "frame")
    for keyword in ("ScanningSequence", "SequenceVariant", "RepetitionTime", "EchoTime"):
        delattr(result, keyword)
    del result.InversionTime, result.SliceThickness
    result.SOPClassUID = result.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    result.NumberOfFrames = len(order)
    result.ContentDate, result.ContentTime, result.InstanceNumber = "20240101", "120000", 1
    measures, direction = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = images[0].PixelSpacing, "4"
    direction.ImageOrientationPatient = images[0].ImageOrientationPatient
    timing, echo, modifier = Dataset(), Dataset(), Dataset()
    timing.RepetitionTime, echo.EffectiveEchoTime = "4000", 60.0
    modifier.InversionRecovery, modifier.InversionTimes = "YES", [160.0]
    common = Dataset()
    common.PixelMeasuresSequence = DicomSequence([measures])
    common.PlaneOrientationSequence = DicomSequence([direction])
    common.MRTimingAndRelatedParametersSequence = DicomSequence([timing])
    common.MREchoSequence = DicomSequence([echo])
    common.MRModifierSequence = DicomSequence([modifier])
    result.SharedFunctionalGroupsSequence = DicomSequence([common])
    frames = []
    for number, k in enumerate(order, 1):
        placement, content, group, scale = Dataset(), Dataset(), Dataset(), Dataset()
        placement.ImagePositionPatient = images[k].ImagePositionPatient
        content.StackID, content.InStackPositionNumber = "1", k + 1
        content.DimensionIndexValues = [1, number]
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = "2", str(-k), "US"
        group.PlanePositionSequence = DicomSequence([placement])
        group.FrameContentSequence = DicomSequence([content])
        group.PixelValueTransformationSequence = DicomSequence([scale])
        frames.append(group)
    result.PerFrameFunctionalGroupsSequence = DicomSequence(frames)
    set_pixels(result, np.stack([pixels_of(images[k]) for k in order]))
    return result


def enhanced_truth(truth: Truth) -> Truth:
    """What :func:`make_enhanced` means: a scale of its own for each frame."""
    shift = np.arange(len(truth.voxels))[:, None, None]
    return replace(truth, voxels=truth.voxels * 2 - shift)


def corners(shape: Sequence[int], affine: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Patient positions of the eight corner voxels."""
    index = np.array(list(itertools.product(*((0, n - 1) for n in shape))), dtype=float)
    matrix = np.asarray(affine, dtype=float)
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def _decimals(values: Sequence[float]) -> list[str]:
    """Numbers as a scanner writes them: at most sixteen characters."""
    return [f"{value:.9f}"[:16] for value in values]


@contextmanager
def nothing_said(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No library may speak to the user: neither a warning nor a line on stderr."""
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    assert capfd.readouterr().err == ""


def assert_exact(series: SagittalSeries, truth: Truth) -> None:
    """Every voxel equal, every corner within 0.01 mm, and the axes in LFP order."""
    assert series.shape == truth.voxels.shape
    np.testing.assert_array_equal(series.voxels, truth.voxels.astype(np.float32))
    error = corners(series.shape, series.affine) - corners(series.shape, truth.affine)
    assert np.linalg.norm(error, axis=1).max() < 0.01
