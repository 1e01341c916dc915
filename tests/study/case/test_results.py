"""Results on a case: what a person says of them, and when it is signed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Detection, Finding
from napari_spinemet.study import Study
from napari_spinemet.study.store import user

MODEL = ("m@1", "m", "{}")


def a_finding(z_mm: float) -> Finding:
    """One region in one slice."""
    centre_mm = (0.0, 0.0, z_mm)
    detection = Detection(3, 2.5, (1, 2), (3, 4, 5), centre_mm, 0.9, 0.7, np.zeros((0, 2)))
    return Finding((detection,), 1.2, centre_mm)


def test_a_case_is_signed_once_all_is_judged(study: Study) -> None:
    """A verdict takes the signature back; what was on the screen is the last run."""
    case = study.cases()[0]
    series, findings = case.series(), [a_finding(0), a_finding(50)]
    assert case.last_run is None
    assert case.verdicts().of([(0, 0, 0)]) == [""]
    assert case.save_run(series, MODEL, {"threshold": 0.6}, findings, 2.0) == 1
    assert case.state.findings == "detected"
    case.judge(series, findings[0].centre_mm, "accepted", all_judged=False, model="m@1")
    with pytest.raises(SpinemetError, match="1 of the 2 findings of case-001 have no verdict"):
        case.sign(series, MODEL, {"threshold": 0.6}, findings)
    assert len(study.database.results.runs("case-001")) == 1
    case.judge(series, findings[1].centre_mm, "rejected", all_judged=True, model="m@1")
    assert case.state.findings == "reviewed"
    case.sign(series, MODEL, {"threshold": 0.6}, findings)
    assert case.state.findings == "signed"
    assert case.last_run is not None
    assert case.last_run.settings == {"threshold": 0.6, "signed": True}
    case.judge(series, findings[1].centre_mm, "unsure", all_judged=True, model="m@1")
    assert case.state.findings == "reviewed"
    assert case.verdicts().of([f.centre_mm for f in findings]) == ["accepted", "unsure"]
    assert [v.run for v in study.database.results.verdicts("case-001")] == [1, 1, 2]
    assert study.verify() == []


def test_a_signature_names_the_reader_and_the_user_of_the_computer(study: Study) -> None:
    """In the record and in the trail: a name can be typed by anybody."""
    case = study.cases()[0]
    series, findings = case.series(), [a_finding(0)]
    case.judge(series, findings[0].centre_mm, "accepted", all_judged=True, model="m@1")
    case.sign(series, MODEL, {"threshold": 0.6}, findings, "Dr. On Call")
    who = f"Dr. On Call (as {user()})"
    assert case.record is not None
    assert case.record.findings_by == who
    assert [entry.who for entry in study.database.audit()][-1] == who
    assert study.verify() == []
