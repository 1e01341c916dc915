"""What the reports of a scan and of a study are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..detection import DetectionResult
from ..detection.findings import level_of
from ..evaluation import FrocCurve
from ..evaluation.matching import PAPER_MATCHING, Matching
from ..imaging import Annotation, Examination, Finding, OperatingPoint, SagittalSeries, ScanWarning
from ..imaging.comparison import Evidence
from ..network.card import ModelCard
from ..network.provenance import NOTHING_KNOWN, OUT_OF_FOLD, provenance_sentence
from ..study import Case, Study
from ..study.database import FINDINGS_SIGNED
from ..study.map_identity import MapIdentity
from ..study.result_rows import VerdictRecord
from ..study.verdicts import NO_VERDICT, Verdict
from ..workflows.study_froc import SystemCurve
from .facts import format_time


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
    has_fitted_outlines : bool
        Whether these are fitted to the picture.
    card : ModelCard or None
    annotation : Annotation or None
        Contours of a person.
    verdicts : sequence of Verdict
        On each of the findings.
    verdict_records : sequence of VerdictRecord
        All verdicts on the case as they were given.
    study, state, signature : str
        Name of the study, how far the case is, and who has signed when; empty without.
    scan_hash, trail : str
        Hash of the scan's files, and the end of the audit trail.
    curve : (name, FrocCurve) or None
        Of a study, to say what the operating point gives elsewhere.
    other : SagittalSeries or None
        Another series of the examination, such as the T1.
    other_contrasts : mapping of Evidence to float
        Brightness in it over that of healthy marrow, by what a finding was compared by.
    hides_names : bool
        Whether it will be shown to others: it then says neither whose scan it is nor of when.
    """

    name: str
    series: SagittalSeries
    result: DetectionResult
    has_fitted_outlines: bool = False
    card: ModelCard | None = None
    annotation: Annotation | None = None
    verdicts: Sequence[Verdict] = ()
    verdict_records: Sequence[VerdictRecord] = ()
    study: str = ""
    state: str = ""
    signature: str = ""
    scan_hash: str = ""
    trail: str = ""
    curve: tuple[str, FrocCurve] | None = None
    other: SagittalSeries | None = None
    other_contrasts: Mapping[Evidence, float] = field(default_factory=dict)
    hides_names: bool = False

    def other_contrast_text(self, finding: Finding) -> str:
        """How bright a finding is in the other series, for a table.

        Parameters
        ----------
        finding : Finding
        """
        evidence = finding.evidence
        contrast = None if evidence is None else self.other_contrasts.get(evidence)
        return "–" if contrast is None else f"{contrast:.2g} x"

    @property
    def examination(self) -> Examination:
        """Whose scan it is and of when, as far as the report may say so."""
        examination = self.series.examination
        return examination.without_identity(self.name) if self.hides_names else examination

    @property
    def warnings(self) -> list[ScanWarning]:
        """Of the scan and of the result, each once: a map from elsewhere may hold none."""
        return list(dict.fromkeys((*self.series.warnings, *self.result.warnings)))

    @property
    def learned_from(self) -> str:
        """What the model has learned from, in a sentence."""
        return self.result.plain.learned_from or _provenance(self.card)

    @property
    def findings(self) -> list[Finding]:
        """With level and verdict."""
        verdicts = list(self.verdicts) or [NO_VERDICT] * len(self.result.findings)
        annotation = self.annotation
        return [
            replace(
                finding,
                verdict=verdict.verdict,
                reason=verdict.reason,
                level=level_of(finding, self.series, annotation) if annotation else "",
            )
            for finding, verdict in zip(self.result.findings, verdicts, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class StudyEvidence:
    """What the report of a study is made of.

    Attributes
    ----------
    study : Study
    identity : MapIdentity
        Of the maps that the curve was drawn from.
    system : SystemCurve
        With its trees, unless the study is too large for that.
    matching : Matching
    card : ModelCard or None
        Of the model; of one network of a cross-validation; None if it is not at hand.
    """

    study: Study
    identity: MapIdentity
    system: SystemCurve
    matching: Matching = PAPER_MATCHING
    card: ModelCard | None = None

    @property
    def point(self) -> OperatingPoint:
        """That cases and curves are told at."""
        return self.system.point

    @property
    def learned_from(self) -> str:
        """What the model, or each network of a cross-validation, has learned from."""
        return OUT_OF_FOLD if self.identity.is_cross_validation else _provenance(self.card)


def case_evidence(
    study: Study,
    case: Case,
    series: SagittalSeries,
    result: DetectionResult,
    annotation: Annotation | None,
) -> CaseEvidence:
    """Evidence of a case, with all that its study holds of it.

    Parameters
    ----------
    study : Study
        Of the case; only read here.
    case : Case
    series : SagittalSeries
        Its scan.
    result : DetectionResult
        On that scan, at the operating point that is reported.
    annotation : Annotation or None
        The contours that the case is compared with; None for none.
    """
    record, database = case.record, case.database
    verdict_records: Sequence[VerdictRecord] = ()
    signature = trail = ""
    if record is not None and database is not None:
        verdict_records = database.results.verdicts(case.name)
        if record.findings == FINDINGS_SIGNED:
            signature = f"by {record.findings_by} on {format_time(record.findings_at)}"
        trail = database.trail_end
    return CaseEvidence(
        name=case.name,
        series=series,
        result=result,
        annotation=annotation,
        verdicts=case.verdicts().with_reasons([f.centre_mm for f in result.findings]),
        verdict_records=verdict_records,
        study=study.path.resolve().name,
        state=str(case.state),
        signature=signature,
        scan_hash=record.content_hash if record is not None else "",
        trail=trail,
    )


def _provenance(card: ModelCard | None) -> str:
    return NOTHING_KNOWN if card is None else provenance_sentence(card)
