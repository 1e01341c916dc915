"""By scanner and month, against counting by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spinemet.imaging import Detection, Finding
from napari_spinemet.phantom import make_cohort
from napari_spinemet.reports.scanner_section import scanner_section
from napari_spinemet.study import Study
from napari_spinemet.workflows.scanner_statistics import (
    FAMILIARITY,
    SCAN_FACTS,
    Scanner,
    scan_facts,
    scanner_rows,
)

MODEL = ("m@1", "m", "{}")


def a_finding(z_mm: float) -> Finding:
    """One region in one slice."""
    centre_mm = (0.0, 0.0, z_mm)
    detection = Detection(3, 2.5, (1, 2), (3, 4, 5), centre_mm, 0.9, 0.7, np.zeros((0, 2)))
    return Finding((detection,), 1.2, centre_mm)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small cases."""
    path = tmp_path_factory.mktemp("scanners")
    make_cohort(path, 3, seed=5)
    return path


def run_on(study: Study, number: int, facts: dict[str, str], *heights_mm: float, **settings: Any):  # type: ignore[no-untyped-def]
    """A detection on a case; gives the case and its scan."""
    case = study.cases()[number]
    series = case.series()
    findings = [a_finding(z) for z in heights_mm]
    case.save_run(series, MODEL, {SCAN_FACTS: facts, **settings}, findings, 1.0)
    return case, series


def test_rows_are_counted_by_hand(folder: Path) -> None:
    """The last run of a case counts, and the last verdict on a place; months are apart."""
    october = {"station": "MR1", "field": "3 T", "protocol": "STIR", "month": "2026-10"}
    november = {**october, "month": "2026-11"}
    study = Study(folder, write=True)
    run_on(study, 0, october, 0, 50, 100)
    far = {FAMILIARITY: {"score": 1.5, "unfamiliar": True, "reason": "noise"}}
    near = {FAMILIARITY: {"score": 0.5, "unfamiliar": False, "reason": ""}}
    case, series = run_on(study, 0, october, 0, 50, **far)
    case.judge(series, (0, 0, 0), "accepted", all_judged=False, model="m@1")
    case.judge(series, (0, 0, 0), "rejected", all_judged=False, model="m@1", reason="artefact")
    case.judge(series, (0, 0, 50), "accepted", all_judged=True, model="m@1")
    case, series = run_on(study, 1, october, 0, **near)
    case.judge(series, (0, 0, 0), "rejected", all_judged=True, model="m@1")
    # A signature is a run too, and knows nothing of the scanner.
    case.sign(series, MODEL, {}, [a_finding(0)])
    run_on(study, 2, november)
    first, second = scanner_rows(study)
    study.close()
    assert first.scanner == Scanner("MR1", "3 T", "STIR", "m@1", "2026-10")
    assert (first.scans, first.findings, first.findings_per_scan) == (2, 3, 1.5)
    assert (first.accepted_count, first.rejected_count, first.unsure_count) == (1, 2, 0)
    assert first.rejected_share == pytest.approx(2 / 3)
    assert first.reasons == {"artefact": 1}
    assert (first.familiarity, first.unfamiliar) == (1.0, 1)
    assert (second.scanner.month, second.scans, second.findings) == ("2026-11", 1, 0)
    assert (second.rejected_share, second.familiarity) == (None, None)
    section = scanner_section([first, second])
    table, picture = section.blocks
    assert table.rows[0][4:] == (  # type: ignore[union-attr]
        "2",
        "1.50",
        "2 of 3 (67%)",
        "artefact 1",
        "1.00, 1 beyond the limit",
    )
    assert picture.name == "scanners"  # type: ignore[union-attr]


def test_facts_of_a_scan_name_no_patient(make_series: Callable[..., Any]) -> None:
    """Of the date the month alone; make and model where the station has no name."""
    facts = {
        "Manufacturer": "Maker",
        "ManufacturerModelName": "Big",
        "MagneticFieldStrength": "1.5",
        "StudyDate": "20261103",
        "ProtocolName": "t2 tirm sag",
    }
    assert scan_facts(make_series(facts=facts)) == {
        "station": "Maker Big",
        "field": "1.5 T",
        "protocol": "t2 tirm sag",
        "month": "2026-11",
    }
    named = scan_facts(make_series(facts={**facts, "StationName": "MR1", "StudyDate": "?"}))
    assert (named["station"], named["month"]) == ("MR1", "")
