"""A cohort of phantoms as DICOM: one folder a case, with its scan and its contours."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..atomic_files import write_text
from ..errors import SpinemetError, check_seed
from ..jobs import UNATTENDED, CancelToken, EventCallback, JobContext
from .calibrated.case import VARIETIES as CALIBRATED_VARIETIES
from .calibrated.difficulty import STANDARD, difficulty_of
from .calibrated.lesions import AS_IN_THE_PAPER
from .case import CALIBRATED, PHYSICAL, PhantomCase, make_case
from .lesion import describe_lesions
from .patient.case import VARIETIES as PATIENT_VARIETIES
from .patient.case import check_contrasts
from .patient.disease import BURDENS, USUAL
from .writing import write_case


@dataclass(frozen=True)
class CohortSettings:
    """How many cases a cohort has, and how they are drawn.

    Attributes
    ----------
    cases, normals : int
        Number of cases with lesions and without.
    seed : int
        The same seed gives the same files, bit for bit.
    generator : {3, 2}
        See :func:`.make_case`.
    variety, difficulty : str
        See :func:`.make_case`.
    pixel_mm : float or None
        In-plane pixel of every case; drawn if None.
    lesions : int or None
        Lesions of a case, at most; None for what the generator draws.
    contrasts : tuple of str or None
        Images of each patient; None for one that is fat-suppressed.
    burden : {"usual", "localised", "half", "diffuse"}
        How much of the marrow of diseased cases is so, see :data:`.patient.disease.BURDENS`; of
        generator 3.

    Raises
    ------
    SpinemetError
        If there is no case, no lesion, or no such seed, generator, variety, difficulty, contrast
        or burden.
    """

    cases: int = 26
    normals: int = 0
    seed: int = 0
    variety: str = "evaluation"
    difficulty: str = STANDARD.name
    pixel_mm: float | None = None
    lesions: int | None = None
    generator: int = PHYSICAL
    contrasts: tuple[str, ...] | None = None
    burden: str = USUAL

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.cases < 0 or self.normals < 0 or self.count == 0:
            raise SpinemetError("A cohort needs at least one case; ask for 1 or more.")
        if self.generator not in (CALIBRATED, PHYSICAL):
            raise SpinemetError(f"There are the generators 2 and 3, not {self.generator}.")
        if self.lesions is not None and self.lesions < 1:
            raise SpinemetError(
                f"A case with lesions has at least one of them, not {self.lesions}."
            )
        difficulty_of(self.difficulty)
        self._check_generator()

    def _check_generator(self) -> None:
        """Refuse what the generator cannot draw."""
        is_former = self.generator == CALIBRATED
        varieties = tuple(CALIBRATED_VARIETIES) if is_former else PATIENT_VARIETIES
        if self.variety not in varieties:
            raise SpinemetError(
                f"The variety is one of {', '.join(varieties)}, not '{self.variety}'."
            )
        if not is_former and self.difficulty != STANDARD.name:
            raise SpinemetError("Difficulties are of the second generator; add --generator 2.")
        if self.burden not in BURDENS:
            raise SpinemetError(f"The burden is one of {', '.join(BURDENS)}, not '{self.burden}'.")
        if is_former and self.burden != USUAL:
            raise SpinemetError("Burdens are of the third generator; leave out --generator 2.")
        if self.contrasts is not None:
            check_contrasts(self.contrasts)
            if is_former:
                raise SpinemetError(
                    "The second generator makes STIR alone; leave --contrasts or --generator out."
                )
        if is_former and self.lesions is None:
            object.__setattr__(self, "lesions", AS_IN_THE_PAPER)  # the class is frozen

    @property
    def count(self) -> int:
        """Cases of both kinds."""
        return self.cases + self.normals

    def facts(self) -> dict[str, object]:
        """What goes into ``cohort.json``; settings that came later, only where they are others."""
        facts: dict[str, object] = {
            "cases": self.cases,
            "normals": self.normals,
            "seed": self.seed,
            "variety": self.variety,
            "generator": self.generator,
        }
        if self.difficulty != STANDARD.name:
            facts["difficulty"] = self.difficulty
        if self.pixel_mm is not None:
            facts["pixel_mm"] = self.pixel_mm
        if self.lesions != self._usual_lesions:
            facts["lesions"] = self.lesions
        if self.contrasts is not None:
            facts["contrasts"] = list(self.contrasts)
        if self.burden != USUAL:
            facts["burden"] = self.burden
        return facts

    @property
    def _usual_lesions(self) -> int | None:
        return AS_IN_THE_PAPER if self.generator == CALIBRATED else None

    def case_name(self, number: int) -> str:
        """Of the folder; normal cases are numbered after the diseased ones."""
        if number < self.cases:
            return f"case-{number + 1:03d}"
        return f"normal-{number + 1 - self.cases:03d}"

    def case_identity(self, number: int) -> str:
        """What the identifiers in a case's files are made of: two different cases share none."""
        identity = f"{self.seed}.{number}.{self.variety}"
        if self.difficulty != STANDARD.name:
            identity += f".{self.difficulty}"
        if self.lesions != self._usual_lesions:
            identity += f".{self.lesions}"
        if self.generator != CALIBRATED:
            identity += f".generator{self.generator}"
        if self.burden != USUAL:
            identity += f".{self.burden}"
        return identity


