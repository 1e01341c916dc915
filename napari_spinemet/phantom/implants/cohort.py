"""A cohort of one real scan, each time with another lesion in it."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...atomic_files import write_text
from ...dicom import read_series
from ...errors import SpinemetError, check_seed
from ...exchange import read_annotation
from ...imaging import Annotation, SagittalSeries
from ...imaging.vertebra_levels import order_vertebrae
from ...jobs import UNATTENDED, JobContext
from ..case import PhantomImage
from ..writing import write_case
from .lesion_implant import LOBED, MODERATE, Implant, implant_lesion

_LARGEST = 4095


@dataclass(frozen=True, eq=False)
class _Host:
    """The scan that receives the lesions.

    Attributes
    ----------
    series : SagittalSeries
    annotation : Annotation
        With one vertebra at least.
    labels : list of int
        Of the vertebrae, from head to feet.
    mark, vertebra_mark : str
        They tell one scan from another, and not which one it is; and one contouring of its
        vertebrae from another.
    """

    series: SagittalSeries
    annotation: Annotation
    labels: list[int]
    mark: str
    vertebra_mark: str


def make_implants(
    folder: str | os.PathLike[str],
    scan: str | os.PathLike[str],
    contours: str | os.PathLike[str],
    cases: int = 20,
    seed: int = 0,
    *,
    contrast: tuple[float, float] = MODERATE,
    series_uid: str | None = None,
    without_labels: Sequence[int] = (),
    family: str = LOBED,
    job: JobContext = UNATTENDED,
) -> list[Path]:
    """Write copies of a real scan with a synthetic lesion in each.

    Every vertebra takes its turn, and contrasts are spread evenly over their range. Nothing of
    the scan's header goes into the copies but its geometry.

    Parameters
    ----------
    folder : path-like
        Receives one folder a case, as :func:`~napari_spinemet.phantom.make_cohort` does, and
        likewise leaves those that are there already.
    scan : path-like
        Folder, file or zip of the scan. Taken to be healthy: whatever else is found in it
        counts as a false positive.
    contours : path-like
        Of its vertebrae, in any format that contours are read in, or a NumPy archive whose array
        ``vertebrae`` lies on the grid of the series.
    cases : int
    seed : int
        The same seed gives the same files, bit for bit.
    contrast : tuple of float
        Least and largest: 0 is the marrow of the body, 1 cerebrospinal fluid.
    series_uid : str, optional
        Which series of the scan; the detectable one by default.
    without_labels : sequence of int
        Vertebrae that receive none.
    family : {"lobed", "faceted"}
        Of shapes, see :func:`.implant_lesion`.
    job : JobContext
        Told of each case, and asked before it; the same call goes on from whole cases.

    Returns
    -------
    list of Path
        The case folders.

    Raises
    ------
    SpinemetError
        If no vertebra is contoured or one has no room for a lesion, or if the folder holds
        something else.
    """
    check_seed(seed)
    low, high = contrast
    if cases < 1 or not 0 < low <= high <= 1.5:
        raise SpinemetError(
            "Implants need at least one case and contrasts above 0 and up to 1.5, the lower first."
        )
    host = _read_host(scan, contours, series_uid, without_labels)
    root = Path(folder)
    facts: dict[str, object] = {"cases": cases, "seed": seed, "contrast": [low, high]}
    facts |= {"scan": host.mark, "vertebrae": host.vertebra_mark}
    # What came later is told where it is not as it was before.
    facts |= {"family": family} if family != LOBED else {}
    facts |= {"without": list(without_labels)} if without_labels else {}
    _refuse_other_cohort(root, facts)
    write_text(root / "cohort.json", json.dumps({"implants": facts}) + "\n")
    # Each level meets weak and strong lesions alike: the steps are in an order of their own.
    steps = np.random.default_rng((seed, cases)).permutation(cases)
    paths = [root / f"implant-{number + 1:03d}" for number in range(cases)]
    for number, path in enumerate(paths):
        job.raise_if_cancelled()
        if not (path / "case.json").exists():
            rng = np.random.default_rng((seed, number))
            lesion_contrast = low + (high - low) * (steps[number] + rng.random()) / cases
            _write_copy(path, host, number, seed, float(lesion_contrast), rng, family)
        job.progress("implant", number + 1, cases, path.name)
    return paths


def _read_host(
    scan: str | os.PathLike[str],
    contours: str | os.PathLike[str],
    series_uid: str | None,
    without_labels: Sequence[int],
) -> _Host:
    series = read_series(scan, series_uid)
    annotation = read_vertebrae(contours, series)
    labels = [k for k in order_vertebrae(annotation.vertebrae) if k not in without_labels]
    if not labels:
        raise SpinemetError(
            f"{contours} holds no vertebra, so there is nowhere to put a lesion; contour the "
            "vertebrae under Annotate first."
        )
    return _Host(
        # Its own description may name the patient's hospital or worse.
        replace(series, description=f"{series.contrast} SAG + implant"),
        annotation,
        labels,
        _digest(series.series_uid.encode()),
        _digest(annotation.vertebrae.tobytes()),
    )


def read_vertebrae(path: str | os.PathLike[str], series: SagittalSeries) -> Annotation:
    """Contours of any format, or the array ``vertebrae`` of a NumPy archive.

    Parameters
    ----------
    path : path-like
    series : SagittalSeries
        That they are of.

    Raises
    ------
    SpinemetError
        If they cannot be read, or are of another grid.
    """
    if Path(path).suffix.lower() != ".npz":
        return read_annotation(path, series)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            vertebrae = arrays["vertebrae"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise SpinemetError(
            f"{path} holds no array 'vertebrae'; save one label a body under that name, on the "
            "grid of the series."
        ) from error
    if vertebrae.shape != series.shape or vertebrae.dtype.kind not in "biu":
        raise SpinemetError(
            f"The vertebrae of {path} are {vertebrae.shape} {vertebrae.dtype}, and the series is "
            f"{series.shape}; save whole numbers on the grid of the series."
        )
    lesions = np.zeros(series.shape, dtype=np.uint16)
    return Annotation(lesions, vertebrae.astype(np.uint16), series_uid=series.series_uid)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _write_copy(
    path: Path,
    host: _Host,
    number: int,
    seed: int,
    contrast: float,
    rng: np.random.Generator,
    family: str,
) -> None:
    """A copy of the host with a lesion in the vertebra whose turn it is."""
    label = host.labels[number % len(host.labels)]
    series, annotation, implant = implant_lesion(
        host.series, host.annotation, label, rng, contrast=contrast, family=family
    )
    write_case(
        path,
        [PhantomImage("stir", series, to_int16(series))],
        annotation,
        _describe_case(implant),
        identity=f"implant.{host.mark}.{seed}.{number}",
        name="Implant^Spine",
    )


def _describe_case(implant: Implant) -> dict[str, object]:
    return {
        "lesions": [{"level": implant.level, "contrast": round(implant.contrast, 3)}],
        "marrow": round(implant.marrow, 1),
        "fluid": round(implant.fluid, 1),
    }


def to_int16(series: SagittalSeries) -> npt.NDArray[np.int16]:
    """Pixels as a scanner stores them; other than 12 bit, scaled to that."""
    voxels = series.voxels
    top = float(np.abs(voxels).max())
    # Beyond int16, or rates from 0 to 1, of which rounding would leave nothing.
    if top > 32767 or top < 100:
        voxels = voxels * (_LARGEST / max(top, 1e-6))
    return np.asarray(np.rint(voxels), dtype=np.int16)


def _refuse_other_cohort(root: Path, facts: Mapping[str, object]) -> None:
    """Refuse a folder that holds anything but this very cohort."""
    path = root / "cohort.json"
    if not path.exists():
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if content != {"implants": facts}:
        raise SpinemetError(
            f"{root} holds another cohort ({json.dumps(content)}); choose another folder."
        )
