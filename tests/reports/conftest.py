"""A study that is reported."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.imaging import LikelihoodMap
from napari_spinemet.imaging.grids import resample_labels, working_affine
from napari_spinemet.study import Study

from .reported_study import IDENTITY, MAPS


@pytest.fixture
def study(tmp_path: Path, cropped_sample: Path) -> Study:
    """A small study with maps: the lesion at 0.9, and a false region at 0.6 in each case."""
    folder = tmp_path / "study"
    shutil.copytree(cropped_sample, folder)
    open_study = Study(folder, write=True)
    for case, series, annotation in open_study.contoured_cases():
        lesions = resample_labels(annotation.lesions, series.spacing_mm[1:]) > 0
        values = 0.9 * lesions.astype(np.float32)
        values[3:6, 20:40, 100:120] = 0.6
        values = ndimage.gaussian_filter(values, (0, 1, 1)).astype(np.float32)
        open_study.save_likelihood_map(
            case,
            MAPS,
            LikelihoodMap(
                values,
                working_affine(series.affine),
                (0, values.shape[2]),
                series.spacing_mm,
                model=IDENTITY,
                series_uid=series.series_uid,
            ),
        )
    return open_study
