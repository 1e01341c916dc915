"""What is refused before it is written, and a disk that is full."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from contour_files import FORMAT_NAMES, LABEL_FORMATS, export

from napari_spinemet.exchange import writing
from napari_spinemet.imaging import Annotation


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_what_cannot_be_written_is_said_before(
    form, series, images, annotation, tmp_path, refused
) -> None:
    """Nothing contoured, another shape, a name that is none, an unknown format."""
    none = np.zeros(series.shape, np.uint16)
    with refused("Nothing has been contoured"):
        export(Annotation(none, none), series, tmp_path, "a", form, images)
    with refused("The contours have shape"):
        export(Annotation(none[1:], none[1:] + 1), series, tmp_path, "a", form, images)
    for stem in ("", "a/b", "..", "a\\b"):
        with refused("is no name for files"):
            export(annotation, series, tmp_path, stem, form, images)
    with refused("one of seg, nifti, tiff, not 'png'"):
        export(annotation, series, tmp_path, "a", "png", images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_a_folder_that_cannot_be_made_is_one_sentence(
    form, series, images, annotation, tmp_path, refused
) -> None:
    """A file stands in its place."""
    (tmp_path / "taken").write_text("")
    with refused("cannot be written"):
        export(annotation, series, tmp_path / "taken", "a", form, images)


@pytest.mark.parametrize("form", LABEL_FORMATS)
@pytest.mark.parametrize("failing", [1, 2])
def test_a_full_disk_leaves_the_former_set(
    form, failing, series, annotation, tmp_path, monkeypatch, refused
) -> None:
    """New lesions are never left beside old vertebrae, nor a temporary file beside them."""
    paths = export(annotation, series, tmp_path, "a", form)
    former = {path: path.read_bytes() for path in paths}
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    new_annotation = replace(annotation, lesions=annotation.vertebrae, vertebrae=annotation.lesions)
    word = ("lesions", "vertebrae")[failing - 1]
    with refused(rf"a_{word}\..* cannot be written \(No space left on device\)"):
        export(new_annotation, series, tmp_path, "a", form)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == former
