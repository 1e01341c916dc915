"""What names of files tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_spinemet.exchange.label_names import guessed_kind, stem_of


@pytest.mark.parametrize(
    ("name", "kind", "stem"),
    [
        ("a_lesions.nii.gz", "lesions", "a"), ("a_vertebrae.TIF", "vertebrae", "a"),
        ("spine_lesions.nii", "lesions", "spine"), ("Metastases-A.nii.gz", "lesions", "A"),
        ("A-vertebral.tiff", "vertebrae", "A"), ("tumour.nii", "lesions", ""),
        ("bodies A.nii", "vertebrae", "A"), ("tumor of the spine.nii", "", "tumor of the spine"),
        ("converted.nii", "", "converted"), ("spinemet-1.nii", "", "spinemet-1"),
        ("x.nii", "", "x"),
    ],
)  # fmt: skip
def test_the_name_tells_the_kind_or_nothing(name, kind, stem) -> None:
    """A name that tells both or neither is not guessed."""
    assert guessed_kind(Path(name)) == kind
    assert stem_of(Path(name)) == stem
