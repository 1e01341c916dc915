"""Verdicts by where findings lie, with undo."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from napari_spinemet.gui.viewer.jobs import JobRunner
from napari_spinemet.gui.viewer.scan.open_scan import OpenScan
from napari_spinemet.gui.viewer.verdict_log import VerdictLog
from napari_spinemet.study.verdicts import VerdictBook


def finding(x: float) -> Any:
    """A finding of which only the centre matters."""
    return SimpleNamespace(centre_mm=(x, 0.0, 0.0))


def test_the_last_verdict_is_taken_back(qtbot: Any, make_series: Callable[..., Any]) -> None:
    """To what was said before; without a study nothing is stored."""
    saving = JobRunner()
    log = VerdictLog(saving)
    log.open(OpenScan(make_series(series_uid="1.2.3")))
    findings = [finding(0), finding(100)]
    log.judge(findings, 1, "accepted")
    log.judge(findings, 1, "rejected", reason="artefact")
    log.judge(findings, 1, "rejected", reason="other")
    assert log.with_reasons(findings) == [("", ""), ("rejected", "other")]
    assert log.undo(findings)
    assert log.with_reasons(findings) == [("", ""), ("rejected", "artefact")]
    assert log.undo(findings)
    assert log.verdicts_on(findings) == ["", "accepted"]
    assert log.undo(findings)
    assert log.verdicts_on(findings) == ["", ""]
    assert not log.can_undo
    assert not log.undo(findings)
    assert not saving.is_busy


def test_verdicts_outlive_another_scan(qtbot: Any, make_series: Callable[..., Any]) -> None:
    """What can be undone does not."""
    log = VerdictLog(JobRunner())
    scans = [OpenScan(make_series(series_uid=uid)) for uid in ("1.2.3", "1.2.4")]
    log.open(scans[0])
    log.judge([finding(0)], 0, "accepted")
    log.open(scans[1])
    assert log.verdicts_on([finding(0)]) == [""]
    log.open(scans[0])
    assert log.verdicts_on([finding(3)]) == ["accepted"], "the same place, a little moved"
    assert not log.can_undo


def test_a_verdict_that_is_not_stored_yet_is_not_read_anew(
    qtbot: Any, make_series: Callable[..., Any]
) -> None:
    """A case that is opened again meanwhile shows what was said, not what the study knows."""
    stored: list[str] = []
    database = SimpleNamespace(writable=True)
    case: Any = SimpleNamespace(
        database=database,
        verdicts=VerdictBook,
        judge=lambda series, position, verdict, **_: stored.append(verdict),
    )
    saving = JobRunner()
    log = VerdictLog(saving)
    scan = OpenScan(make_series(series_uid="1.2.3"), case=case)
    log.open(scan)
    log.judge([finding(0)], 0, "accepted")
    log.open(scan)
    assert log.verdicts_on([finding(0)]) == ["accepted"]
    qtbot.waitUntil(lambda: not saving.is_busy, timeout=30_000)
    assert stored == ["accepted"]
