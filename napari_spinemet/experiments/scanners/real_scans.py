"""The real scans of the exam: where each lies, and what must be known of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...dicom import list_series, read_series
from ...errors import SpinemetError
from ...exchange import read_annotation
from ...exchange.nifti_image import RAS_OF_LPS, ras_affine, read_image, read_values
from ...imaging import Annotation, SagittalSeries
from ...phantom.implants.cohort import read_vertebrae


@dataclass(frozen=True)
class RealScan:
    """One scan.

    Attributes
    ----------
    name : str
        Of its folder, by which figures name it.
    path : str
        Below the folder of all real scans.
    what : str
        Contrast and patient, for the table.
    vertebrae : str
        Its contours, below that folder; empty without any, or where they lie elsewhere.
    ignored_labels : tuple of int
        Bright bodies of no known tumour: neither marks nor implants count there.
    implants, implants_a_copy : int
        Of a whole exam.
    implant_part : str
        Of the exam.
    needs_contours : bool
        Whether its vertebrae are contoured in a file that is given.
    """

    name: str
    path: str
    what: str
    vertebrae: str = ""
    ignored_labels: tuple[int, ...] = ()
    implants: int = 0
    implants_a_copy: int = 1
    implant_part: str = ""
    needs_contours: bool = False

    def is_in(self, data: Path) -> bool:
        """Whether the folder of real scans holds it."""
        return (data / self.path).exists()

    def read(self, data: Path, contours: Path | None) -> tuple[SagittalSeries, Annotation]:
        """The series, whatever its contrast, and its vertebrae.

        Parameters
        ----------
        data : Path
            Folder of the real scans.
        contours : Path or None
            Of the vertebrae of the one scan whose own are kept elsewhere.

        Raises
        ------
        SpinemetError
            If there is no sagittal series.
        """
        path = data / self.path
        series = _read_nifti(path) if path.name.endswith(".nii.gz") else _read_any_sagittal(path)
        if self.needs_contours and contours is not None:
            return series, read_annotation(contours, series)
        if self.vertebrae:
            return series, read_vertebrae(data / self.vertebrae, series)
        nothing = np.zeros(series.shape, dtype=np.uint16)
        return series, Annotation(nothing, nothing.copy())


def _read_any_sagittal(path: Path) -> SagittalSeries:
    summaries = list_series(path)
    chosen = [s for s in summaries if s.detectable] or [
        s for s in summaries if s.plane == "sagittal"
    ]
    if not chosen:
        raise SpinemetError(f"{path} holds no sagittal series; give the folder of a scan.")
    return read_series(path, chosen[0].series_uid)


def _read_nifti(path: Path) -> SagittalSeries:
    """A NIfTI volume as sagittal slices of 4 mm: averages of those that it has."""
    from nibabel import orientations

    image = read_image(path)
    known: Any = orientations  # without types
    order = known.ornt_transform(
        known.io_orientation(image.affine), known.axcodes2ornt(("L", "I", "P"))
    )
    oriented = image.as_reoriented(order)
    values = np.asarray(read_values(oriented, path.name), dtype=np.float32)
    affine = RAS_OF_LPS @ ras_affine(oriented, path.name)
    step = max(1, round(4 / float(np.linalg.norm(affine[:3, 0]))))
    count = len(values) // step
    affine[:3, 3] += affine[:3, 0] * (step - 1) / 2
    affine[:3, 0] *= step
    voxels = values[: count * step].reshape(count, step, *values.shape[1:]).mean(axis=1)
    return SagittalSeries(voxels, affine, description=path.name, contrast="T2")


_WATER = ("water_vb3_01", "water_vb3_06", "water_vb3_11", "water_vb3_16", "water_vb3_22")
REAL_SCANS = (
    RealScan(
        "lspine_stir_cc0",
        "lspine_stir_cc0/DCMDT",
        "STIR 0.3 T, healthy; earlier phantoms were set beside it",
        implants=30,
        implants_a_copy=2,
        implant_part="implants CC0",
        needs_contours=True,
    ),
    RealScan(
        "tirm_vb1_03",
        "tirm_vb1_03/scan",
        "TIRM of a patient",
        "tirm_vb1_03/vertebrae.npz",
        (4, 7),
        implants=60,
        implants_a_copy=2,
        implant_part="implants TIRM",
    ),
    *(
        RealScan(
            name,
            f"{name}/scan",
            "water image 3 T, healthy",
            f"{name}/vertebrae.npz",
            implants=6,
            implant_part="implants water",
        )
        for name in _WATER
    ),
    RealScan("t2_vb2_02", "t2_vb2_02/scan", "T2, forced, healthy", "t2_vb2_02/vertebrae.npz"),
    RealScan("t2_vb2_06", "t2_vb2_06/scan", "T2, forced, healthy", "t2_vb2_06/vertebrae.npz"),
    RealScan("t2_lumbar_mit", "t2_lumbar_mit/t2_lumbar.nii.gz", "T2, forced, 1 mm volume"),
    RealScan("knee_mit", "knee_mit/scan", "a knee: wrong anatomy"),
)
