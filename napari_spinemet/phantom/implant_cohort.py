"""A cohort of one real scan, each time with another lesion in it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..atomic_files import write_text
from ..dicom import read_series
from ..errors import SpinemetError, check_seed
from ..exchange import read_annotation
from ..imaging import SagittalSeries
from ..imaging.vertebra_levels import from_head_to_feet
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from .implant import MODERATE, implant_lesion
from .writing import write_case

_LARGEST = 4095


def make_implants(
    folder: str | os.PathLike[str],
    scan: str | os.PathLike[str],
    contours: str | os.PathLike[str],
    cases: int = 20,
    seed: int = 0,
    *,
    contrast: tuple[float, float] = MODERATE,
    series_uid: str | None = None,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> list[Path]:
    """Write copies of a real scan with a synthetic lesion in each.

    Every vertebra takes its turn, and contrasts are spread evenly over their range. Nothing of
    the scan's header goes into the copies but its geometry.

    Parameters
    ----------
    folder : path-like
        Receives one folder a case, as :func:`~napari_spinemet.phantom.make_cohort` writes them.
        Cases that are there already are left as they are.
    scan : path-like
        Folder, file or zip of the scan. Taken to be healthy: whatever else is found in it
        counts as a false positive.
    contours : path-like
        DICOM Segmentation of its vertebrae.
    cases : int
    seed : int
        The same seed gives the same files, bit for bit.
    contrast : tuple of float
        Least and largest: 0 is the marrow of the body, 1 cerebrospinal fluid.
    series_uid : str, optional
        Which series of the scan; the detectable one by default.

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
    series = read_series(scan, series_uid)
    annotation = read_annotation(contours, series)
    order = from_head_to_feet(annotation.vertebrae)
    if not order:
        raise SpinemetError(
            f"{contours} holds no vertebra, so there is nowhere to put a lesion; contour the "
            "vertebrae under Annotate first."
        )
    root = Path(folder)
    # Tells one scan from another, and not which one it is.
    mark = hashlib.sha256(series.series_uid.encode()).hexdigest()[:16]
    drawn_as = hashlib.sha256(annotation.vertebrae.tobytes()).hexdigest()[:16]
    facts: dict[str, object] = {
        "cases": cases,
        "seed": seed,
        "contrast": [low, high],
        "scan": mark,
        "vertebrae": drawn_as,
    }
    _refuse_other(root, facts)
    write_text(root / "cohort.json", json.dumps({"implants": facts}) + "\n")
    plain = replace(series, description=f"{series.contrast} SAG + implant")
    # Each level meets weak and strong lesions alike: the steps are in an order of their own.
    steps = np.random.default_rng((seed, cases)).permutation(cases)
    paths = []
    for number in range(cases):
        if cancel is not None:
            cancel.raise_if_cancelled()
        path = root / f"implant-{number + 1:03d}"
        if not (path / "case.json").exists():
            rng = np.random.default_rng((seed, number))
            wanted = low + (high - low) * (steps[number] + rng.random()) / cases
            changed, drawn, implant = implant_lesion(
                plain, annotation, order[number % len(order)], rng, contrast=float(wanted)
            )
            told = {
                "lesions": [{"level": implant.level, "contrast": round(implant.contrast, 3)}],
                "marrow": round(implant.marrow, 1),
                "fluid": round(implant.fluid, 1),
            }
            identity = f"implant.{mark}.{seed}.{number}"
            write_case(
                path,
                changed,
                as_stored(changed),
                drawn,
                told,
                identity=identity,
                name="Implant^Spine",
            )
        paths.append(path)
        on_event(Progressed("implant", number + 1, cases, path.name))
    return paths


def as_stored(series: SagittalSeries) -> npt.NDArray[np.int16]:
    """Pixels as a scanner stores them; other than 12 bit, scaled to that."""
    voxels = series.voxels
    top = float(np.abs(voxels).max())
    if top > 32767 or top < 100:
        voxels = voxels * (_LARGEST / max(top, 1e-6))
    return np.asarray(np.rint(voxels), dtype=np.int16)


def _refuse_other(root: Path, facts: dict[str, object]) -> None:
    """Refuse a folder that holds anything but this very trial."""
    place = root / "cohort.json"
    if not place.exists():
        return
    try:
        held = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        held = None
    if held != {"implants": facts}:
        raise SpinemetError(
            f"{root} holds another cohort ({json.dumps(held)}); choose another folder."
        )
