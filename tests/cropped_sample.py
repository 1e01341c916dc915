"""The sample study, cropped to the slices and the part of the field that hold its lesion."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_spinemet.imaging import Annotation
from napari_spinemet.phantom import PhantomImage
from napari_spinemet.phantom.sample import sample_study
from napari_spinemet.phantom.writing import write_case
from napari_spinemet.study import Study

BOX = (slice(4, 11), slice(60, 250), slice(80, 240))
"""Slices, rows and columns: a sixth of the voxels, with T9 or T4 to L5 and the whole lesion."""


def write_cropped_sample(folder: Path) -> None:
    """Write both cases of the sample study, with contours, on the smaller grid."""
    folder.mkdir(parents=True)
    shutil.copy(sample_study() / "cohort.json", folder)
    for case in Study(sample_study()).cases():
        series = case.series()
        annotation = case.annotation(series)
        assert annotation is not None
        affine = series.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ [side.start for side in BOX]
        voxels = series.voxels[BOX]
        vertebrae = annotation.vertebrae[BOX]
        levels = {k: level for k, level in annotation.levels.items() if (vertebrae == k).any()}
        write_case(
            folder / case.name,
            [
                PhantomImage(
                    "stir", replace(series, voxels=voxels, affine=affine), voxels.astype(np.int16)
                )
            ],
            Annotation(annotation.lesions[BOX], vertebrae, levels),
            json.loads((case.path / "case.json").read_text()),
            identity=f"cropped {case.name}",
            name=case.name,
        )
