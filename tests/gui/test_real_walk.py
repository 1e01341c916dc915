"""A new scan to signed verdicts, by mouse and keys in the real window, on a real STIR series."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QFileDialog, QScrollArea, QWidget

from napari_spinemet.gui.review import sign_off as sign_row

from .conftest import take_picture

ROOT = os.environ.get("SPINEMET_REAL_DATA")
pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.one_binding,
    pytest.mark.skipif(not ROOT, reason="SPINEMET_REAL_DATA does not name the real scans"),
]


class Mouse:
    """Clicks on what is in sight, and counts them."""

    def __init__(self, qtbot: object, workspace: object) -> None:
        self._qtbot, self._workspace = qtbot, workspace
        self.clicks: list[str] = []

    def tab(self, name: str) -> None:
        """Click a tab of the workspace."""
        bar = self._workspace.tabs.tabBar()
        (index,) = [k for k in range(bar.count()) if bar.tabText(k) == name]
        self._click(bar, bar.tabRect(index).center(), f"tab {name}")

    def button(self, button: QAbstractButton) -> None:
        """Click a button, which must be in sight and offered."""
        area = self._workspace.tabs.currentWidget()
        assert isinstance(area, QScrollArea)
        QApplication.processEvents()
        centre = button.rect().center()
        assert button.visibleRegion().contains(centre), f"{button.text()} is out of sight"
        assert area.verticalScrollBar().value() == 0
        assert button.isEnabled(), button.text()
        self._click(button, button.rect().center(), button.text())

    def slide(self, slider: QWidget, value: float) -> None:
        """Set a slider, which counts as one drag."""
        self.clicks.append("threshold")
        slider.setValue(value)

    def _click(self, widget: QWidget, position: QPoint, name: str) -> None:
        self.clicks.append(name)
        self._qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=position)


def test_a_new_scan_to_signed_verdicts(
    workspace: object,
    viewer: object,
    qtbot: object,
    wait_idle: Callable,
    tmp_path: Path,
    picture_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The scan is dropped, all else is clicks: what was found is judged, signed and reported."""
    study = tmp_path / "study"
    study.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(study))
    report_paths: list[str] = []
    monkeypatch.setattr(
        sign_row.QDesktopServices, "openUrl", lambda url: report_paths.append(url.toLocalFile())
    )
    load, detect, review, session = (
        workspace.load,
        workspace.detect,
        workspace.review,
        workspace.session,
    )
    mouse = Mouse(qtbot, workspace)
    viewer.window._qt_window.resize(1366, 768)
    qtbot.wait(300)  # the docks find their widths

    load.path.setText(str(Path(ROOT or "") / "lspine_stir_cc0" / "DCMDT"))
    load.look()  # what a drop does
    wait_idle(workspace)
    mouse.button(load.open_button)
    wait_idle(workspace)
    assert session.series.contrast == "STIR"
    mouse.button(load.study_choose_button)
    mouse.button(load.import_button)
    wait_idle(workspace)
    assert session.case.name == "case-001"
    mouse.tab("Detect")
    mouse.button(detect.detect_button)
    wait_idle(workspace)
    mouse.tab("Review")
    finding_count = len(review.findings)
    assert finding_count <= 1, "this person is healthy as far as is known"
    if not finding_count:
        peak = session.result.likelihood.values.max()
        mouse.slide(review.controls.threshold, float(peak) / 2)
        qtbot.waitUntil(lambda: not review._slider_pause.is_pending, timeout=5_000)
    verdict_count = len(review.findings)
    for _ in range(verdict_count):
        mouse.button(review.findings_panel.next_button)
        mouse.button(review.findings_panel.verdict_buttons[1])
    wait_idle(workspace)
    mouse.button(review.sign_off.sign_button)
    wait_idle(workspace)
    assert str(session.case.state) == "signed"
    take_picture(viewer, picture_folder / "real-signed.png")
    mouse.clicks += ["Report", "of this scan"]  # a menu holds its own loop
    review.sign_off.case_action.trigger()
    wait_idle(workspace)
    assert Path(report_paths[0]).is_file()
    text = Path(report_paths[0]).read_text(encoding="utf-8")
    assert "signed by" in text
    assert text.count("rejected") >= verdict_count
    verdicts = [v.verdict for v in session.study.database.results.verdicts("case-001")]
    assert verdicts == ["rejected"] * verdict_count
    assert session.study.verify() == []
    print(
        f"{finding_count} findings at the model's own threshold, {verdict_count} judged, "
        f"{len(mouse.clicks)} clicks: {', '.join(mouse.clicks)}"
    )
    assert len(mouse.clicks) <= 10 + 2 * verdict_count
