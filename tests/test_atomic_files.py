"""Files are written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_spinemet.atomic_files import replace_atomically, write_text
from napari_spinemet.errors import SpinemetError


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    """Not before, with the folders it needs, and with nothing left beside it."""
    target = tmp_path / "new" / "deep" / "a.txt"
    with replace_atomically(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_block_leaves_the_former_file(tmp_path: Path) -> None:
    """Any exception passes through; the old bytes stay and the new ones go."""
    target = tmp_path / "a.txt"
    target.write_text("former")
    with pytest.raises(ZeroDivisionError), replace_atomically(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "former"
    assert list(tmp_path.iterdir()) == [target]


def test_a_killed_program_leaves_the_former_file(tmp_path: Path) -> None:
    """Ended without any clean-up in the middle of the block, the old bytes are still there."""
    target = tmp_path / "a.txt"
    target.write_text("former")
    code = (
        "import os, sys; from pathlib import Path\n"
        "from napari_spinemet.atomic_files import replace_atomically\n"
        "with replace_atomically(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os._exit(9)\n"
    )
    process = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert process.returncode == 9
    assert target.read_text() == "former"


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """An OSError while writing becomes a SpinemetError that names the file."""
    target = tmp_path / "a.txt"
    target.write_text("former")
    with (
        pytest.raises(SpinemetError, match=r"a\.txt cannot be written \(No space left"),
        replace_atomically(target),
    ):
        raise OSError(28, "No space left on device")
    assert target.read_text() == "former"


def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    """The folder cannot be made where a file stands."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(SpinemetError, match="cannot be written"):
        write_text(tmp_path / "taken" / "a.txt", "x")


def test_a_folder_in_the_place_of_the_file_is_one_sentence(tmp_path: Path) -> None:
    """And it keeps what it holds."""
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "a.txt" / "kept").write_text("")
    with pytest.raises(SpinemetError, match="cannot be written"):
        write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt" / "kept").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    """Whatever the system's own encoding."""
    write_text(tmp_path / "a.txt", "5 cm² – Wirbelkörper")
    assert (tmp_path / "a.txt").read_bytes() == "5 cm² – Wirbelkörper".encode()
