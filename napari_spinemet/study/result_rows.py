"""What networks found, and what a person said of it: models, runs, detections, verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import SpinemetError
from ..imaging import Finding, OperatingPoint
from .audit import Row, digest, subject_of
from .store import Store

VERDICTS = ("accepted", "rejected", "unsure")
REASONS = ("haemangioma", "endplate change", "vessel or organ", "artefact", "other")
"""Why a finding is rejected."""


@dataclass(frozen=True)
class RunRecord:
    """One detection on a case.

    Attributes
    ----------
    number : int
        Of the run in its study.
    case, model : str
        Name of the case and identity of the model.
    settings : mapping
        The operating point and whatever else the result depends on.
    seconds : float
        How long it took.
    run_by, run_at : str
        Who ran it, and when (ISO 8601, UTC).
    """

    number: int
    case: str
    model: str
    settings: Mapping[str, Any]
    seconds: float
    run_by: str
    run_at: str

    @property
    def operating_point(self) -> OperatingPoint:
        """The operating point among its settings."""
        names = ("threshold", "min_area_cm2", "weight", "gate", "second_look")
        return OperatingPoint(**{k: self.settings[k] for k in names if k in self.settings})


@dataclass(frozen=True)
class DetectionRecord:
    """One region that a network proposed in one slice, as it was reported.

    Attributes
    ----------
    finding : int
        Which finding of the run it belongs to, from 0.
    slice : int
    area_cm2, peak, mean : float
    centre_mm : tuple of float
        Patient LPS.
    """

    finding: int
    slice: int
    area_cm2: float
    peak: float
    mean: float
    centre_mm: tuple[float, float, float]


@dataclass(frozen=True)
class VerdictRecord:
    """What a person said of a finding.

    Attributes
    ----------
    verdict : {"accepted", "rejected", "unsure", ""}
        Empty where an earlier one was taken back.
    centre_mm : tuple of float
        Of the finding, patient LPS: where it lies is what it is known by, since the next
        run numbers its findings anew.
    reader, given_by, given_at : str
    run : int or None
        The run that it was given on; None for a finding that a person added.
    reason : str
        One of :data:`REASONS`, of what is rejected; empty where none was given.
    """

    verdict: str
    centre_mm: tuple[float, float, float]
    reader: str = ""
    given_by: str = ""
    given_at: str = ""
    run: int | None = None
    reason: str = ""


class ResultRows:
    """Models, runs, detections and verdicts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save_model(self, identity: str, name: str, card: str, *, who: str = "") -> None:
        """Remember a model by its identity, with its card as it is now.

        Parameters
        ----------
        identity, name : str
        card : str
            As JSON; replaces the former one.
        who : str
            Who adds it; the user of the computer by default.

        Raises
        ------
        SpinemetError
            If nothing can be saved.
        """
        if self.models().get(identity) == (name, card):
            return
        with self._store.writing(who) as change:
            change.execute(
                "INSERT INTO models VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                "name = excluded.name, card = excluded.card",
                *(identity, name, card, change.who, change.timestamp),
            )
            change.note("model", {"model": identity}, _model_digest(name, card))

    def models(self) -> dict[str, tuple[str, str]]:
        """(name, card as JSON) of each model by its identity."""
        rows = self._store.select("SELECT identity, name, card FROM models ORDER BY name, identity")
        return {identity: (name, card) for identity, name, card in rows}

    def set_default_model(self, identity: str, *, who: str = "") -> None:
        """Make a model that :meth:`save_model` has seen the one that detection begins with.

        Parameters
        ----------
        identity : str
        who : str
            Who chooses it; the user of the computer by default.

        Raises
        ------
        SpinemetError
            If the model is unknown.
        """
        self._refuse_unknown_model(identity)
        with self._store.writing(who) as change:
            change.execute(
                "INSERT INTO default_model VALUES (1, ?) ON CONFLICT DO UPDATE SET "
                "model = excluded.model",
                identity,
            )
            change.note("default model", {}, digest(identity))

    @property
    def default_model(self) -> str:
        """Identity of the model that detection begins with; empty where none was chosen."""
        rows = self._store.select("SELECT model FROM default_model")
        return str(rows[0][0]) if rows else ""

    def _refuse_unknown_model(self, identity: str) -> None:
        if not self._store.select("SELECT 1 FROM models WHERE identity = ?", identity):
            raise SpinemetError(f"The study does not know the model {identity}; add it first.")

    def save_run(
        self,
        case: str,
        model: str,
        settings: Mapping[str, Any],
        findings: Sequence[Finding],
        *,
        seconds: float = 0.0,
        who: str = "",
    ) -> int:
        """Store what a model proposed on a case; gives the number of the run.

        Parameters
        ----------
        case, model : str
            Name of the case and identity of a model that :meth:`save_model` has seen.
        settings : mapping
            Plain values.
        findings : sequence of Finding
            Of which the detections are stored, without their outlines.
        seconds : float
            How long it took.
        who : str
            Who ran it; the user of the computer by default.

        Raises
        ------
        SpinemetError
            If the case or the model is unknown.
        """
        case_id, _ = self._store.case_id(case)
        self._refuse_unknown_model(model)
        settings_json = json.dumps(dict(settings), sort_keys=True, ensure_ascii=False)
        detections = [(k, d) for k, finding in enumerate(findings) for d in finding.detections]
        rows = [
            (number, finding, int(d.slice), *_plain((d.area_cm2, d.peak, d.mean, *d.centre_mm)))
            for number, (finding, d) in enumerate(detections)
        ]
        with self._store.writing(who) as change:
            run = change.execute(
                "INSERT INTO runs (case_id, model, settings, seconds, run_by, run_at) "
                "VALUES (?,?,?,?,?,?)",
                *(case_id, model, settings_json, float(seconds), change.who, change.timestamp),
            ).lastrowid
            assert run is not None
            for row in rows:
                change.execute("INSERT INTO detections VALUES (?,?,?,?,?,?,?,?,?,?)", run, *row)
            content = _run_digest(model, settings_json, rows)
            change.note("run", {"case": case, "run": run}, content)
        return run

    def runs(self, case: str) -> list[RunRecord]:
        """The runs on a case, oldest first."""
        case_id, _ = self._store.case_id(case)
        return [
            RunRecord(number, case, model, json.loads(settings), seconds, by, at)
            for number, model, settings, seconds, by, at in self._store.select(
                "SELECT id, model, settings, seconds, run_by, run_at FROM runs "
                "WHERE case_id = ? ORDER BY id",
                case_id,
            )
        ]

    def detections(self, run: int) -> list[DetectionRecord]:
        """What a run proposed, finding by finding."""
        return [
            DetectionRecord(finding, index, area, peak, mean, (x, y, z))
            for _, finding, index, area, peak, mean, x, y, z in self._detection_rows(run)
        ]

    def _detection_rows(self, run: int) -> list[tuple[Any, ...]]:
        return self._store.select(
            "SELECT number, finding, slice, area_cm2, peak, mean, x_mm, y_mm, z_mm "
            "FROM detections WHERE run_id = ? ORDER BY number",
            run,
        )

    def save_verdict(
        self,
        case: str,
        centre_mm: Sequence[float],
        verdict: str,
        *,
        reason: str = "",
        reader: str = "",
        run: int | None = None,
        who: str = "",
    ) -> None:
        """Store what a person says of a finding; former verdicts stay and count no more.

        Parameters
        ----------
        case : str
            Its name.
        centre_mm : sequence of float
            Of the finding, patient LPS.
        verdict : {"accepted", "rejected", "unsure", ""}
            Empty takes the former one back.
        reason : str
            One of :data:`REASONS`, of what is rejected; empty where none is given.
        reader : str
            Whose; empty for those that the study itself works with.
        run : int, optional
            The run that proposed the finding.
        who : str
            Who says so; the user of the computer by default.

        Raises
        ------
        SpinemetError
            If there is no such case, or it cannot be saved.
        """
        if verdict not in (*VERDICTS, ""):
            raise ValueError(f"A verdict is one of {', '.join(VERDICTS)}, not {verdict!r}.")
        if reason and (verdict != "rejected" or reason not in REASONS):
            raise ValueError(f"What is rejected has a reason of {', '.join(REASONS)}.")
        case_id, _ = self._store.case_id(case)
        x, y, z = _plain(centre_mm)
        with self._store.writing(who) as change:
            number = change.execute(
                "INSERT INTO verdicts (case_id, run_id, reader, verdict, x_mm, y_mm, z_mm, "
                "given_by, given_at, reason) VALUES (?,?,?,?,?,?,?,?,?,?)",
                *(case_id, run, reader, verdict, x, y, z, change.who, change.timestamp, reason),
            ).lastrowid
            subject = {"case": case, "verdict": number}
            change.note("verdict", subject, _verdict_digest(run, reader, verdict, x, y, z, reason))

    def verdicts(self, case: str, *, reader: str = "") -> list[VerdictRecord]:
        """All verdicts on a case, oldest first; the last on a position counts.

        Parameters
        ----------
        case : str
            Its name.
        reader : str
            Whose; empty for those that the study itself works with.

        Raises
        ------
        SpinemetError
            If there is no such case.
        """
        case_id, _ = self._store.case_id(case)
        return [
            VerdictRecord(verdict, (x, y, z), whose, by, at, run, reason)
            for run, whose, verdict, x, y, z, by, at, reason in self._store.select(
                "SELECT run_id, reader, verdict, x_mm, y_mm, z_mm, given_by, given_at, reason "
                "FROM verdicts WHERE case_id = ? AND reader = ? ORDER BY id",
                *(case_id, reader),
            )
        ]

    def row_hashes(self) -> Iterator[tuple[Row, str]]:
        """The hash of every row that the trail speaks of."""
        for identity, (name, card) in self.models().items():
            yield ("model", subject_of({"model": identity})), _model_digest(name, card)
        if self.default_model:
            yield ("default model", subject_of({})), digest(self.default_model)
        for number, case, model, settings in self._store.select(
            "SELECT runs.id, name, model, settings FROM runs JOIN cases ON cases.id = case_id"
        ):
            content = _run_digest(model, settings, self._detection_rows(number))
            yield ("run", subject_of({"case": case, "run": number})), content
        for number, case, *facts in self._store.select(
            "SELECT verdicts.id, name, run_id, reader, verdict, x_mm, y_mm, z_mm, reason "
            "FROM verdicts JOIN cases ON cases.id = case_id"
        ):
            yield (
                ("verdict", subject_of({"case": case, "verdict": number})),
                _verdict_digest(*facts),
            )


def _plain(values: Sequence[float]) -> list[float]:
    """Floats as SQLite gives them back: minus nought is nought."""
    return [float(v) + 0.0 for v in values]


def _model_digest(name: str, card: str) -> str:
    return digest(json.dumps([name, card], ensure_ascii=False))


def _run_digest(model: str, settings: str, rows: Sequence[tuple[Any, ...]]) -> str:
    return digest(json.dumps([model, settings, [list(row) for row in rows]], ensure_ascii=False))


def _verdict_digest(*facts: Any) -> str:
    *others, reason = facts
    # Verdicts without a reason have the hash that they had before there were any.
    return digest(json.dumps(facts if reason else others, ensure_ascii=False))
