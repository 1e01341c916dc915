"""A case with all that belongs to it: what networks found on it, and what a person said of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import SpinemetError
from ...imaging import Finding, SagittalSeries
from ..database import FINDINGS_DETECTED, FINDINGS_REVIEWED, FINDINGS_SIGNED, StudyDatabase
from ..result_rows import RunRecord
from ..store import user
from ..verdicts import VerdictBook
from .contours import CaseContours


class Case(CaseContours):
    """One case of a study: its scan, its contours, and the results on it."""

    def save_run(
        self,
        series: SagittalSeries,
        model: tuple[str, str, str],
        settings: Mapping[str, Any],
        findings: Sequence[Finding],
        seconds: float,
    ) -> int:
        """Store what a model found; gives the number of the run.

        Parameters
        ----------
        series : SagittalSeries
            The scan that it ran on.
        model : tuple of str
            Identity, name, and card as JSON.
        settings : mapping
            What the result depends on: plain values.
        findings : sequence of Finding
        seconds : float
            How long it took.

        Raises
        ------
        SpinemetError
            If nothing can be saved.
        """
        database, missing_record = self.writable_database(), self._missing_record(series)
        with database.transaction():
            self._enter_record(missing_record)
            return self._store_run(database, model, settings, findings, seconds)

    def _store_run(
        self,
        database: StudyDatabase,
        model: tuple[str, str, str],
        settings: Mapping[str, Any],
        findings: Sequence[Finding],
        seconds: float,
    ) -> int:
        identity, name, card = model
        database.results.save_model(identity, name, card)
        run = database.results.save_run(self.name, identity, settings, findings, seconds=seconds)
        database.set_findings(self.name, FINDINGS_DETECTED)
        return run

    @property
    def last_run(self) -> RunRecord | None:
        """What was detected last."""
        if self.database is None or self.record is None:
            return None
        runs = self.database.results.runs(self.name)
        return runs[-1] if runs else None

    def verdicts(self) -> VerdictBook:
        """What has been said of its findings."""
        if self.database is None or self.record is None:
            return VerdictBook()
        return VerdictBook(self.database.results.verdicts(self.name))

    def judge(
        self,
        series: SagittalSeries,
        centre_mm: Sequence[float],
        verdict: str,
        *,
        all_judged: bool,
        model: str = "",
        reason: str = "",
    ) -> None:
        """Store the verdict on a finding; what was signed is so no more.

        Parameters
        ----------
        series : SagittalSeries
            The scan that it is on.
        centre_mm : sequence of float
            Of the finding, patient LPS; see :meth:`.VerdictBook.position_of`.
        verdict : {"accepted", "rejected", "unsure", ""}
            Empty takes the former one back.
        all_judged : bool
            Whether each finding on the screen has a verdict now: then the case is reviewed.
        model : str
            Identity of the one that found it.
        reason : str
            Why it is rejected, see :data:`.REASONS`.

        Raises
        ------
        SpinemetError
            If nothing can be saved.
        """
        database, missing_record = self.writable_database(), self._missing_record(series)
        with database.transaction():
            record = self._enter_record(missing_record)
            runs = [r for r in database.results.runs(self.name) if r.model == model]
            run = runs[-1].number if runs else None
            database.results.save_verdict(self.name, centre_mm, verdict, reason=reason, run=run)
            state = FINDINGS_REVIEWED if all_judged else FINDINGS_DETECTED
            if record.findings != state:
                database.set_findings(self.name, state)

    def sign(
        self,
        series: SagittalSeries,
        model: tuple[str, str, str],
        settings: Mapping[str, Any],
        findings: Sequence[Finding],
        reader: str = "",
    ) -> None:
        """Sign the verdicts on findings; these are stored as they were on the screen.

        Another verdict, or another detection, takes it back.

        Parameters
        ----------
        series : SagittalSeries
            The scan that they are on.
        model : tuple of str
            Identity, name, and card as JSON.
        settings : mapping
            What the result depends on: plain values.
        findings : sequence of Finding
        reader : str
            Who signs; the trail and the signature also name the user of the computer, since a
            name can be typed by anybody. That user alone by default.

        Raises
        ------
        SpinemetError
            If one of the findings has no verdict, or nothing can be saved.
        """
        database, missing_record = self.writable_database(), self._missing_record(series)
        with database.transaction():
            self._enter_record(missing_record)
            # Within the transaction: a verdict that is taken back meanwhile is not signed.
            verdicts = self.verdicts().of([f.centre_mm for f in findings])
            if not all(verdicts):
                raise SpinemetError(
                    f"{verdicts.count('')} of the {len(verdicts)} findings of {self.name} have no "
                    "verdict yet; judge them, then sign."
                )
            self._store_run(database, model, {**settings, "signed": True}, findings, 0.0)
            who = f"{reader} (as {user()})" if reader and reader != user() else ""
            database.set_findings(self.name, FINDINGS_SIGNED, who)
