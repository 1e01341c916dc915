"""What was found, and rejected, by scanner and month: so that drift is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..imaging import SagittalSeries
from ..study import Case, Study
from ..study.result_rows import RunRecord, VerdictRecord

UNKNOWN = "not known"
SCAN_FACTS, FAMILIARITY = "scan", "familiarity"
"""Keys in the settings of a run."""


class Scanner(NamedTuple):
    """What scans are grouped by.

    Attributes
    ----------
    station, field, protocol, model, month : str
        Of the scanner and its sequence; the identity of the model; ``2026-11``, of the scan.
    """

    station: str
    field: str
    protocol: str
    model: str
    month: str

    @property
    def title(self) -> str:
        """What its months are followed under."""
        return f"{self.station}, {self.field}, {self.protocol}, {self.model}"


@dataclass(frozen=True)
class ScannerRow:
    """Detections of one model on one scanner, protocol and month.

    Attributes
    ----------
    scanner : Scanner
    scans : int
    findings : int
        In all of these.
    accepted_count, rejected_count, unsure_count : int
        Of those that were judged.
    reasons : mapping of str to int
        Why findings were rejected, as far as that was said.
    familiarity : float or None
        Mean score, see :class:`.Familiarity`; None where none of the scans has one.
    unfamiliar : int
        Scans beyond its limit.
    """

    scanner: Scanner
    scans: int
    findings: int
    accepted_count: int
    rejected_count: int
    unsure_count: int
    reasons: Mapping[str, int]
    familiarity: float | None
    unfamiliar: int

    @property
    def judged_count(self) -> int:
        """Findings with a verdict."""
        return self.accepted_count + self.rejected_count + self.unsure_count

    @property
    def rejected_share(self) -> float | None:
        """Of the judged ones; None where none was judged."""
        return self.rejected_count / self.judged_count if self.judged_count else None

    @property
    def findings_per_scan(self) -> float:
        """Mean."""
        return self.findings / self.scans


def scan_facts(series: SagittalSeries) -> dict[str, str]:
    """What a run keeps of the scanner: nothing of the patient, and of the date the month alone.

    Parameters
    ----------
    series : SagittalSeries
    """
    facts = {name: str(value).strip() for name, value in series.facts.items()}
    names = (facts.get("Manufacturer", ""), facts.get("ManufacturerModelName", ""))
    date = facts.get("StudyDate", "")
    field = facts.get("MagneticFieldStrength", "")
    return {
        "station": facts.get("StationName", "") or " ".join(filter(None, names)),
        "field": f"{field} T" if field else "",
        "protocol": facts.get("ProtocolName", "") or series.description,
        "month": f"{date[:4]}-{date[4:6]}" if len(date) >= 6 and date[:6].isdigit() else "",
    }


def scanner_rows(study: Study) -> list[ScannerRow]:
    """One row for each scanner, protocol, model and month, the oldest month first.

    Of each case the last run of each model counts; verdicts belong to the run on which they were
    given.

    Parameters
    ----------
    study : Study
    """
    if study.database is None:
        return []
    groups: dict[Scanner, list[_JudgedRun]] = {}
    for case in study.cases():
        if case.record is None:
            continue
        for run in _last_runs(study, case):
            groups.setdefault(_scanner_of(run), []).append(_JudgedRun.of(study, case, run))
    rows = [_row(scanner, runs) for scanner, runs in groups.items()]
    return sorted(rows, key=lambda r: (r.scanner.station, r.scanner.protocol, r.scanner.month))


def _last_runs(study: Study, case: Case) -> list[RunRecord]:
    assert study.database is not None
    by_model: dict[str, RunRecord] = {}
    for run in study.database.results.runs(case.name):
        former = by_model.get(run.model)
        kept_names = (SCAN_FACTS, FAMILIARITY)  # a signature is a run too, and measures nothing
        known_settings = (
            {}
            if former is None
            else {k: former.settings[k] for k in kept_names if k in former.settings}
        )
        by_model[run.model] = replace(run, settings={**known_settings, **run.settings})
    return list(by_model.values())


@dataclass(frozen=True, eq=False)
class _JudgedRun:
    """A run, how many findings it has, and what was said of them."""

    settings: Mapping[str, Any]
    findings: int
    verdicts: Sequence[VerdictRecord]

    @classmethod
    def of(cls, study: Study, case: Case, run: RunRecord) -> _JudgedRun:
        """The last verdict on each place counts that was given on a run of the same model."""
        assert study.database is not None
        results = study.database.results
        own = {r.number for r in results.runs(case.name) if r.model == run.model}
        by_place: dict[tuple[float, float, float], VerdictRecord] = {}
        for record in results.verdicts(case.name):
            by_place.pop(record.centre_mm, None)
            if record.verdict and record.run in own:
                by_place[record.centre_mm] = record
        findings = {detection.finding for detection in results.detections(run.number)}
        return cls(run.settings, len(findings), list(by_place.values()))


def _scanner_of(run: RunRecord) -> Scanner:
    facts = run.settings.get(SCAN_FACTS)
    facts = facts if isinstance(facts, Mapping) else {}
    names = ("station", "field", "protocol")
    station, field, protocol = (str(facts.get(name) or UNKNOWN) for name in names)
    return Scanner(station, field, protocol, run.model, str(facts.get("month") or UNKNOWN))


def _row(scanner: Scanner, runs: Sequence[_JudgedRun]) -> ScannerRow:
    verdicts = [verdict for run in runs for verdict in run.verdicts]
    counts = {
        kind: sum(v.verdict == kind for v in verdicts)
        for kind in ("accepted", "rejected", "unsure")
    }
    reasons: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.reason:
            reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1
    records = [run.settings.get(FAMILIARITY) for run in runs]
    known_settings = [record for record in records if isinstance(record, Mapping)]
    scores = [float(record["score"]) for record in known_settings]
    return ScannerRow(
        scanner,
        len(runs),
        sum(run.findings for run in runs),
        counts["accepted"],
        counts["rejected"],
        counts["unsure"],
        reasons,
        sum(scores) / len(scores) if scores else None,
        sum(bool(record["unfamiliar"]) for record in known_settings),
    )
