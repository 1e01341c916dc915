"""Curves that are shown beside the study's own: other settings, other models, publications."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from ...errors import SpinemetError
from ...evaluation.published_curves import PAPER, points_of, read_points
from ...jobs import CancelToken, EventCallback
from ...study.likelihood_maps import file_name
from .froc_plot import FrocPlot, Reference

if TYPE_CHECKING:
    from ..viewer.session import DisplayedFroc, Session

COMPARE = "comparison"
AGGREGATION = "other aggregation"


class ReferenceButton(QPushButton):
    """A menu of curves to compare with; those that are chosen follow the settings."""

    def __init__(self, session: Session, plot: FrocPlot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._plot = session, plot
        self._chosen: dict[str, Reference | None] = {}
        """What is shown by its key; None until it has been drawn."""
        self.setText("Compare with")
        self.setToolTip("Show another curve beside this one, at the same minimum area and gate.")
        menu = QMenu(self)
        menu.aboutToShow.connect(self._fill_menu)
        self.setMenu(menu)
        session.curve_changed.connect(self._on_curve)
        self._on_curve()

    def offered(self) -> list[tuple[str, str]]:
        """Key and name of what the study's curve can be compared with."""
        shown, study = self._session.shown, self._session.study
        if shown is None or shown.study is None or study is None:
            return []
        plain = shown.point.weight is None
        others = [s for s in study.likelihood_sets() if s != file_name(shown.model)]
        return [
            (AGGREGATION, "with aggregation" if plain else "without aggregation"),
            *((f"maps {name}", name) for name in others),
        ]

    def toggle(self, key: str, name: str) -> None:
        """Show a curve, or take it away again."""
        if key in self._chosen:
            del self._chosen[key]
        elif key == "paper":
            self._chosen[key] = Reference("Wang et al. 2017", PAPER)
        else:
            self._chosen[key] = None
            self._draw(key, name)
        self._show()

    def load(self, path: Path) -> None:
        """Show a published curve from a file."""
        try:
            self._chosen[f"file {path}"] = Reference(path.stem, read_points(path))
        except SpinemetError as error:
            self._session.warn(str(error))
        self._show()

    def _fill_menu(self) -> None:
        menu = self.menu()
        menu.clear()
        names = [*self.offered(), ("paper", "Wang et al. 2017 (26 cases, mean over slices)")]
        names += [(key, Path(key[5:]).name) for key in self._chosen if key.startswith("file ")]
        for key, name in names:
            action = menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(key in self._chosen)
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

    def _on_curve(self) -> None:
        """Draw anew, at the settings of the curve that is shown now."""
        self.setEnabled(self._session.shown is not None)
        offered = dict(self.offered())
        for key in list(self._chosen):
            if key != "paper" and not key.startswith("file "):
                if key not in offered:
                    del self._chosen[key]
                    continue
                self._chosen[key] = None
                self._draw(key, offered[key])
        self._show()

    def _draw(self, key: str, name: str) -> None:
        session, shown = self._session, self._session.shown
        assert shown is not None
        work = partial(_reference, shown, key, name)

        def done(made: Reference | None) -> None:
            if session.shown is not shown or key not in self._chosen:
                return
            if made is None:
                del self._chosen[key]
                session.warn(
                    f"'{name}' holds no maps of some cases; evaluate the study with it first."
                )
            else:
                self._chosen[key] = made
            self._show()

        session.redraw.start(COMPARE, work, done)

    def _show(self) -> None:
        self._plot.set_references(tuple(r for r in self._chosen.values() if r is not None))


def _reference(
    shown: DisplayedFroc, key: str, name: str, on_event: EventCallback, cancel: CancelToken
) -> Reference | None:
    from ...workflows.study_froc import redrawn

    assert shown.study is not None
    point, identity, trees = shown.point, shown.model, shown.trees
    if key == AGGREGATION:
        point = replace(point, weight=0.4 if point.weight is None else None)
    else:
        identity, trees = key.removeprefix("maps "), None
    drawn: Any = redrawn(
        shown.study,
        identity,
        point,
        trees,
        max_distance_mm=shown.max_distance_mm,
        on_event=on_event,
        cancel=cancel,
    )
    return None if drawn is None else Reference(name, points_of(drawn.curve))
