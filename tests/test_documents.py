"""What documents say of the code is so: files exist, and the floors are those that are checked."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "napari_spinemet"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_CODE = re.compile(r"`([A-Za-z0-9_./-]+\.(?:py|md)|[A-Za-z0-9_/]+/)`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_files_that_documents_name_exist(path: Path) -> None:
    """Relative to the document, the repository, the package, or the folder of tests."""
    text = path.read_text(encoding="utf-8")
    code = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    missing = []
    for name in {*_CODE.findall(code), *_LINK.findall(text)}:
        roots = (path.parent, ROOT, PACKAGE, ROOT / "benchmarks", ROOT / "docs")
        if not any((root / name).exists() for root in roots):
            missing.append(name)
    assert not missing


def test_the_floors_of_the_architecture_are_those_that_are_checked() -> None:
    """The table lists every folder, highest floor first, as the contract does."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    contract = [set(re.findall(r"napari_spinemet\.(\w+)", layer)) for layer in layers]
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", text, flags=re.MULTILINE)
    floors: dict[int, set[str]] = {}
    for floor, names in rows:
        floors.setdefault(int(floor), set()).update(re.findall(r"`(\w+)", names))
    table = [floors[floor] for floor in sorted(floors, reverse=True)]
    # The lowest floor of the table is several of the contract, one above the other.
    assert table[:-1] == contract[: len(table) - 1]
    assert table[-1] == set().union(*contract[len(table) - 1 :])
    folders = {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").is_file()}
    assert folders == set().union(*table[:-1])


def test_lines_of_documents_are_not_too_long() -> None:
    """Of the pages that begin with this layout; tables may be wider."""
    for name in ("docs/architecture.md", "docs/glossary.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            assert len(line) <= (180 if line.startswith("|") else 120), line
