"""What tests read of a report, by the standard library alone."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from napari_spinemet.disclaimer import DISCLAIMER


class ReportReader(HTMLParser):
    """Tables, headings and addresses of a page, by the standard library."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.facts: list[list[str]] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self._rows: list[list[str]] | None = None
        self._cell: list[str] | None = None
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        self.addresses += [str(attributes[k]) for k in ("src", "href", "action") if k in attributes]
        if tag == "table":
            name = attributes.get("id")
            self._rows = self.tables.setdefault(name, []) if name else self.facts
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None and self._rows is not None:
            self._rows[-1].append("".join(self._cell))
            self._cell = None

    def fact(self, name: str) -> str:
        """What stands beside a name."""
        (text,) = (value for key, value in self.facts if key == name)
        return text


def csv_rows(folder: Path, name: str) -> list[list[str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def read_alone(folder: Path) -> ReportReader:
    """Read a page that must need nothing but itself, and whose tables are those beside it."""
    page = folder / "report.html"
    reader, text = ReportReader(page), page.read_text(encoding="utf-8")
    assert not {"script", "link", "iframe", "object", "form"} & set(reader.tags)
    assert all(a.startswith("data:image/") for a in reader.addresses)
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!data:)\w+:", text)
    assert "default-src 'none'" in text
    assert text.count(DISCLAIMER) >= 2
    for name, rows in reader.tables.items():
        assert csv_rows(folder, name) == rows, name
    names = {p.stem for p in (folder / "figures").iterdir()}
    assert len(names) == len(reader.addresses)
    for name in names:
        with Image.open(folder / "figures" / f"{name}.png") as image:
            image.load()
            assert image.size[0] > 300
        assert ElementTree.parse(folder / "figures" / f"{name}.svg").getroot().tag.endswith("svg")
    return reader
