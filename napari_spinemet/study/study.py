"""A study on disk: one folder a case, each with its scan and its contours.

``make_cohort`` writes this layout, and so does a case that is imported::

    study/
      case-001/scan/...              DICOM, never written to once it is there
      case-001/contours/...          one DICOM SEG
      models/NAME.safetensors        with its card
      likelihood/MODEL/case-001.npz  plain likelihood maps, made again if lost
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dicom import list_series, read_annotation, read_series, write_annotation
from ..dicom.reading import source_images
from ..errors import SpinemetError
from ..imaging import Annotation, LikelihoodMap, SagittalSeries
from .likelihoods import file_name, load_likelihood, save_likelihood

_CONTOURS = "contours.dcm"


@dataclass(frozen=True)
class Case:
    """One case of a study.

    Attributes
    ----------
    path : Path
        Its folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """Name of the case."""
        return self.path.name

    @property
    def contoured(self) -> bool:
        """Whether contours have been stored."""
        folder = self.path / "contours"
        return folder.is_dir() and any(folder.iterdir())

    @property
    def state(self) -> str:
        """How far the case is: ``new`` or ``contoured``."""
        return "contoured" if self.contoured else "new"

    def series(self) -> SagittalSeries:
        """Read the scan: the only series that is there, or the one that can be detected on."""
        held = list_series(self.path / "scan")
        return read_series(self.path / "scan", held[0].series_uid if len(held) == 1 else None)

    def annotation(self, series: SagittalSeries) -> Annotation:
        """Read the contours onto the grid of the scan."""
        if not self.contoured:
            raise SpinemetError(f"The case {self.name} has no contours yet; draw them first.")
        return read_annotation(self.path / "contours", series)

    def save_annotation(self, annotation: Annotation, series: SagittalSeries) -> Path:
        """Store contours in place of the former ones; whole or not at all."""
        images = source_images(self.path / "scan", series.series_uid)
        return write_annotation(annotation, series, images, self.path / "contours" / _CONTOURS)


class Study:
    """A folder of cases.

    Parameters
    ----------
    path : path-like
        The folder; it must exist unless ``create`` is true.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        self.path = Path(path)
        if create:
            self.path.mkdir(parents=True, exist_ok=True)
        if not self.path.is_dir():
            raise SpinemetError(f"There is no study at {self.path}; check the path.")

    def cases(self) -> list[Case]:
        """The cases, by name."""
        # A name with a dot in front is an import that was cut short.
        return [
            Case(p)
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
        drawn = [case for case in cases if case.contoured]
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
        case = Case(self.path / f"case-{number:03d}")
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
