"""A study on disk: one folder a case with its scan, and what is remembered of them all.

``make_cohort`` writes this layout, and so does a case that is imported::

    study/
      study.sqlite                   contours slice by slice, states, results, the audit trail
      case-001/scan/...              DICOM, never written to once it is there
      case-001/contours/...          DICOM SEG: what the contours were before the first stroke
      models/NAME.safetensors        with its card
      likelihood/MODEL/case-001.npz  plain likelihood maps, made again if lost

A case may also be referred to: its scan stays where it is, and the study remembers the place
and a hash of the content.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..dicom import list_series
from ..dicom.reading import content_hash, source_images
from ..errors import SpinemetError
from ..imaging import Annotation, LikelihoodMap, SagittalSeries
from .case import Case, CaseState
from .database import CaseRecord, StudyDatabase
from .likelihood_maps import file_name, load_likelihood, save_likelihood
from .store import FILE


class Study:
    """A folder of cases.

    Parameters
    ----------
    path : path-like
        The folder; it must exist unless ``create`` is true.
    write : bool
        Contours will be saved: one program at a time may, see :class:`.StudyDatabase`.

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
        if (self.path / FILE).is_file() or (write and os.access(self.path, os.W_OK)):
            self.database = StudyDatabase(self.path, write=write)

    @property
    def notice(self) -> str:
        """Why contours cannot be saved here, in a sentence; empty where they can."""
        if self.database is None and not self._write:
            return "The study was opened for reading."
        if self.database is None:
            return f"The folder {self.path} is read-only, so nothing can be saved in this study."
        return self.database.notice

    @property
    def recovery_message(self) -> str:
        """What was saved by a program that did not end as it should, in a sentence."""
        return self.database.recovery_message if self.database is not None else ""

    def close(self) -> None:
        """Let another program write."""
        if self.database is not None:
            self.database.close()
            self.database = None

    def states(self) -> list[tuple[Case, CaseState]]:
        """Every case with its state, in one look."""
        known = self._known()
        return [(case, case.state_in(known.get(case.name))) for case in self._cases(known)]

    def cases(self) -> list[Case]:
        """The cases, by name."""
        return self._cases(self._known())

    def _known(self) -> dict[str, CaseRecord]:
        return {r.name: r for r in self.database.cases()} if self.database is not None else {}

    def _cases(self, known: dict[str, CaseRecord]) -> list[Case]:
        # A name with a dot in front is an import that was cut short.
        folders = {
            p.name
            for p in self.path.iterdir()
            if not p.name.startswith(".") and (p / "scan").is_dir()
        }
        elsewhere = {name for name, record in known.items() if not record.is_copy}
        return [Case(self.path / name, self.database) for name in sorted(folders | elsewhere)]

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

    def case_of(self, series_uid: str) -> Case | None:
        """The case that holds a series, if any."""
        known = self._known()
        for case in self._cases(known):
            record = known.get(case.name)
            if record is not None:
                if record.series_uid == series_uid:
                    return case
                continue
            with suppress(SpinemetError):  # a case that cannot be read is not the one
                if series_uid in {s.series_uid for s in list_series(case.path / "scan")}:
                    return case
        return None

    def verify(self) -> list[str]:
        """What is wrong with the study, a sentence each: rows, trail, and files of the scans."""
        wrong = self.database.verify() if self.database is not None else []
        return wrong + [fault for case in self.cases() if (fault := case.scan_fault())]

    def contoured_cases(
        self, only: Sequence[str] | None = None
    ) -> Iterator[tuple[Case, SagittalSeries, Annotation]]:
        """Read the contoured cases one after the other.

        Parameters
        ----------
        only : sequence of str, optional
            Names of those to read.

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
        drawn = [case for case, state in self.states() if state.has_contours]
        if not drawn:
            raise SpinemetError(
                f"None of the {len(cases)} cases in {self.path} has contours; draw some first."
            )
        if only is not None:
            bare = set(only) - {case.name for case in drawn}
            if bare:
                raise SpinemetError(
                    f"There are no contours of {', '.join(sorted(bare))} in {self.path}; draw them "
                    "first, or leave them out."
                )
            drawn = [case for case in drawn if case.name in only]
        for case in drawn:
            series = case.series()
            yield case, series, case.annotation(series)

    def import_scan(
        self, source: str | os.PathLike[str], series: SagittalSeries, *, copy: bool = True
    ) -> Case:
        """Make a scan a new case; a series that is there already is returned as it is.

        Parameters
        ----------
        source : path-like
            Folder, file or zip that holds the series.
        series : SagittalSeries
            As read from there.
        copy : bool
            Copy the images into the study: the case appears whole or not at all. Else they
            stay where they are, and the study remembers the place and a hash of the content.

        Raises
        ------
        SpinemetError
            If the images cannot be copied, or the study cannot remember the place.
        """
        known = self.case_of(series.series_uid)
        if known is not None:
            return known
        names = [p.name for p in self.path.iterdir()] + list(self._known())
        taken = [re.fullmatch(r"case-([0-9]+)", name) for name in names]
        number = max((int(t[1]) for t in taken if t), default=0) + 1
        case = Case(self.path / f"case-{number:03d}", self.database)
        if not copy:
            self._refer(case, Path(source), series)
            return case
        partial = self.path / f".{case.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            (partial / "scan").mkdir(parents=True)
            for number, image in enumerate(source_images(source, series.series_uid), 1):
                image.save_as(partial / "scan" / f"IM{number:04d}", enforce_file_format=True)
            partial.rename(case.path)
        except OSError as error:
            raise SpinemetError(
                f"The scan cannot be copied to {self.path} ({error.strerror}); free some space "
                "or choose another folder."
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        if self.database is not None and self.database.writable:
            case.ensure_record(series)
        return case

    def _refer(self, case: Case, source: Path, series: SagittalSeries) -> None:
        if self.database is None or not self.database.writable:
            raise SpinemetError(f"The scan cannot be added to {self.path}. {self.notice}")
        place = source.resolve()
        self.database.add_case(
            CaseRecord(
                name=case.name,
                series_uid=series.series_uid,
                scan_location=str(place),
                is_copy=False,
                content_hash=content_hash(place, series.series_uid),
                shape=series.shape,
            )
        )

    @property
    def contours_revision(self) -> int:
        """A number that grows with every change of any contour."""
        return self.database.contours.revision if self.database is not None else 0

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
        return self.database.results.default_model if self.database is not None else ""

    def keep_model(self, identity: str, name: str, card: str, *, default: bool = False) -> None:
        """Enter a model into the study's tables, and perhaps make it the default.

        Parameters
        ----------
        identity, name : str
        card : str
            As JSON.
        default : bool

        Raises
        ------
        SpinemetError
            If nothing can be saved here.
        """
        if self.database is None or not self.database.writable:
            raise SpinemetError(f"The model cannot be entered into {self.path}. {self.notice}")
        with self.database.transaction():
            self.database.results.save_model(identity, name, card)
            if default:
                self.database.results.set_default_model(identity)

    def likelihood_sets(self) -> list[str]:
        """Names of the folders of likelihood maps: one for each model, and cross-validation."""
        folder = self.path / "likelihood"
        return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []

    def likelihood(self, case: Case, identity: str) -> LikelihoodMap | None:
        """The plain likelihood map of a case by a model, if it has been stored."""
        return load_likelihood(self._likelihood_path(case, identity))

    def save_likelihood(self, case: Case, identity: str, likelihood: LikelihoodMap) -> None:
        """Store a plain likelihood map."""
        save_likelihood(likelihood, self._likelihood_path(case, identity))

    def _likelihood_path(self, case: Case, identity: str) -> Path:
        return self.path / "likelihood" / file_name(identity) / f"{case.name}.npz"
