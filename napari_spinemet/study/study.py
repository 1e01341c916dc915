"""A study on disk: one folder a case with its scan, and one database of them all.

``make_cohort`` writes this layout, and so does a case that is imported::

    study/
      study.sqlite                   contours slice by slice, states, results, the audit trail
      case-001/scan/...              DICOM, never written to once it is there
      case-001/contours/...          DICOM SEG: what the contours were before the first stroke
      models/NAME.safetensors        with its card
      likelihood/MODEL/case-001.npz  plain likelihood maps, made again if lost

A case may also be referred to: its scan stays where it is, and the database has its path and a
hash of its content.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..dicom import list_series
from ..dicom.reading import content_hash
from ..errors import SpinemetError
from ..imaging import Annotation, LikelihoodMap, SagittalSeries
from .case.results import Case
from .case.scan import CaseState
from .case.scan_copy import copy_scan
from .database import CaseRecord, StudyDatabase
from .likelihood_maps import load_likelihood_map, save_likelihood_map
from .map_identity import MapIdentity
from .store import FILE


class Study:
    """A folder of cases.

    Parameters
    ----------
    path : path-like
        The folder; it must exist unless ``create`` is true.
    create : bool
        Make the folder if it is missing.
    write : bool
        Contours will be saved: one program at a time may, see :class:`.StudyDatabase`. Whoever
        opened the study closes it.

    Attributes
    ----------
    database : StudyDatabase or None
        None where nothing was ever saved and nothing is to be.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, create: bool = False, write: bool = False
    ) -> None:
        self.path = Path(path)
        if create:
            self.path.mkdir(parents=True, exist_ok=True)
        if not self.path.is_dir():
            raise SpinemetError(f"There is no study at {self.path}; check the path.")
        self.database: StudyDatabase | None = None
        self._write = write
        self._one_import = threading.Lock()
        if (self.path / FILE).is_file() or (write and os.access(self.path, os.W_OK)):
            self.database = StudyDatabase(self.path, write=write)

    @property
    def read_only_reason(self) -> str:
        """Why contours cannot be saved here, in a sentence; empty where they can."""
        database = self.database
        if database is None and not self._write:
            return "The study was opened for reading."
        if database is None:
            return f"The folder {self.path} is read-only, so nothing can be saved in this study."
        return database.read_only_reason

    @property
    def recovery_message(self) -> str:
        """What was saved by a program that did not end as it should, in a sentence."""
        database = self.database
        return database.recovery_message if database is not None else ""

    def close(self) -> None:
        """Let another program write; any thread may ask for it, whatever the others do."""
        database = self.database
        if database is not None:
            database.close()
            self.database = None

    def states(self) -> list[tuple[Case, CaseState]]:
        """Every case with its state, in one look."""
        records = self._records()
        return [(case, case.state_in(records.get(case.name))) for case in self._cases(records)]

    def cases(self) -> list[Case]:
        """The cases, by name."""
        return self._cases(self._records())

    def _records(self) -> dict[str, CaseRecord]:
        # Another thread may close the study between two looks at the attribute.
        database = self.database
        return {r.name: r for r in database.cases()} if database is not None else {}

    def _cases(self, records: dict[str, CaseRecord]) -> list[Case]:
        # A name with a dot in front is an import that was cut short.
        folders = {
            p.name
            for p in self.path.iterdir()
            if not p.name.startswith(".") and (p / "scan").is_dir()
        }
        references = {name for name, record in records.items() if not record.is_copy}
        return [Case(self.path / name, self.database) for name in sorted(folders | references)]

    def case(self, name: str) -> Case:
        """A case by its name.

        Raises
        ------
        SpinemetError
            If there is none of that name.
        """
        for case in self.cases():
            if case.name == name:
                return case
        raise SpinemetError(f"The study {self.path} has no case {name}; see 'spinemet study list'.")

    def case_of(self, series_uid: str, stack: int = 1) -> Case | None:
        """The case that holds a volume of a series, if any.

        Parameters
        ----------
        series_uid : str
            DICOM SeriesInstanceUID.
        stack : int
            Which of its volumes, from 1.
        """
        records = self._records()
        for case in self._cases(records):
            record = records.get(case.name)
            if record is not None:
                if (record.series_uid, record.stack) == (series_uid, stack):
                    return case
                continue
            with suppress(SpinemetError):  # a case that cannot be read is not the one
                summaries = list_series(case.path / "scan")
                if (series_uid, stack) in {(s.series_uid, s.stack) for s in summaries}:
                    return case
        return None

    def verify(self) -> list[str]:
        """What is wrong with the study, a sentence each: rows, trail, and files of the scans."""
        database = self.database
        faults = database.verify() if database is not None else []
        return faults + [fault for case in self.cases() if (fault := case.scan_fault())]

    def contoured_cases(
        self, names: Sequence[str] | None = None
    ) -> Iterator[tuple[Case, SagittalSeries, Annotation]]:
        """Read the contoured cases one after the other.

        Parameters
        ----------
        names : sequence of str, optional
            Of those to read.

        Raises
        ------
        SpinemetError
            If the study has no case, or none with contours, or one that is named has none.
        """
        cases = self.cases()
        if not cases:
            raise SpinemetError(
                f"There are no cases in {self.path}; choose a folder that holds one folder a "
                "case, each with a folder 'scan'."
            )
        cases_with_contours = [case for case, state in self.states() if state.has_contours]
        if not cases_with_contours:
            raise SpinemetError(
                f"None of the {len(cases)} cases in {self.path} has contours; draw some first."
            )
        if names is not None:
            without_contours = set(names) - {case.name for case in cases_with_contours}
            if without_contours:
                raise SpinemetError(
                    f"There are no contours of {', '.join(sorted(without_contours))} in "
                    f"{self.path}; draw them first, or leave them out."
                )
            cases_with_contours = [case for case in cases_with_contours if case.name in names]
        for case in cases_with_contours:
            series = case.series()
            yield case, series, case.annotation(series)

    def import_scan(
        self, source: str | os.PathLike[str], series: SagittalSeries, *, copy: bool = True
    ) -> Case:
        """Make a scan a new case; a series that is there already is returned as it is.

        Strokes are saved while another thread imports; two imports are one after the other.

        Parameters
        ----------
        source : path-like
            Folder, file or zip that holds the series.
        series : SagittalSeries
            As read from there.
        copy : bool
            Copy the images into the study: the case appears whole or not at all. Else they
            stay where they are, and the study stores their path and a hash of the content.

        Raises
        ------
        SpinemetError
            If the images cannot be copied, or the study cannot store their path.
        """
        # Else two of them would take the same number for their cases.
        with self._one_import:
            case_with_series = self.case_of(series.series_uid, series.stack)
            if case_with_series is not None:
                return case_with_series
            case = Case(self.path / self._next_name(), self.database)
            if not copy:
                self._refer(case, Path(source), series)
                return case
            copy_scan(Path(source), series, case.path)
            if case.database is not None and case.database.writable:
                case.ensure_record(series)
            return case

    def _next_name(self) -> str:
        """A name that no case has or had: folders without a scan count as well."""
        names = [p.name for p in self.path.iterdir()] + list(self._records())
        matches = [re.fullmatch(r"case-([0-9]+)", name) for name in names]
        number = max((int(match[1]) for match in matches if match), default=0) + 1
        return f"case-{number:03d}"

    def _refer(self, case: Case, source: Path, series: SagittalSeries) -> None:
        if case.database is None or not case.database.writable:
            raise SpinemetError(f"The scan cannot be added to {self.path}. {self.read_only_reason}")
        location = source.resolve()
        case.database.add_case(
            CaseRecord(
                name=case.name,
                series_uid=series.series_uid,
                scan_location=str(location),
                is_copy=False,
                content_hash=content_hash(location, series.series_uid, series.stack),
                shape=series.shape,
                stack=series.stack,
            )
        )

    @property
    def contours_revision(self) -> int:
        """A number that grows with every change of any contour."""
        database = self.database
        return database.contours.revision if database is not None else 0

    @property
    def origin(self) -> dict[str, Any]:
        """How a synthetic cohort was made; empty for other studies."""
        try:
            facts = json.loads((self.path / "cohort.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    @property
    def models(self) -> Path:
        """Folder of the study's own models."""
        return self.path / "models"

    def model_files(self) -> list[Path]:
        """Weights of the study's own models, by name."""
        return sorted(self.models.glob("*.safetensors")) if self.models.is_dir() else []

    @property
    def default_model(self) -> str:
        """Identity of the model that detection begins with; empty where none was chosen."""
        database = self.database
        return database.results.default_model if database is not None else ""

    def keep_model(self, identity: str, name: str, card: str, *, default: bool = False) -> None:
        """Enter a model into the study's tables, and perhaps make it the default.

        Parameters
        ----------
        identity, name : str
        card : str
            As JSON.
        default : bool
            Whether detection is to begin with it.

        Raises
        ------
        SpinemetError
            If nothing can be saved here.
        """
        database = self.database
        if database is None or not database.writable:
            raise SpinemetError(
                f"The model cannot be entered into {self.path}. {self.read_only_reason}"
            )
        with database.transaction():
            database.results.save_model(identity, name, card)
            if default:
                database.results.set_default_model(identity)

    def map_identities(self) -> list[MapIdentity]:
        """What the likelihood maps of the study were made by, as far as their folders say."""
        folder = self.path / "likelihood"
        names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
        return [MapIdentity.parse(name) for name in names]

    def likelihood_map(self, case: Case, identity: MapIdentity) -> LikelihoodMap | None:
        """The plain likelihood map of a case, if it has been stored.

        Parameters
        ----------
        case : Case
        identity : MapIdentity
            What it was made by. That it fits the scan is the caller's to check.
        """
        return load_likelihood_map(self._map_path(case, identity))

    def save_likelihood_map(
        self, case: Case, identity: MapIdentity, likelihood: LikelihoodMap
    ) -> None:
        """Store a likelihood map in place of a former one.

        Parameters
        ----------
        case : Case
        identity : MapIdentity
            What it was made by.
        likelihood : LikelihoodMap
            Plain.

        Raises
        ------
        ValueError
            If the map is aggregated.
        SpinemetError
            If it cannot be written.
        """
        save_likelihood_map(likelihood, self._map_path(case, identity))

    def _map_path(self, case: Case, identity: MapIdentity) -> Path:
        return self.path / "likelihood" / identity.folder / f"{case.name}.npz"