def make_cohort(
    folder: str | os.PathLike[str],
    cases: int = 26,
    normals: int = 0,
    seed: int = 0,
    *,
    variety: str = "evaluation",
    difficulty: str = STANDARD.name,
    pixel_mm: float | None = None,
    lesions: int | None = None,
    generator: int = PHYSICAL,
    contrasts: Sequence[str] | None = None,
    burden: str = USUAL,
    on_event: EventCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[Path]:
    """Write a cohort of synthetic cases.

    Parameters
    ----------
    folder : path-like
        Receives one folder a case, each with ``scan/`` (DICOM MR images), ``contours/`` (one
        DICOM SEG of lesions and vertebrae) and ``case.json``, and ``cohort.json`` with the
        settings and the generator's version. Cases that are there already are left as they are.
    cases, normals : int
        Number of cases with lesions and without.
    seed : int
        The same seed gives the same files, bit for bit.
    variety : str
        As in life, or drawn wider, see :func:`.make_case`.
    difficulty : {"easy", "standard", "hard"}
        Of the second generator's evaluation variety.
    pixel_mm : float, optional
        In-plane pixel of every case; drawn if not given.
    lesions : int, optional
        Lesions of a case, at most; as the generator draws them without.
    generator : {3, 2}
        The third by default; the second gives the cohorts that earlier figures rest on.
    contrasts : sequence of str, optional
        Images of each patient: ``scan/`` has the first, ``t1/``, ``t2/`` ... the others.
    burden : {"usual", "localised", "half", "diffuse"}
        How much marrow is diseased, see :data:`.patient.disease.BURDENS`.
    on_event, cancel : optional
        Told of each case, and asked before it; whole cases stay, and the same call goes on there.

    Returns
    -------
    list of Path
        The case folders.

    Raises
    ------
    SpinemetError
        If the folder holds a cohort that was made with other settings or by another generator.

    Examples
    --------
    One patient with a lesion, at coarse pixels:

    >>> import tempfile
    >>> from napari_spinemet import make_cohort, read_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (case,) = make_cohort(folder, cases=1, seed=3, pixel_mm=4.0, generator=2)
    ...     series = read_series(case / "scan")
    >>> case.name, series.shape, series.contrast
    ('case-001', (13, 85, 85), 'STIR')
    """
    settings = CohortSettings(
        cases,
        normals,
        seed,
        variety,
        difficulty,
        pixel_mm,
        lesions,
        generator,
        None if contrasts is None else tuple(contrasts),
        burden,
    )
    return write_cohort(folder, settings, job=JobContext.of(on_event, cancel))


def write_cohort(
    folder: str | os.PathLike[str],
    settings: CohortSettings,
    *,
    job: JobContext = UNATTENDED,
) -> list[Path]:
    """Write a cohort of synthetic cases; what :func:`make_cohort` does, for the package itself.

    Parameters
    ----------
    folder : path-like
        Made where it does not exist; cases that it has already are left as they are.
    settings : CohortSettings
        Checked as they are made.
    job : JobContext
        Told of each case, and asked before it.

    Returns
    -------
    list of Path
        The case folders.

    Raises
    ------
    SpinemetError
        If the folder holds a cohort that was made with other settings or by another generator.
    """
    root = Path(folder)
    _refuse_other_cohort(root, settings.facts())
    # First, so that a cohort that was cut short also knows its settings.
    write_text(root / "cohort.json", json.dumps({"phantom": settings.facts()}) + "\n")
    paths = []
    for number in range(settings.count):
        job.raise_if_cancelled()
        path = root / settings.case_name(number)
        # It is written last, so that a case without it was cut short.
        if not (path / "case.json").exists():
            _write_case(path, settings, number)
        paths.append(path)
        job.progress("phantom", number + 1, settings.count, path.name)
    return paths


def _write_case(path: Path, settings: CohortSettings, number: int) -> None:
    case = make_case(
        (settings.seed, number),
        has_lesions=number < settings.cases,
        generator=settings.generator,
        variety=settings.variety,
        difficulty=settings.difficulty,
        pixel_mm=settings.pixel_mm,
        lesions=settings.lesions,
        contrasts=settings.contrasts,
        burden=settings.burden,
    )
    write_case(
        path,
        case.images,
        case.annotation,
        _describe_case(case),
        identity=settings.case_identity(number),
        name="Phantom^Spine",
    )


def _refuse_other_cohort(root: Path, facts: Mapping[str, object]) -> None:
    """Refuse a folder whose cases are not the first ones of this cohort."""
    try:
        stored_facts = json.loads((root / "cohort.json").read_text(encoding="utf-8"))["phantom"]
    except (OSError, ValueError, TypeError, KeyError):
        return
    # Normal cases are numbered, and seeded, after the diseased ones.
    decisive = [
        "seed",
        "variety",
        "difficulty",
        "pixel_mm",
        "lesions",
        "generator",
        "contrasts",
        "burden",
        *(["cases"] if stored_facts.get("normals") else []),
    ]
    if any(stored_facts.get(key) != facts.get(key) for key in decisive):
        raise SpinemetError(
            f"{root} holds a cohort made with other settings, or by another version of the "
            f"generator ({json.dumps(stored_facts)}); choose another folder."
        )


def _describe_case(case: PhantomCase) -> dict[str, object]:
    lesions = describe_lesions(case.lesions)
    if not case.facts:  # of the second generator, whose files stay as they were
        lesions = [{key: lesion[key] for key in ("level", "contrast")} for lesion in lesions]
    return {"region": case.region, **case.facts, "lesions": lesions}
