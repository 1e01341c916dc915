"""The public API is there, and importing the package is cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest

import napari_spinemet as spinemet

HEAVY = ("torch", "napari", "qtpy", "PyQt5", "PyQt6", "highdicom", "skimage", "matplotlib")


def _modules_loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{n.partition('.')[0] for n in sys.modules}})"
    process = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return set(process.stdout.split())


def test_importing_the_package_loads_neither_torch_nor_napari_nor_qt() -> None:
    """In a fresh interpreter; the names are loaded when first used."""
    modules = _modules_loaded_by("import napari_spinemet")
    assert "napari_spinemet" in modules
    assert not modules.intersection(HEAVY)


@pytest.mark.parametrize(
    "module", ["imaging", "jobs", "contouring", "exchange", "study", "phantom", "dicom"]
)
def test_what_computes_nothing_with_the_network_does_without_torch(module: str) -> None:
    """Reading scans, studies and phantoms starts without torch, napari or Qt."""
    modules = _modules_loaded_by(f"import napari_spinemet.{module}")
    assert not modules.intersection({"torch", "napari", "qtpy", "PyQt5", "PyQt6"})


@pytest.mark.parametrize("name", spinemet.__all__)
def test_every_public_name_resolves(name: str) -> None:
    """To something documented, and dir() lists it."""
    value = getattr(spinemet, name)
    assert value.__doc__
    assert name in dir(spinemet)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = spinemet.no_such_name
