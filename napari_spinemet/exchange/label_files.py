"""One label file on the grid of a series, and what is checked on the way there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.annotation import LAYERS, LabelArray
from ..imaging.geometry import GRID_TOLERANCE_MM, AffineArray, corners_mm, reorient
from .contour_sets import OtherSeriesError
from .label_maps import read_label_map

MAX_VOXELS = 2**27
"""Tens of times a spine scan; a damaged header may claim any number."""


@dataclass(frozen=True, eq=False)
class LabelFile:
    """The labels of one file, on the grid of the series.

    Attributes
    ----------
    path : Path
        The file.
    kind : str
        ``"lesions"`` or ``"vertebrae"``.
    labels : numpy.ndarray
        ``(slice, row, column)`` uint16.
    levels : mapping of int to str
        Names of vertebrae that came with it.
    reader : str
        Who drew it, if the file says so.
    is_of_other_series : bool
        It says that it was drawn on another series, which has the same grid.
    warnings : tuple of str
        One sentence each.
    """

    path: Path
    kind: str
    labels: LabelArray
    levels: Mapping[int, str] = field(default_factory=dict)
    reader: str = ""
    is_of_other_series: bool = False
    warnings: tuple[str, ...] = ()


def read_whole(path: Path) -> bytes:
    """The bytes of a file.

    Raises
    ------
    SpinemetError
        If there is no such file or it cannot be read.
    """
    try:
        if not path.is_file():
            raise SpinemetError(f"There is no file {path}; check the path.")
        return path.read_bytes()
    except OSError as error:
        raise SpinemetError(
            f"{path} cannot be read ({error.strerror or error}); check its permissions."
        ) from error


def whole_labels(values: npt.NDArray[np.generic], name: str) -> LabelArray:
    """Labels as uint16, none of them changed.

    Parameters
    ----------
    values : numpy.ndarray
        As another program stored them, of any dtype.
    name : str
        Of the file, for the sentences.

    Raises
    ------
    SpinemetError
        If a value is no whole number from 0 to 65535.
    """
    if values.dtype.kind not in "biuf":
        raise SpinemetError(
            f"The file {name} holds {values.dtype} values, which are no labels; save it as whole "
            "numbers."
        )
    with np.errstate(invalid="ignore"):  # what does not fit shows in the comparison
        labels = values.astype(np.uint16)
    wrong = values[labels != values]
    if wrong.size:
        raise SpinemetError(
            f"The file {name} holds {wrong[0]:.6g}, but labels are whole numbers from 0 to 65535; "
            "save it as labels."
        )
    return labels


def is_same_grid(labels_shape: Sequence[int], affine: AffineArray, series: SagittalSeries) -> bool:
    """Whether a grid is that of the series, in whatever order its axes are stored.

    Parameters
    ----------
    labels_shape : sequence of int
        Voxels along the three axes as they are stored.
    affine : numpy.ndarray
        4 x 4, from an index along these axes to LPS mm.
    series : SagittalSeries
        All corners must be within ``GRID_TOLERANCE_MM`` of its own.
    """
    # A view of one number: only the shape matters, and a file may claim a large one.
    array, lfp_affine = reorient(np.broadcast_to(np.uint8(0), tuple(labels_shape)), affine)
    if array.shape != series.shape:
        return False
    offsets = corners_mm(series.shape, lfp_affine) - corners_mm(series.shape, series.affine)
    return bool(np.linalg.norm(offsets, axis=1).max() <= GRID_TOLERANCE_MM)


def other_series_warnings(
    name: str, reported_uid: str, shape: Sequence[int], affine: AffineArray, series: SagittalSeries
) -> tuple[str, ...]:
    """What to say of labels that name another series; empty if they name this one or none.

    Parameters
    ----------
    name : str
        Of the file, for the sentences.
    reported_uid : str
        The series that the file names; empty if it names none.
    shape : sequence of int
        Voxels along the three axes as they are stored.
    affine : numpy.ndarray
        4 x 4, from an index along these axes to LPS mm.
    series : SagittalSeries
        The one that the labels are read for.

    Raises
    ------
    OtherSeriesError
        If they name another series and do not have exactly the grid of this one.
    """
    if not reported_uid or not series.series_uid or reported_uid == series.series_uid:
        return ()
    if not is_same_grid(shape, affine, series):
        raise OtherSeriesError(
            f"The contours in {name} belong to another series, whose grid is not that of this "
            "one; choose those of this series."
        )
    return (f"The contours in {name} were drawn on another series, which has the same grid.",)


def join_files(files: Sequence[LabelFile], series: SagittalSeries) -> Annotation:
    """One Annotation of the lesions and the vertebrae of one case and reader.

    Parameters
    ----------
    files : sequence of LabelFile
        One or two, on the grid of the series.
    series : SagittalSeries
        Whose the contours are from now on; a layer without a file is empty.

    Raises
    ------
    SpinemetError
        If two files hold the same kind, or if they are by two readers.
    """
    empty: LabelArray = np.zeros(series.shape, dtype=np.uint16)
    layers = dict.fromkeys(LAYERS, empty)
    by_kind: dict[str, LabelFile] = {}
    for file in files:
        if file.kind in by_kind:
            raise SpinemetError(
                f"Both {by_kind[file.kind].path.name} and {file.path.name} hold {file.kind}; "
                "choose one of them."
            )
        if file.kind == "vertebrae" and not file.levels:
            labels, levels, warnings = read_label_map(file.labels, file.path.name)
            file = replace(file, labels=labels, levels=levels, warnings=(*file.warnings, *warnings))
        by_kind[file.kind] = file
        layers[file.kind] = file.labels
    readers = sorted({file.reader for file in files if file.reader})
    if len(readers) > 1:
        raise SpinemetError(
            f"The files {' and '.join(file.path.name for file in files)} are by two readers, "
            f"{' and '.join(readers)}; read them one at a time."
        )
    return Annotation(
        layers["lesions"],
        layers["vertebrae"],
        by_kind["vertebrae"].levels if "vertebrae" in by_kind else {},
        series_uid=series.series_uid,
        reader=readers[0] if readers else "",
        holds=tuple(kind for kind in LAYERS if kind in by_kind),
        warnings=tuple(dict.fromkeys(w for file in by_kind.values() for w in file.warnings)),
    )


def levels_from(value: object, name: str) -> dict[int, str]:
    """Names of vertebrae from a JSON object whose keys are their numbers.

    Parameters
    ----------
    value : object
        What the file says, of any type.
    name : str
        Of the file, for the sentence.

    Raises
    ------
    SpinemetError
        If it is anything else.
    """
    items = value.items() if isinstance(value, dict) else None
    if items is None or not all(
        re.fullmatch(r"\d{1,5}", str(number)) and isinstance(level, str) for number, level in items
    ):
        raise SpinemetError(
            f"The levels in {name} are no names by number of vertebra; mend them or remove them."
        )
    return {int(number): level for number, level in items}
