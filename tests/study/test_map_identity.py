"""What stored likelihood maps are known by, as it is written on disk."""

from __future__ import annotations

import pytest

from napari_spinemet.study.map_identity import MapIdentity, is_reserved


@pytest.mark.parametrize(
    ("identity", "text", "folder"),
    [
        (MapIdentity.of_model("a@1"), "a@1 spine columns", "a-1-spine-columns"),
        (MapIdentity.of_model("kept@f77242", ""), "kept@f77242", "kept-f77242"),
        (MapIdentity.of_model("a@1", "all"), "a@1 all columns", "a-1-all-columns"),
        (MapIdentity.of_cross_validation("run"), "crossval-run", "crossval-run"),
        (MapIdentity.of_model("dense:0123/abc", "centre"), "dense:0123/abc", "dense-0123-abc"),
    ],
)
def test_an_identity_is_its_text_and_its_folder(
    identity: MapIdentity, text: str, folder: str
) -> None:
    """The text gives the identity back, and the folder's name one with the same folder."""
    assert (str(identity), identity.folder) == (text, folder)
    assert MapIdentity.parse(text) == identity
    assert MapIdentity.parse(folder).folder == folder
    assert MapIdentity.parse(folder).is_cross_validation == identity.is_cross_validation


def test_no_model_is_named_as_a_cross_validation_is() -> None:
    """Else its maps would be taken for out-of-fold ones."""
    assert is_reserved("crossval-run")
    assert not is_reserved("my-crossval")
