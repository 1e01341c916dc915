"""A sagittal series, whose it is, and what a folder says about each of its series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError
from .brightness.display_window import display_window
from .brightness.value_range import value_range
from .geometry import check_affine, orientation_codes, spacing_of
from .scan_warnings import ScanWarning, as_warnings

FloatArray = npt.NDArray[np.float32]
AffineArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Examination:
    """Whose scan it is and of when, as its header says.

    It is for the eye of the person in front of the screen: no study, no warning and no table
    holds it.

    Attributes
    ----------
    name : str
        Of the patient, the family name first.
    patient_id : str
    age : str
        With its unit, such as ``"67 y"``, on the day of the scan.
    sex : str
        ``"F"``, ``"M"``, ``"O"``, or empty.
    date : str
        Of the scan, ``YYYY-MM-DD``; empty where it is missing or no date.

    Examples
    --------
    >>> scan = Examination("Mueller, Hans", "4711", "67 y", "M", "2026-03-01")
    >>> scan.text
    'Mueller, Hans, 67 y, M, 2026-03-01'
    >>> scan.without_identity("case-004").text
    'case-004, 67 y, M'
    """

    name: str = ""
    patient_id: str = ""
    age: str = ""
    sex: str = ""
    date: str = ""

    @property
    def patient(self) -> str:
        """Name of the patient, else the number, else empty."""
        return self.name or (f"ID {self.patient_id}" if self.patient_id else "")

    @property
    def text(self) -> str:
        """All of it in a line; empty where nothing is known."""
        return ", ".join(filter(None, (self.patient, self.age, self.sex, self.date)))

    def without_identity(self, pseudonym: str) -> Examination:
        """The same for a screen or a report that others see: no name, number or date.

        Parameters
        ----------
        pseudonym : str
            Stands for the name.
        """
        return Examination(pseudonym, age=self.age, sex=self.sex)


@dataclass(frozen=True)
class SeriesSummary:
    """What a folder holds, one series at a time, read from headers alone.

    Attributes
    ----------
    series_uid : str
        DICOM SeriesInstanceUID.
    description : str
        SeriesDescription as the scanner wrote it; may be empty.
    plane : str
        ``"sagittal"``, ``"coronal"``, ``"axial"``, ``"mixed"`` or ``"unknown"``.
    contrast : str
        ``"STIR"``, ``"T1"``, ``"T2"``, what else it is called (``"DWI"``, ``"ADC"``, ``"T2*"``,
        ``"phase"``, ``"fat"`` and so on), or ``"other"``.
    slices : int
        Number of images.
    spacing_mm : tuple of float or None
        Distance of (slice, row, column) neighbours; None where the headers do not give it.
    detectable : bool
        Whether lesions can be looked for in this series.
    reason : str
        Why not, as a sentence; empty if detectable.
    stack : int
        Its number within the series, from 1: a series may hold several volumes.
    stack_name : str
        What sets the stack apart from the others; empty where there is one alone.
    contrast_rule : str
        Which attributes the contrast, and the suppression of fat, are known by.
    warnings : tuple of ScanWarning
        What the headers tell that one must know; more may come as the pixels are read.
    examination : Examination
        Whose it is, and of when.
    study_uid, frame_of_reference_uid : str
        DICOM identifiers; series of one frame of reference lie in the same space.
    """

    series_uid: str
    description: str
    plane: str
    contrast: str
    slices: int
    spacing_mm: tuple[float, float, float] | None
    detectable: bool
    reason: str = ""
    stack: int = 1
    stack_name: str = ""
    contrast_rule: str = ""
    warnings: tuple[ScanWarning, ...] = ()
    examination: Examination = Examination()
    study_uid: str = ""
    frame_of_reference_uid: str = ""


@dataclass(frozen=True, eq=False)
class SagittalSeries:
    """An ordered stack of sagittal slices in patient space.

    The array is in LFP order: the slice index grows towards the patient's left, the row
    towards the feet and the column towards the back.

    Attributes
    ----------
    voxels : numpy.ndarray
        ``(slice, row, column)`` float32, modality rescale applied.
    affine : numpy.ndarray
        4 x 4 float64, from (slice, row, column, 1) to patient LPS coordinates in mm.
    series_uid, study_uid, frame_of_reference_uid : str
        DICOM identifiers, empty where the source had none.
    stack : int
        Which volume of its DICOM series it is, from 1; nearly every series holds one.
    description, contrast : str
        As in :class:`SeriesSummary`.
    facts : mapping
        Acquisition facts by DICOM keyword, for display and for the record.
    warnings : tuple of ScanWarning
        What was repaired, is missing or is doubtful; each is a sentence with a code and a remedy.
    source : Path or None
        The folder, file or zip that it was read from, set by ``read_series``: contours in DICOM
        are written on the images that are there. None for a series that was made in memory.
    examination : Examination
        Whose it is, and of when.

    Raises
    ------
    SpinemetError
        If the array or the affine cannot be those of a sagittal series.

    Examples
    --------
    Slices 4 mm apart, pixels of 1 mm.

    >>> import numpy as np
    >>> from napari_spinemet import SagittalSeries
    >>> affine = np.array([[4, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    >>> series = SagittalSeries(np.zeros((3, 32, 24)), affine)
    >>> series.shape, series.spacing_mm
    ((3, 32, 24), (4.0, 1.0, 1.0))
    """

    voxels: FloatArray
    affine: AffineArray
    series_uid: str = ""
    study_uid: str = ""
    frame_of_reference_uid: str = ""
    description: str = ""
    contrast: str = "other"
    stack: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[ScanWarning, ...] = ()
    source: Path | None = field(default=None, compare=False)
    examination: Examination = field(default=Examination(), compare=False, repr=False)

    def __post_init__(self) -> None:
        # A copy, so that freezing it does not freeze the caller's array.
        voxels = np.array(self.voxels, dtype=np.float32, order="C")
        if voxels.ndim != 3 or 0 in voxels.shape:
            raise SpinemetError(
                f"A series needs a (slice, row, column) array, but its shape is {voxels.shape}."
            )
        if not np.isfinite(voxels).all():
            raise SpinemetError("The series holds values that are not finite; export it again.")
        affine = check_affine(self.affine)
        codes = orientation_codes(affine)
        if codes != ("L", "F", "P"):
            raise SpinemetError(
                "A sagittal series runs left, feet, back (LFP), but this one runs "
                f"{''.join(codes)}."
            )
        voxels.flags.writeable = False
        affine.flags.writeable = False
        object.__setattr__(self, "voxels", voxels)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "warnings", as_warnings(self.warnings))

    @cached_property
    def value_range(self) -> tuple[float, float]:
        """Least and largest value, but for what means something else, see :func:`value_range`."""
        return value_range(self.voxels)

    @cached_property
    def display_window(self) -> tuple[float, float]:
        """What a picture of it shows as black and as white, see :func:`display_window`."""
        return display_window(self.voxels)

    @property
    def identity(self) -> tuple[str, int]:
        """Which volume it is: the DICOM series, and the stack within it."""
        return self.series_uid, self.stack

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along (slice, row, column) in mm."""
        return spacing_of(self.affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of (slices, rows, columns)."""
        slices, rows, columns = self.voxels.shape
        return slices, rows, columns
