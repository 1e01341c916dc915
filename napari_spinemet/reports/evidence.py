"""What the report of a scan is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..detection import DetectionResult
from ..detection.findings import level_of
from ..evaluation import FrocCurve
from ..imaging import Annotation, Finding, SagittalSeries
from ..network.card import ModelCard
from ..study import Case, Study
from ..study.result_rows import VerdictRecord
from .facts import when


@dataclass(frozen=True, eq=False)
class CaseEvidence:
    """What the report of a scan is made of.

    Attributes
    ----------
    name : str
        Of the case or the scan.
    series : SagittalSeries
    result : DetectionResult
        At the operating point that is reported, with the outlines that were seen.
    refined : bool
        Whether these are fitted to the picture.
    card : ModelCard or None
    annotation : Annotation or None
        Contours of a person.
    verdicts : sequence of str
        On each of the findings; empty where there is none.
    given : sequence of VerdictRecord
        All verdicts on the case as they were given.
    study, state, signed : str
        Name of the study, how far the case is, and who has signed when; empty without.
    scan_hash, trail : str
        Hash of the scan's files, and the end of the audit trail.
    curve : (name, FrocCurve) or None
        Of a study, to say what the operating point gives elsewhere.
    """

    name: str
    series: SagittalSeries
    result: DetectionResult
    refined: bool = False
    card: ModelCard | None = None
    annotation: Annotation | None = None
    verdicts: Sequence[str] = ()
    given: Sequence[VerdictRecord] = ()
    study: str = ""
    state: str = ""
    signed: str = ""
    scan_hash: str = ""
    trail: str = ""
    curve: tuple[str, FrocCurve] | None = None

    @property
    def findings(self) -> list[Finding]:
        """With level and verdict."""
        verdicts = list(self.verdicts) or [""] * len(self.result.findings)
        annotation = self.annotation
        return [
            replace(
                finding,
                verdict=verdict,
                level=level_of(finding, self.series, annotation) if annotation else "",
            )
            for finding, verdict in zip(self.result.findings, verdicts, strict=True)
        ]


def case_evidence(
    study: Study,
    case: Case,
    series: SagittalSeries,
    result: DetectionResult,
    annotation: Annotation | None,
    **more: object,
) -> CaseEvidence:
    """Evidence of a case, with all that its study holds of it.

    Parameters
    ----------
    study : Study
    case : Case
    series : SagittalSeries
    result : DetectionResult
    annotation : Annotation or None
    **more
        Further attributes of :class:`CaseEvidence`.
    """
    record, database = case.record, case.database
    given: Sequence[VerdictRecord] = ()
    signed = trail = ""
    if record is not None and database is not None:
        given = database.results.verdicts(case.name)
        if record.findings == "signed":
            signed = f"by {record.findings_by} on {when(record.findings_at)}"
        trail = database.trail_end
    return CaseEvidence(
        name=case.name,
        series=series,
        result=result,
        annotation=annotation,
        verdicts=case.verdicts().of([f.centre_mm for f in result.findings]),
        given=given,
        study=study.path.resolve().name,
        state=str(case.state),
        signed=signed,
        scan_hash=record.content_hash if record is not None else "",
        trail=trail,
        **more,  # type: ignore[arg-type]
    )
