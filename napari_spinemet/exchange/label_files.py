"""What label files of all formats share: names, whole numbers, pairs, and writing them together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..atomic_files import replace_atomically
from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.annotation import LAYERS, LabelArray, OtherSeriesError
from ..imaging.geometry import GRID_TOLERANCE_MM, AffineArray, corners_mm, reorient

NIFTI_SUFFIXES = (".nii.gz", ".nii")
TIFF_SUFFIXES = (".tiff", ".tif")
MAX_VOXELS = 2**27
"""Tens of times a spine scan; a damaged header may claim any number."""

# Not what is converted or inverted, nor this program's own name.
_WORDS = {
    "lesions": re.compile(r"lesion|metasta|tumou?r"),
    "vertebrae": re.compile(r"(?<!con)(?<!in)vert(?!ical)|spine(?!met)|bod(?:y|ies)"),
}
_OWN_ENDING = re.compile(r"[_.\- ](lesions|vertebrae)$")


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
        Who drew it, where it is told.
    other_series : bool
        It says that it was drawn on another series, which has the same grid.
    warnings : tuple of str
        One sentence each.
    """

    path: Path
    kind: str
    labels: LabelArray
    levels: Mapping[int, str] = field(default_factory=dict)
    reader: str = ""
    other_series: bool = False
    warnings: tuple[str, ...] = ()


def suffix_of(path: Path) -> str:
    """The suffix of a label file in lower case, ``.nii.gz`` as a whole; empty for other files."""
    name = path.name.lower()
    return next((s for s in (*NIFTI_SUFFIXES, *TIFF_SUFFIXES) if name.endswith(s)), "")


def bare_name(path: Path) -> str:
    """Name of a label file without its suffix."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def guessed_kind(path: Path) -> str:
    """The kind that a file's name tells; empty where it tells none or both."""
    name = bare_name(path).lower()
    ending = _OWN_ENDING.search(name)
    if ending:
        return ending[1]
    told = [kind for kind, words in _WORDS.items() if words.search(name)]
    return told[0] if len(told) == 1 else ""


def kind_of(path: Path, kind: str | None) -> str:
    """The kind that was given, else the one that the file's name tells.

    Raises
    ------
    SpinemetError
        If the given kind is unknown, or if there is none and the name does not tell it.
    """
    if kind is not None:
        if kind not in LAYERS:
            raise SpinemetError(f"The kind is one of {', '.join(LAYERS)}, not '{kind}'.")
        return kind
    told = guessed_kind(path)
    if not told:
        raise SpinemetError(
            f"The name of {path.name} does not tell whether it holds lesions or vertebrae; say "
            "which, or rename it to end in _lesions or _vertebrae."
        )
    return told


def stem_of(path: Path) -> str:
    """What the files of one case and reader have in common: the name without its kind."""
    name = bare_name(path)
    ending = _OWN_ENDING.search(name.lower())
    if ending:
        return name[: ending.start()]
    kind = guessed_kind(path)
    if not kind:
        return name
    found = _WORDS[kind].search(name.lower())
    assert found is not None
    end = found.end()
    while end < len(name) and name[end].isalpha():
        end += 1
    return (name[: found.start()].rstrip("_.- ") + name[end:]).strip("_.- ")


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


def same_grid(labels_shape: Sequence[int], affine: AffineArray, series: SagittalSeries) -> bool:
    """Whether a grid is that of the series, in whatever order its axes are stored."""
    turned, after = reorient(np.broadcast_to(np.uint8(0), tuple(labels_shape)), affine)
    if turned.shape != series.shape:
        return False
    apart = corners_mm(series.shape, after) - corners_mm(series.shape, series.affine)
    return bool(np.linalg.norm(apart, axis=1).max() <= GRID_TOLERANCE_MM)


def other_series_warnings(
    name: str, told_uid: str, shape: Sequence[int], affine: AffineArray, series: SagittalSeries
) -> tuple[str, ...]:
    """What to say of labels that name another series; empty if they name this one or none.

    Raises
    ------
    OtherSeriesError
        If they name another series and do not have exactly the grid of this one.
    """
    if not told_uid or not series.series_uid or told_uid == series.series_uid:
        return ()
    if not same_grid(shape, affine, series):
        raise OtherSeriesError(
            f"The contours in {name} belong to another series, whose grid is not that of this "
            "one; choose those of this series."
        )
    return (f"The contours in {name} were drawn on another series, which has the same grid.",)


def joined(files: Sequence[LabelFile], series: SagittalSeries) -> Annotation:
    """One Annotation of the lesions and the vertebrae of one case and reader.

    Raises
    ------
    SpinemetError
        If two files hold the same kind, or if they are by two readers.
    """
    empty: LabelArray = np.zeros(series.shape, dtype=np.uint16)
    layers = dict.fromkeys(LAYERS, empty)
    held: dict[str, LabelFile] = {}
    for file in files:
        if file.kind in held:
            raise SpinemetError(
                f"Both {held[file.kind].path.name} and {file.path.name} hold {file.kind}; choose "
                "one of them."
            )
        held[file.kind] = file
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
        held["vertebrae"].levels if "vertebrae" in held else {},
        series_uid=series.series_uid,
        reader=readers[0] if readers else "",
        holds=tuple(kind for kind in LAYERS if kind in held),
        warnings=tuple(dict.fromkeys(w for file in files for w in file.warnings)),
    )


def levels_from(told: object, name: str) -> dict[int, str]:
    """Names of vertebrae from a JSON object whose keys are their numbers.

    Raises
    ------
    SpinemetError
        If it is anything else.
    """
    levels: dict[int, str] = {}
    for number, level in told.items() if isinstance(told, dict) else ():
        if not re.fullmatch(r"\d{1,5}", str(number)) or not isinstance(level, str):
            break
        levels[int(number)] = level
    else:
        if isinstance(told, dict):
            return levels
    raise SpinemetError(
        f"The levels in {name} are no names by number of vertebra; mend them or remove them."
    )


def check_writable(annotation: Annotation, series: SagittalSeries, stem: str) -> None:
    """Refuse what would be written wrong.

    Raises
    ------
    SpinemetError
        If the contours are of another shape than the series or there are none, or if the stem
        is no file name.
    """
    if annotation.lesions.shape != series.shape:
        raise SpinemetError(
            f"The contours have shape {annotation.lesions.shape}, the series {series.shape}; "
            "contours are written on the grid they were drawn on."
        )
    if annotation.empty:
        raise SpinemetError("Nothing has been contoured yet, so there is nothing to write.")
    if not stem or stem != Path(stem).name or "\\" in stem or stem.startswith("."):
        raise SpinemetError(f"'{stem}' is no name for files; choose one without slashes.")


def write_together(files: Sequence[tuple[Path, Callable[[Path], object]]]) -> list[Path]:
    """Write several files, each to a temporary one first, and put them in place at the end.

    New lesions beside old vertebrae would look like one set of contours.

    Parameters
    ----------
    files : sequence of (Path, callable)
        Each target, and what writes its content to the path it is given.

    Raises
    ------
    SpinemetError
        If one of them cannot be written; all are then as they were.
    """
    with ExitStack() as stack:
        for target, write in files:
            temporary = stack.enter_context(replace_atomically(target))
            write(temporary)
            # A disk that fills up late shall show before the first file is put in place.
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
    return [target for target, _ in files]
