"""A study on disk: one folder a case with its scan, and what is remembered of them all.

``make_cohort`` writes this layout, and so does a case that is imported::

    study/
      study.sqlite                   contours slice by slice, states, the audit trail
      case-001/scan/...              DICOM, never written to once it is there
      case-001/contours/...          DICOM SEG: what the contours were before the first stroke
      models/NAME.safetensors        with its card
      likelihood/MODEL/case-001.npz  plain likelihood maps, made again if lost
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..dicom import list_series, read_annotation, read_series
from ..dicom.reading import source_images
from ..errors import SpinemetError
from ..imaging import Annotation, LikelihoodMap, SagittalSeries
from .database import (
    APPROVED,
    CONTOURED,
    FILE,
    LAYERS,
    NEW,
    REVIEWED,
    CaseRecord,
    LabelArray,
    StudyDatabase,
    hash_of_files,
)
from .likelihoods import file_name, load_likelihood, save_likelihood

WITH_CONTOURS = (CONTOURED, APPROVED, REVIEWED)


@dataclass(frozen=True)
class Case:
    """One case of a study.

    Attributes
    ----------
    path : Path
        Its folder.
    memory : StudyDatabase or None
        Of its study, where there is one.
    """

    path: Path
    memory: StudyDatabase | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Name of the case."""
        return self.path.name

    @property
    def record(self) -> CaseRecord | None:
        """What the study remembers of it; None before the first stroke."""
        return self.memory.case(self.name) if self.memory is not None else None

    @property
    def contoured(self) -> bool:
        """Whether contours have been stored."""
        return self.state in WITH_CONTOURS

    @property
    def state(self) -> str:
        """How far the case is, see :data:`~.database.STATES`."""
        return self.state_in(self.record)

    def state_in(self, record: CaseRecord | None) -> str:
        """The state, with the record at hand."""
        if record is not None:
            return record.state
        folder = self.path / "contours"
        return CONTOURED if folder.is_dir() and any(folder.iterdir()) else NEW

    def series(self) -> SagittalSeries:
        """Read the scan: the only series that is there, or the one that can be detected on."""
        held = list_series(self.path / "scan")
        return read_series(self.path / "scan", held[0].series_uid if len(held) == 1 else None)

    def annotation(self, series: SagittalSeries) -> Annotation:
        """The contours on the grid of the scan: as last saved, or as they came."""
        record = self.record
        if self.state_in(record) not in WITH_CONTOURS:
            raise SpinemetError(f"The case {self.name} has no contours yet; draw them first.")
        if record is None or self.memory is None:
            return read_annotation(self.path / "contours", series)
        if record.shape != series.shape:
            raise SpinemetError(
                f"The contours of {self.name} are of a series of {record.shape} and its scan has "
                f"{series.shape}; the scan was exchanged. Import it as another case."
            )
        layers = {}
        for layer in LAYERS:
            layers[layer] = np.zeros(series.shape, dtype=np.uint16)
            for index, labels in self.memory.slices(self.name, layer).items():
                layers[layer][index] = labels
        levels = self.memory.levels(self.name)
        return Annotation(layers["lesions"], layers["vertebrae"], levels, series.series_uid)

    def save_slices(
        self,
        changed: Mapping[str, Mapping[int, LabelArray]],
        levels: Mapping[int, str],
        series: SagittalSeries,
    ) -> None:
        """Store slices of each layer that were drawn on; on the disk once this returns.

        The first time all slices with contours must come, since what the case came with is
        not looked at from then on.
        """
        memory = self._writable()
        record = self.record
        # A case that is known without its contours would have lost those it came with.
        with memory.together():
            if record is None:
                files = [p for p in (self.path / "scan").rglob("*") if p.is_file()]
                memory.add_case(
                    CaseRecord(
                        name=self.name,
                        series_uid=series.series_uid,
                        place=f"{self.name}/scan",
                        copied=True,
                        content=hash_of_files(files),
                        shape=series.shape,
                        state=CONTOURED,
                    )
                )
            elif record.state != CONTOURED and any(changed.values()):
                # What was approved or reviewed were other contours.
                memory.set_state(self.name, CONTOURED)
            for layer, slices in changed.items():
                if slices:
                    memory.save_slices(self.name, layer, slices)
            if dict(levels) != memory.levels(self.name):
                memory.save_levels(self.name, levels)

    def save_annotation(self, annotation: Annotation, series: SagittalSeries) -> None:
        """Store contours in place of the former ones: the slices that differ."""
        memory, known = self._writable(), self.record is not None
        if annotation.lesions.shape != series.shape:
            raise SpinemetError(
                f"These contours have the shape {annotation.lesions.shape} and the scan of "
                f"{self.name} has {series.shape}; they are of another series."
            )
        changed: dict[str, dict[int, LabelArray]] = {}
        for layer in LAYERS:
            labels = getattr(annotation, layer)
            former = memory.slices(self.name, layer) if known else {}
            changed[layer] = {
                index: image
                for index, image in enumerate(labels)
                if (index in former or image.any())
                and not np.array_equal(former.get(index, 0 * image), image)
            }
        self.save_slices(changed, annotation.levels, series)

    def approve(self, series: SagittalSeries) -> None:
        """Say that the contours are right as they are; another stroke takes that back."""
        memory = self._writable()
        if self.record is None:  # contours that came as DICOM and were never touched
            self.save_annotation(self.annotation(series), series)
        memory.set_state(self.name, APPROVED)

    def _writable(self) -> StudyDatabase:
        if self.memory is None or not self.memory.writable:
            notice = self.memory.notice if self.memory else "The study was opened for reading."
            raise SpinemetError(f"The contours of {self.name} cannot be saved. {notice}")
        return self.memory


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
    memory : StudyDatabase or None
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
        self.memory: StudyDatabase | None = None
        if (self.path / FILE).is_file() or (write and os.access(self.path, os.W_OK)):
            self.memory = StudyDatabase(self.path, write=write)

    @property
    def notice(self) -> str:
        """Why contours cannot be saved here, in a sentence; empty where they can."""
        if self.memory is None:
            return f"The folder {self.path} is read-only, so nothing can be saved in this study."
        return self.memory.notice

    @property
    def restored(self) -> str:
        """What was saved by a program that did not end as it should, in a sentence."""
        return self.memory.restored if self.memory is not None else ""

    def close(self) -> None:
        """Let another program write."""
        if self.memory is not None:
            self.memory.close()
            self.memory = None

    def states(self) -> list[tuple[Case, str]]:
        """Every case with its state, in one look."""
        known = {r.name: r for r in self.memory.cases()} if self.memory is not None else {}
        return [(case, case.state_in(known.get(case.name))) for case in self.cases()]

    def cases(self) -> list[Case]:
        """The cases, by name."""
        # A name with a dot in front is an import that was cut short.
        return [
            Case(p, self.memory)
            for p in sorted(self.path.iterdir())
            if not p.name.startswith(".") and (p / "scan").is_dir()
        ]

    def case_of(self, series_uid: str) -> Case | None:
        """The case that holds a series, if any."""
        for case in self.cases():
            with suppress(SpinemetError):  # a case that cannot be read is not the one
                if series_uid in {s.series_uid for s in list_series(case.path / "scan")}:
                    return case
        return None

    def contoured(self) -> Iterator[tuple[Case, SagittalSeries, Annotation]]:
        """Read the contoured cases one after the other.

        Raises
        ------
        SpinemetError
            If the study has no case, or none with contours.
        """
        cases = self.cases()
        if not cases:
            raise SpinemetError(
                f"There are no cases in {self.path}; choose a folder that holds one folder a "
                "case, each with a folder 'scan'."
            )
        drawn = [case for case, state in self.states() if state in WITH_CONTOURS]
        if not drawn:
            raise SpinemetError(
                f"None of the {len(cases)} cases in {self.path} has contours; draw some first."
            )
        for case in drawn:
            series = case.series()
            yield case, series, case.annotation(series)

    def import_scan(self, source: str | os.PathLike[str], series: SagittalSeries) -> Case:
        """Copy a scan into the study as a new case.

        The case appears whole or not at all; a series that is there already is returned as
        it is.
        """
        known = self.case_of(series.series_uid)
        if known is not None:
            return known
        taken = [re.fullmatch(r"case-([0-9]+)", p.name) for p in self.path.iterdir()]
        number = max((int(t[1]) for t in taken if t), default=0) + 1
        case = Case(self.path / f"case-{number:03d}", self.memory)
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
        return case

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

    def likelihood(self, case: Case, identity: str) -> LikelihoodMap | None:
        """The plain likelihood map of a case by a model, if it has been stored."""
        return load_likelihood(self._likelihood_path(case, identity))

    def save_likelihood(self, case: Case, identity: str, likelihood: LikelihoodMap) -> None:
        """Store a plain likelihood map."""
        save_likelihood(likelihood, self._likelihood_path(case, identity))

    def _likelihood_path(self, case: Case, identity: str) -> Path:
        return self.path / "likelihood" / file_name(identity) / f"{case.name}.npz"
