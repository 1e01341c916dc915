"""However a study was left, its verdicts are there and the same is on the screen again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_spinemet.gui.application import open_workspace
from napari_spinemet.gui.view_state import FILE, ViewState
from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.study import Study

from .conftest import take_picture
from .review_session import screen

KILLS = int(os.environ.get("SPINEMET_KILLS", "2"))


def reviewing(study: Path, model: Path, seed: int) -> subprocess.Popen[str]:
    """The program of a person who reviews."""
    program = Path(__file__).with_name("review_session.py")
    return subprocess.Popen(
        [sys.executable, program, str(study), str(model), str(seed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.one_binding
def test_a_killed_review_comes_back_with_its_verdicts(
    study_copy: Path,
    quick_model: Path,
    make_napari_viewer: Callable,
    qtbot: object,
    wait_idle: Callable,
    picture_folder: Path,
) -> None:
    """Killed with SIGKILL at any moment after the screen had come to rest.

    No verdict that was seen is lost, the study verifies, and a new window shows what the last
    did: the same case, tab, slice, settings, likelihood, outlines and table. Of what was done
    since the last rest, verdicts may be there as well.
    """
    rng, lines = random.Random(3), 0
    for number in range(KILLS):
        session = reviewing(study_copy, quick_model, number)
        assert session.stdout is not None
        screens = [next(line for line in session.stdout if line.startswith("{"))]
        for _ in range(rng.randrange(1, 4)):
            screens.append(next(line for line in session.stdout if line.startswith("{")))
        time.sleep(rng.uniform(0, 0.3))
        session.send_signal(signal.SIGKILL)
        screens += [line for line in session.stdout if line.startswith("{")]
        session.wait()
        last = json.loads(screens[-1])
        lines += len(screens)
        viewer = make_napari_viewer(show=True)
        viewer.window._qt_window.resize(1440, 900)
        workspace = open_workspace(viewer)
        workspace.load.open_study(study_copy)
        wait_idle(workspace)
        qtbot.waitUntil(lambda w=workspace: w.session.result is not None, timeout=30_000)
        review = workspace.review
        qtbot.waitUntil(
            lambda r=review: (
                not (
                    r._typing_pause.is_pending
                    or r._slider_pause.is_pending
                    or r.session.jobs.display.is_busy
                )
            ),
            timeout=30_000,
        )
        assert workspace.session.study.read_only_reason == ""
        assert workspace.session.study.verify() == []
        current_screen = screen(workspace)
        # The next finding may have been flown to, and judged, as the program died.
        former_findings, current_findings = last.pop("findings"), current_screen.pop("findings")
        verdicts = [[row.pop(1) for row in rows] for rows in (former_findings, current_findings)]
        assert current_findings == former_findings
        new_verdicts = [
            (was, is_now) for was, is_now in zip(*verdicts, strict=True) if was != is_now
        ]
        assert len(new_verdicts) <= 1
        if new_verdicts or current_screen["slice"] != last["slice"]:
            del current_screen["slice"], last["slice"]
        assert current_screen == last
        assert sum(map(bool, verdicts[0])) >= min(1, len(screens) - 1)
        take_picture(viewer, picture_folder / f"left-{number}.png")
        workspace.session.stop()
        viewer.close()
    print(f"{KILLS} kills, {lines} screens at rest, each last one came back")


@pytest.mark.one_binding
def test_a_case_shows_what_was_found_in_it_before(
    workspace: object, wait_idle: Callable, study_copy: Path, quick_model: Path
) -> None:
    """The map is read, not made again; a case without any shows none; another weight works."""
    load, detect, session = workspace.load, workspace.detect, workspace.session
    load.open_study(study_copy)
    load.open_case()
    wait_idle(workspace)
    assert session.result is None
    detect._select(str(quick_model))
    detect.detect()
    wait_idle(workspace)
    values, point = session.result.plain.values, session.result.operating_point
    load.case_table.selectRow(1)
    load.open_case()
    wait_idle(workspace)
    assert session.case.name == "normal-001"
    assert session.result is None
    load.case_table.selectRow(0)
    load.open_case()
    wait_idle(workspace)
    assert session.result.operating_point == point
    assert (session.result.plain.values == values).all()
    assert "FROC of this scan alone" in workspace.review.froc_panel.plot.title.text()
    assert len(session.study.database.results.runs("case-001")) == 1, "nothing was run again"


def test_signed_verdicts_are_so_until_another_is_given(
    detection_workspace: object, wait_idle: Callable, qtbot: object
) -> None:
    """Not before all are judged; the run that is signed is the one on the screen."""
    load, session, review = (
        detection_workspace.load,
        detection_workspace.session,
        detection_workspace.review,
    )
    messages: list[str] = []
    session.message.connect(messages.append)
    values = session.result.likelihood.values
    review.controls.min_area.setValue(0.3)
    review.controls.threshold.setValue(float(sorted(values[values > 0])[-400]))
    qtbot.waitUntil(lambda: not review._slider_pause.is_pending, timeout=5_000)
    wait_idle(detection_workspace)
    assert review.findings
    review.sign_off.sign_button.click()
    wait_idle(detection_workspace)
    assert "no verdict yet" in messages[-1]
    assert str(session.case.state) == "contoured, detected"
    for number in range(len(review.findings)):
        review.findings_panel.table.select_row(number)
        review.findings_panel.judge("accepted")
    review.sign_off.sign_button.click()
    wait_idle(detection_workspace)
    assert str(session.case.state) == "contoured, signed"
    assert load.case_table.texts()[0][1] == "contoured, signed"
    assert review.sign_off.state.text().startswith("Signed by ")
    run = session.case.last_run
    assert run.settings["signed"] is True
    assert run.operating_point == review.controls.point()
    stored_detections = session.study.database.results.detections(run.number)
    areas_cm2 = [d.area_cm2 for f in review.findings for d in f.detections]
    assert [d.area_cm2 for d in stored_detections] == pytest.approx(areas_cm2)
    review.findings_panel.judge("rejected")
    wait_idle(detection_workspace)
    assert str(session.case.state) == "contoured, reviewed"
    assert review.sign_off.state.text() == ""
    assert session.study.verify() == []


def test_reports_are_written_from_the_window(
    detection_workspace: object,
    wait_idle: Callable,
    study_copy: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Into the study, a folder each; a scan of no study asks where to."""
    from napari_spinemet.gui.review import sign_off as sign_row

    report_paths: list[str] = []
    monkeypatch.setattr(
        sign_row.QDesktopServices, "openUrl", lambda url: report_paths.append(url.toLocalFile())
    )
    session, review, end = (
        detection_workspace.session,
        detection_workspace.review,
        detection_workspace.review.sign_off,
    )
    end.case_action.trigger()
    wait_idle(detection_workspace)
    review.evaluation.evaluate()
    wait_idle(detection_workspace)
    end.study_action.trigger()
    wait_idle(detection_workspace)
    case, study = map(Path, report_paths)
    assert case.parent.parent == study.parent.parent == study_copy / "reports"
    assert case.parent.name.startswith("case-001-")
    text = study.read_text(encoding="utf-8")
    assert str(session.froc.identity) in text
    rate, _, total = session.curve.at(review.controls.point().threshold)
    assert f"{rate:.1%}, averaged" in text
    assert f"{total:.2f} per scan" in text
    monkeypatch.setattr(
        sign_row.QFileDialog, "getExistingDirectory", lambda *_: str(study_copy.parent / "else")
    )
    session.set_scan(session.scan.with_case(None))
    end.case_action.trigger()
    wait_idle(detection_workspace)
    assert Path(report_paths[-1]).parent.parent == study_copy.parent / "else"


def test_a_screen_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    """A damaged file, or one of another program, costs nobody a sentence."""
    path = tmp_path / FILE
    view_state = ViewState(
        "case-001", 3, "Review", OperatingPoint(0.3, 1.0, None, False), True, 15.0
    )
    path.write_text(view_state.to_json(), encoding="utf-8")
    assert ViewState.read_from(path) == view_state
    for text in ("", "{", "[]", '{"case": "x"}', view_state.to_json().replace("0.3", "3")):
        path.write_text(text, encoding="utf-8")
        assert ViewState.read_from(path) is None
    assert ViewState.read_from(tmp_path / "nothing") is None


def test_a_screen_of_a_case_that_is_gone_opens_nothing(
    workspace: object, wait_idle: Callable, study_copy: Path
) -> None:
    """The study opens as one that is new."""
    view_state = ViewState("case-009", 3, "Review", OperatingPoint(), False, 20.0)
    (study_copy / FILE).write_text(view_state.to_json(), encoding="utf-8")
    workspace.load.open_study(study_copy)
    wait_idle(workspace)
    assert workspace.session.case is None
    assert Study(study_copy).cases()
