"""What the tests of contour files share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom.dataset import FileDataset

from napari_spinemet.exchange.formats import FORMATS, format_named
from napari_spinemet.exchange.writing import DicomContext
from napari_spinemet.imaging import Annotation, SagittalSeries

FORMAT_NAMES = [form.name for form in FORMATS]
LABEL_FORMATS = ["nifti", "tiff"]


RAS = np.diag((-1.0, -1.0, 1.0, 1.0))


OTHER_GRIDS = {
    "half the pixel": ({"spacing_mm": (4.4, 0.45, 0.7)}, "their spacing is 4.4 x 0.45 x 0.7 mm"),
    "other slices": ({"spacing_mm": (4.0, 0.9, 0.7)}, "their spacing is 4 x 0.9 x 0.7 mm"),
    "half a pixel beside": ({"origin": (-18.25, -40.5, 76.675)}, "shifted by 0.4"),
    "turned by 2 degrees": ({"angles": (0.0, 14.0, 7.0)}, "turned by 2 degrees"),
    "without a position": ({"origin": (0.0, 0.0, 0.0)}, "shifted|outside"),
}


def assert_same(result: Annotation, annotation: Annotation) -> None:
    """Labels, levels, reader and series."""
    np.testing.assert_array_equal(result.lesions, annotation.lesions)
    np.testing.assert_array_equal(result.vertebrae, annotation.vertebrae)
    assert dict(result.levels) == dict(annotation.levels)
    assert (result.series_uid, result.reader) == (annotation.series_uid, annotation.reader)


def save_nifti(data: np.ndarray, affine_lps: np.ndarray, path: Path, **codes: int) -> Path:
    """A file of another program: axes as in the series, position by sform, qform or both."""
    image = nib.Nifti1Image(data, None)
    image.set_sform(RAS @ affine_lps, code=codes.get("sform", 1))
    image.set_qform(RAS @ affine_lps, code=codes.get("qform", 1))
    nib.save(image, path)
    return path


def export(
    annotation: Annotation,
    series: SagittalSeries,
    folder: Path,
    stem: str,
    form: str,
    images: Sequence[FileDataset] = (),
) -> list[Path]:
    """Write contours in one of the formats."""
    context = DicomContext(images)
    return format_named(form).write_files(annotation, series, folder, stem, context)
