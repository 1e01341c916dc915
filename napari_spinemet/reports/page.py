"""A report as one file that needs nothing else: text, tables and pictures.

What a table says in the page it says in a CSV file beside it, and each figure is there as PNG and
SVG. The page names no address, so a browser has nothing to ask for.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from ..atomic_files import replace_atomically, write_text
from ..disclaimer import DISCLAIMER
from ..evaluation.pictures import render_figure

PAGE, TABLES, FIGURES = "report.html", "tables", "figures"


@dataclass(frozen=True)
class Facts:
    """Names and values, below each other."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; one that is a warning stands out."""

    kind: ClassVar[str] = "paragraph"
    text: str
    warning: bool = False


@dataclass(frozen=True)
class Table:
    """A table, which is also written as ``tables/NAME.csv``.

    Attributes
    ----------
    name : str
        Of the file, without an ending.
    columns : sequence of str
    rows : sequence of sequence of str
    caption : str
    """

    kind: ClassVar[str] = "table"
    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def to_csv(self) -> str:
        """The same content, quoted as RFC 4180 says."""
        text = io.StringIO()
        csv.writer(text).writerows([self.columns, *self.rows])
        return text.getvalue()


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, which is also written as ``figures/NAME.png`` and ``.svg``.

    Attributes
    ----------
    name : str
        Of the files, without an ending.
    figure : matplotlib.figure.Figure
    caption : str
        What is to be seen; it is also what a page reader says.
    is_line_art : bool
        Whether it is made of lines, and the page shows the SVG; else it shows pixels.
    data : Table, optional
        What is drawn, which is written as a CSV file only.
    """

    kind: ClassVar[str] = "picture"
    name: str
    figure: Figure
    caption: str
    is_line_art: bool = False
    data: Table | None = None


@dataclass(frozen=True, eq=False)
class Fold:
    """What is seen only by who unfolds it.

    Attributes
    ----------
    title : str
        What is seen of it at first.
    blocks : sequence of Block
    """

    kind: ClassVar[str] = "fold"
    title: str
    blocks: Sequence[Facts | Paragraph | Table | Picture]


Block = Facts | Paragraph | Table | Picture | Fold


@dataclass(frozen=True, eq=False)
class Section:
    """A heading and what stands below it."""

    heading: str
    blocks: Sequence[Block]


@dataclass(frozen=True, eq=False)
class Page:
    """A report.

    Attributes
    ----------
    title, subtitle : str
    sections : sequence of Section
    learned_from : str
        What the model has learned from: it stands below the disclaimer, above all results.
    whose : str
        Whose scan it is, and of when; empty for a report of many.
    status : str
        Whether it is a draft, or who has signed it.
    """

    title: str
    subtitle: str
    sections: Sequence[Section] = field(default_factory=tuple)
    learned_from: str = ""
    whose: str = ""
    status: str = ""

    @property
    def blocks(self) -> Iterator[Facts | Paragraph | Table | Picture]:
        """All that stands in its sections, folded or not."""
        for block in (block for section in self.sections for block in section.blocks):
            if isinstance(block, Fold):
                yield from block.blocks
            else:
                yield block


def write_page(page: Page, folder: Path) -> Path:
    """Write a report with its tables and figures; gives the file of the page.

    The page is written last: where it is, all it speaks of is. In place of a former report
    nothing of that is left.

    Parameters
    ----------
    page : Page
    folder : Path
        Made if it is not there. What is there and is not a report's stays.

    Raises
    ------
    SpinemetError
        If the folder cannot be written to.
    """
    if (folder / PAGE).is_file():
        _remove_former(folder)
    image_data: dict[str, Markup] = {}
    for block in page.blocks:
        if isinstance(block, Table):
            _write_table(block, folder)
        elif isinstance(block, Picture):
            if block.data is not None:
                _write_table(block.data, folder)
            image_data[block.name] = _write_picture(block, folder)
    environment = Environment(
        loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined
    )
    text = environment.get_template("page.html.jinja").render(
        page=page, notice=DISCLAIMER, image_data=image_data
    )
    write_text(folder / PAGE, text)
    return folder / PAGE


def _remove_former(folder: Path) -> None:
    """The page first: without it nobody takes the rest for a report."""
    (folder / PAGE).unlink()
    for subfolder, suffix in ((TABLES, "csv"), (FIGURES, "png"), (FIGURES, "svg")):
        for path in (folder / subfolder).glob(f"*.{suffix}"):
            path.unlink()


def _write_table(table: Table, folder: Path) -> None:
    with replace_atomically(folder / TABLES / f"{table.name}.csv") as temporary:
        # With its mark a spreadsheet reads UTF-8 as such.
        temporary.write_text(table.to_csv(), encoding="utf-8-sig", newline="")


def _write_picture(picture: Picture, folder: Path) -> Markup:
    """Write a figure; gives what the page holds of it, as an address that is the image itself."""
    contents = render_figure(picture.figure)
    for suffix, content in contents.items():
        with replace_atomically(folder / FIGURES / f"{picture.name}.{suffix}") as temporary:
            temporary.write_bytes(content)
    kind = "svg" if picture.is_line_art else "png"
    mime = {"svg": "svg+xml"}.get(kind, kind)
    code = base64.b64encode(contents[kind]).decode("ascii")
    # A picture of its own each, in which names of parts cannot meet those of another.
    return Markup(f"data:image/{mime};base64,{code}")
