"""Models, runs, detections and verdicts in the database."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from contour_images import alter

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Detection, Finding
from napari_spinemet.study.database import (
    StudyDatabase,
)


def test_what_a_network_found_and_a_person_said_is_kept_apart(database: StudyDatabase) -> None:
    """Models, runs with their detections, verdicts; the last verdict on a place counts."""
    results = database.results
    finding = Finding(
        (
            Detection(3, 2.5, (1, 2), (3, 4, 5), (1.5, -2.25, 1 / 3), 0.9, 0.7, np.zeros((0, 2))),
            Detection(4, 1.5, (1, 2), (4, 4, 5), (4.5, -2.25, 1 / 3), 0.8, 0.6, np.zeros((0, 2))),
        ),
        1.2,
        (3.0, -2.25, 1 / 3),
    )
    with pytest.raises(SpinemetError, match="does not know the model m@1"):
        results.save_run("case-001", "m@1", {}, [finding])
    results.save_model("m@1", "m", '{"name": "m"}')
    run = results.save_run("case-001", "m@1", {"threshold": 0.6}, [finding], seconds=2.5, who="a")
    results.save_run("case-001", "m@1", {"threshold": 0.7}, [])
    first, second = results.runs("case-001")
    assert (first.number, first.model, first.settings) == (run, "m@1", {"threshold": 0.6})
    assert (first.run_by, first.seconds) == ("a", 2.5)
    rows = results.detections(run)
    assert [(d.finding, d.slice, d.area_cm2, d.peak) for d in rows] == [
        (0, 3, 2.5, 0.9),
        (0, 4, 1.5, 0.8),
    ]
    assert rows[0].centre_mm == (1.5, -2.25, 1 / 3)
    assert results.detections(second.number) == []
    results.save_verdict("case-001", finding.centre_mm, "accepted", run=run)
    results.save_verdict("case-001", finding.centre_mm, "unsure", run=run)
    results.save_verdict("case-001", (0, 0, 0), "rejected", reader="Dr Ö")
    assert [v.verdict for v in results.verdicts("case-001")] == ["accepted", "unsure"]
    (other,) = results.verdicts("case-001", reader="Dr Ö")
    assert (other.verdict, other.centre_mm, other.run) == ("rejected", (0, 0, 0), None)
    with pytest.raises(ValueError, match="accepted, rejected, unsure"):
        results.save_verdict("case-001", (0, 0, 0), "maybe")
    database.set_findings("case-001", "reviewed")
    case = database.case("case-001")
    assert case is not None
    assert (case.state, case.findings) == ("new", "reviewed")
    results.save_model("m@1", "m", '{"name": "m", "threshold": 0.5}')
    assert results.models() == {"m@1": ("m", '{"name": "m", "threshold": 0.5}')}
    assert database.verify() == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE runs SET settings = '{}'", "Changed .* run"),
        ("UPDATE detections SET peak = 0.1", "Changed .* run"),
        ("DELETE FROM detections", "Changed .* run"),
        ("UPDATE verdicts SET verdict = 'rejected'", "Changed .* verdict"),
        ("DELETE FROM verdicts", "Missing.* verdict"),
        ("UPDATE models SET card = 'other'", "Changed .* model"),
        ("UPDATE cases SET findings = 'reviewed'", "Changed .* findings"),
    ],
)
def test_changed_results_are_found(
    database: StudyDatabase, folder: Path, statement: str, words: str
) -> None:
    """What was found, and what was said of it, cannot be changed past the trail."""
    detection = Detection(3, 2.5, (1, 2), (3, 4, 5), (1, 2, 3), 0.9, 0.7, np.zeros((0, 2)))
    database.results.save_model("m@1", "m", "{}")
    run = database.results.save_run(
        "case-001", "m@1", {"a": 1}, [Finding((detection,), 1, (1, 2, 3))]
    )
    database.results.save_verdict("case-001", (1, 2, 3), "accepted", run=run)
    database.set_findings("case-001", "detected")
    assert database.verify() == []
    alter(folder, statement)
    (rows,) = database.verify()
    assert re.search(words, rows)


def test_a_rejected_finding_has_a_reason(database: StudyDatabase, folder: Path) -> None:
    """Of those that there are, and of no other verdict; it cannot be changed past the trail."""
    results = database.results
    results.save_verdict("case-001", (0, 0, 0), "rejected", reason="haemangioma")
    results.save_verdict("case-001", (0, 0, 50), "rejected")
    assert [v.reason for v in results.verdicts("case-001")] == ["haemangioma", ""]
    for verdict, reason in (("accepted", "haemangioma"), ("rejected", "gas"), ("", "other")):
        with pytest.raises(ValueError, match="haemangioma"):
            results.save_verdict("case-001", (0, 0, 0), verdict, reason=reason)
    assert database.verify() == []
    alter(folder, "UPDATE verdicts SET reason = 'artefact' WHERE reason = ''")
    (sentence,) = database.verify()
    assert re.search("Changed .* verdict", sentence)
