"""Curves that are shown beside the study's own: other settings, other models, publications."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from ...errors import SpinemetError
from ...evaluation.published_curves import PAPER, points_of, read_points
from ...imaging.aggregation import DEFAULT_WEIGHT, NoAggregation
from ...jobs import JobContext
from ...study.map_identity import MapIdentity
from .froc_plot import FrocPlot, Reference

if TYPE_CHECKING:
    from ..viewer.displayed_froc import DisplayedFroc
    from ..viewer.session import Session

COMPARE = "comparison"
AGGREGATION = "other aggregation"
PAPER_KEY, FILE_PREFIX, MAPS_PREFIX = "paper", "file ", "maps "
"""Key of the paper's curve, and what those of curves from files and from other maps begin with."""


class ReferenceButton(QPushButton):
    """A menu of curves to compare with; those that are chosen follow the settings."""

    def __init__(self, session: Session, plot: FrocPlot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._plot = session, plot
        self._references: dict[str, Reference | None] = {}
        """What is shown by its key; None until it has been drawn."""
        self.setText("Compare with")
        self.setToolTip("Show another curve beside this one, at the same minimum area and gate.")
        menu = QMenu(self)
        menu.aboutToShow.connect(self._fill_menu)
        self.setMenu(menu)
        session.froc_changed.connect(self._on_froc)
        self._on_froc()

    def offered_curves(self) -> list[tuple[str, str]]:
        """Key and name of what the study's curve can be compared with."""
        froc, study = self._session.study_froc, self._session.study
        if froc is None or study is None:
            return []
        is_plain = froc.point.aggregation == NoAggregation()
        others = [i for i in study.map_identities() if i.folder != froc.identity.folder]
        return [
            (AGGREGATION, "with aggregation" if is_plain else "without aggregation"),
            *((f"{MAPS_PREFIX}{identity}", str(identity)) for identity in others),
        ]

    def toggle(self, key: str, name: str) -> None:
        """Show a curve, or take it away again.

        Parameters
        ----------
        key, name : str
            One of :meth:`offered_curves`, or ``"paper"`` with any name.
        """
        if key in self._references:
            del self._references[key]
        elif key == PAPER_KEY:
            self._references[key] = Reference("Wang et al. 2017", PAPER)
        else:
            self._references[key] = None
            self._draw(key, name)
        self._show()

    def load(self, path: Path) -> None:
        """Show a published curve from a file."""
        try:
            self._references[f"{FILE_PREFIX}{path}"] = Reference(path.stem, read_points(path))
        except SpinemetError as error:
            self._session.warn(str(error))
        self._show()

    def _fill_menu(self) -> None:
        menu = self.menu()
        menu.clear()
        curves = [
            *self.offered_curves(),
            (PAPER_KEY, "Wang et al. 2017 (26 cases, mean over slices)"),
            *(
                (key, Path(key.removeprefix(FILE_PREFIX)).name)
                for key in self._references
                if key.startswith(FILE_PREFIX)
            ),
        ]
        for key, name in curves:
            action = menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(key in self._references)
            action.triggered.connect(lambda _=False, k=key, n=name: self.toggle(k, n))
        menu.addSeparator()
        menu.addAction("Published curve from a file…").triggered.connect(
            lambda _=False: self._choose_file()
        )

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Published curve", "", "Curves (*.csv *.json);;All files (*)"
        )
        if path:
            self.load(Path(path))

    def _on_froc(self) -> None:
        """Draw anew, at the settings of the curve that is shown now."""
        self.setEnabled(self._session.froc is not None)
        names = dict(self.offered_curves())
        for key in list(self._references):
            if key != PAPER_KEY and not key.startswith(FILE_PREFIX):
                if key not in names:
                    del self._references[key]
                    continue
                self._references[key] = None
                self._draw(key, names[key])
        self._show()

    def _draw(self, key: str, name: str) -> None:
        session, froc = self._session, self._session.froc
        assert froc is not None

        def show(reference: Reference | None) -> None:
            if session.froc is not froc or key not in self._references:
                return
            if reference is None:
                del self._references[key]
                session.warn(
                    f"'{name}' holds no maps of some cases; evaluate the study with it first."
                )
            else:
                self._references[key] = reference
            self._show()

        session.jobs.display.start(COMPARE, partial(_draw_reference, froc, key, name), show)

    def _show(self) -> None:
        self._plot.set_references(tuple(r for r in self._references.values() if r is not None))


def _draw_reference(froc: DisplayedFroc, key: str, name: str, job: JobContext) -> Reference | None:
    """Another aggregation of the same maps, or other maps; None if one is missing."""
    from ...workflows.study_froc import redraw_curve

    assert froc.study is not None
    point, identity, forests = froc.point, froc.identity, froc.forests
    if key == AGGREGATION:
        is_plain = point.aggregation == NoAggregation()
        point = replace(point, weight=DEFAULT_WEIGHT if is_plain else None)
    else:
        identity, forests = MapIdentity.parse(key.removeprefix(MAPS_PREFIX)), None
    system = redraw_curve(froc.study, identity, point, froc.matching, forests=forests, job=job)
    return None if system is None else Reference(name, points_of(system.curve))
