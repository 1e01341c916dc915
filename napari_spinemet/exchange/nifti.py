"""Contours as NIfTI files, one for the lesions and one for the vertebrae."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.annotation import LabelArray
from ..imaging.geometry import GRID_TOLERANCE_MM, onto_grid
from .label_files import (
    LabelFile,
    levels_from,
    other_series_warnings,
    read_whole,
    whole_labels,
)
from .label_format import LabelFileFormat
from .label_names import NIFTI_SUFFIXES, kind_of, stem_of
from .nifti_image import (
    RAS_OF_LPS,
    NiftiImage,
    grid_distance_mm,
    ras_affine,
    read_image,
    read_values,
)
from .writing import DicomContext, check_writable, write_together

_SCANNER = 1
"""NIfTI's code of a position in the coordinates of the scanner."""
_COMMENT = 6
"""NIfTI's code of a header extension that holds text."""
_PROGRAM = "napari-spinemet"


class NiftiFormat(LabelFileFormat):
    """NIfTI; see ``AnnotationFormat`` for its methods."""

    name = "nifti"
    title = "NIfTI"
    suffixes = NIFTI_SUFFIXES

    def load(self, path: Path, series: SagittalSeries, kind: str | None = None) -> LabelFile:
        """Read one file onto the grid of the series.

        Parameters
        ----------
        path : Path
            Of either version, compressed or not, with its axes in any order.
        series : SagittalSeries
            Nothing is resampled onto it.
        kind : str, optional
            ``"lesions"`` or ``"vertebrae"``; without it the name of the file says it.

        Raises
        ------
        SpinemetError
            If the file cannot be read, holds other values than whole numbers from 0 to 65535,
            has no position or two, or does not lie on the grid of the series, see
            :func:`~napari_spinemet.imaging.geometry.onto_grid`.
        """
        file_kind = kind_of(path, kind)
        image = read_image(path)
        affine = RAS_OF_LPS @ ras_affine(image, path.name)
        labels = whole_labels(read_values(image, path.name), path.name)
        note, levels_note = _header_note(image), _levels_note(path)
        uid = str(note.get("series_uid") or levels_note.get("series_uid") or "")
        if uid and str(levels_note.get("series_uid") or uid) != uid:
            raise SpinemetError(
                f"The levels beside {path.name} are those of another series; remove {stem_of(path)}"
                "_levels.json or put the right one there."
            )
        warnings = other_series_warnings(path.name, uid, labels.shape, affine, series)
        return LabelFile(
            path,
            file_kind,
            onto_grid(labels, affine, series.shape, series.affine, name=path.name),
            levels=levels_note.get("levels", {}) if file_kind == "vertebrae" else {},
            reader=str(note.get("reader") or levels_note.get("reader") or ""),
            is_of_other_series=bool(warnings),
            warnings=warnings,
        )

    def write_files(
        self,
        annotation: Annotation,
        series: SagittalSeries,
        folder: Path,
        stem: str,
        context: DicomContext | None = None,
    ) -> list[Path]:
        """Write contours as ``STEM_lesions.nii.gz`` and ``STEM_vertebrae.nii.gz``.

        If vertebrae have names, ``STEM_levels.json`` holds them. The arrays are stored as (column,
        row, slice), which is how other programs show them fastest.

        Parameters
        ----------
        annotation : Annotation
            On the grid of ``series``; at least one label.
        series : SagittalSeries
            Gives the affine, which is written as sform and qform in RAS mm.
        folder : Path
            Made if it is missing.
        stem : str
            Start of the names.
        context : DicomContext, optional
            Not looked at.
        """
        check_writable(annotation, series, stem)
        uid = series.series_uid or annotation.series_uid
        note = {"series_uid": uid, "reader": annotation.reader}
        contents = {
            folder / f"{stem}_lesions.nii.gz": _compress(annotation.lesions, series, note),
            folder / f"{stem}_vertebrae.nii.gz": _compress(annotation.vertebrae, series, note),
        }
        levels_path = folder / f"{stem}_levels.json"
        if annotation.levels:
            levels = {str(number): level for number, level in sorted(annotation.levels.items())}
            text = json.dumps({"levels": levels, **note}, indent=1, ensure_ascii=False) + "\n"
            contents[levels_path] = text.encode()
        paths = write_together(
            [(path, partial(_write_bytes, data=data)) for path, data in contents.items()]
        )
        if not annotation.levels:
            # Names from an earlier export would be taken for those of these vertebrae.
            with suppress(OSError):
                levels_path.unlink(missing_ok=True)
        return paths


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _compress(labels: LabelArray, series: SagittalSeries, note: Mapping[str, str]) -> bytes:
    """The bytes of a compressed file, the same each time."""
    # The axes are reversed, and so are the columns of the affine.
    ras = (RAS_OF_LPS @ series.affine)[:, [2, 1, 0, 3]]
    image_class: Any = nib.nifti1.Nifti1Image
    image = image_class(labels.transpose(2, 1, 0), ras, dtype=np.uint16)
    image.header.set_xyzt_units("mm")
    image.header.set_intent("label")
    image.set_sform(ras, code=_SCANNER)
    image.set_qform(ras, code=_SCANNER)
    if grid_distance_mm(image.shape, image.get_qform(), image.get_sform()) > GRID_TOLERANCE_MM:
        # A quaternion cannot tell axes that are not quite at right angles.
        image.set_qform(None, code=0)
    text = json.dumps({_PROGRAM: note}, ensure_ascii=False).encode()
    image.header.extensions.append(nib.nifti1.Nifti1Extension(_COMMENT, text))
    archive = io.BytesIO()
    # Without name and time, so that the same contours give the same file.
    with gzip.GzipFile(filename="", mode="wb", fileobj=archive, compresslevel=6, mtime=0) as stream:
        stream.write(image.to_bytes())
    return archive.getvalue()


def _header_note(image: NiftiImage) -> dict[str, Any]:
    """What this program wrote into the header of a file: its series and reader."""
    for extension in image.header.extensions:
        with suppress(Exception):  # other programs put what they like there
            note = json.loads(extension.get_content().rstrip(b"\0"))[_PROGRAM]
            if isinstance(note, dict):
                return note
    return {}


def _levels_note(path: Path) -> dict[str, Any]:
    """Levels, series and reader from the file beside the labels; empty if there is none."""
    levels_path = path.with_name(f"{stem_of(path)}_levels.json")
    if not levels_path.is_file():
        return {}
    try:
        note = json.loads(read_whole(levels_path))
    except ValueError:
        note = None
    if not isinstance(note, dict):
        raise SpinemetError(
            f"The file {levels_path.name} is damaged, so the levels are unknown; mend it or "
            "remove it."
        )
    return {**note, "levels": levels_from(note.get("levels", {}), levels_path.name)}
