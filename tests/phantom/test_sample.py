"""The sample study: as it comes with a checkout, and as an installed package makes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_spinemet.phantom import sample as sample_module
from napari_spinemet.phantom.sample import make_sample_study, sample_study


def test_the_sample_study_is_made_by_this_program(tmp_path: Path) -> None:
    """The files that come with a checkout are those that the generator makes, byte for byte.

    Where they are not because the generator has changed, its ``GENERATOR`` is raised too.
    """
    folder = make_sample_study(tmp_path / "sample")
    names = [f.relative_to(folder) for f in folder.rglob("*") if f.is_file()]
    assert len(names) > 28
    for name in names:
        assert (sample_study() / name).read_bytes() == (folder / name).read_bytes(), name


def test_an_installed_package_makes_the_sample_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the checkout's folder it is made where the user's cache is."""
    folders = []
    monkeypatch.setattr(sample_module, "__file__", str(tmp_path / "a" / "b" / "sample.py"))
    monkeypatch.setattr(
        sample_module.platformdirs, "user_cache_dir", lambda _: str(tmp_path / "cache")
    )
    monkeypatch.setattr(sample_module, "make_sample_study", lambda f: folders.append(f) or f)
    assert sample_study() == tmp_path / "cache" / f"sample-study-{sample_module.SEED}"
    assert folders == [tmp_path / "cache" / f"sample-study-{sample_module.SEED}"]
