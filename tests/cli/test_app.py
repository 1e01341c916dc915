"""How the command ends: its exit status and its one sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("arguments", [["detect"], ["nonsense"], ["series", "--wrong", "x"]])
def test_wrong_use_is_one_sentence(run: Run, arguments: list[str]) -> None:
    """A command line that is none ends with status 2 and points to the help."""
    status, stdout, stderr = run(*arguments)
    assert status == 2
    assert stdout == ""
    assert len(stderr.strip().splitlines()) == 1
    assert "--help" in stderr


def test_interrupt_ends_with_a_word(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is the user's wish and no fault."""
    import napari_spinemet.dicom

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(napari_spinemet.dicom, "list_series", stop)
    status, _, stderr = run("series", "anywhere")
    assert (status, stderr.strip()) == (2, "Stopped.")


def test_a_fault_of_ours_is_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen exception is owned up to, without a traceback."""
    import napari_spinemet.dicom

    def fail(_: object) -> None:
        raise KeyError("inside")

    monkeypatch.setattr(napari_spinemet.dicom, "list_series", fail)
    status, _, stderr = run("series", "anywhere")
    assert status == 1
    assert "its fault" in stderr
    assert "Traceback" not in stderr
