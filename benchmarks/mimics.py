"""How many of the false findings in healthy phantoms lie at something that was painted to mislead.

Run: ``python benchmarks/mimics.py MAPS [MODEL]`` after ``benchmarks/scanners.py``: MAPS is the
folder ``maps/KEY/normal`` that it kept. Each patient is painted a second time without haemangiomas,
endplate changes, Schmorl's nodes, islands and fresh benign fractures
(``phantom/patient/mimics.py``); where the two pictures differ there is one. A finding lies at it
within 10 mm, in its own slice. Beside it the same for the centre of every healthy body: that is
what chance would give.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.experiments.scanners.exam import SEED
from napari_spinemet.experiments.scanners.scan_store import load_scan
from napari_spinemet.imaging.grids import resample_image
from napari_spinemet.network import load_card
from napari_spinemet.phantom import make_case

NEAR_MM = 10.0
LEAST_DIFFERENCE = 0.2
"""Of the logarithm of brightness, averaged over 2 mm: what is fainter misleads nobody."""
PAINTER = "napari_spinemet.phantom.patient.case.paint_mimics"


def mimics_of(number: int) -> npt.NDArray[np.bool_]:
    """``(slice, row, column)`` of a healthy patient of the exam, on the working grid of 1 mm.

    Parameters
    ----------
    number : int
        From 0.
    """
    case = make_case((SEED, 3, number), has_lesions=False)
    with patch(PAINTER, lambda *_: None):
        plain = make_case((SEED, 3, number), has_lesions=False)
    spacing = case.series.spacing_mm[1:]
    one, other = (
        resample_image(np.clip(c.series.voxels, 1, None).astype(np.float32), spacing, 1.0)
        for c in (case, plain)
    )
    one, other = (np.log(ndimage.gaussian_filter(v, (0, 2, 2)) + 1) for v in (one, other))
    difference = one - other
    # Each picture has a scale of its own, which mimics move a little.
    mask: npt.NDArray[np.bool_] = np.abs(difference - np.median(difference)) > LEAST_DIFFERENCE
    return mask


def main() -> None:
    """Count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("maps", type=Path)
    parser.add_argument("model", nargs="?", default="default")
    options = parser.parse_args()
    point = load_card(options.model).operating_point
    at_mimics = findings = bodies = bodies_near = 0
    for path in sorted(options.maps.glob("*.truth.npz")):
        name = path.name.split(".")[0]
        scan = load_scan(options.maps, name)
        if scan is None:
            continue
        mimics = mimics_of(int(name) - 1)
        from_mimic = np.stack([ndimage.distance_transform_edt(~plane) for plane in mimics])
        for finding in evaluate(scan[0], point).findings:
            findings += 1
            at_mimics += any(
                from_mimic[d.slice][tuple(round(v) for v in d.centre_working)] <= NEAR_MM
                for d in finding.detections
            )
        spacing = scan[0].series_spacing_mm[1:]
        vertebrae = scan[1].annotation.vertebrae
        for label in np.unique(vertebrae)[1:]:
            places = np.argwhere(vertebrae == label)
            plane = int(np.median(places[:, 0]))
            row, column = places[places[:, 0] == plane][:, 1:].mean(axis=0) * spacing
            bodies += 1
            bodies_near += from_mimic[plane, round(row), round(column)] <= NEAR_MM
        print(name, findings, at_mimics, flush=True)
    print(f"findings {findings}, at a mimic {at_mimics}; bodies {bodies}, {bodies_near} at one")


if __name__ == "__main__":
    main()
