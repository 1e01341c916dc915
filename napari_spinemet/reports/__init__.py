"""Reports of a scan and of a study, each one HTML file with its tables and figures beside it."""

from .case_report import CaseRequest, report_case, write_case_report
from .evidence import CaseEvidence, StudyEvidence, case_evidence
from .study_report import write_curve_report, write_study_report

__all__ = [
    "CaseEvidence",
    "CaseRequest",
    "StudyEvidence",
    "case_evidence",
    "report_case",
    "write_case_report",
    "write_curve_report",
    "write_study_report",
]
