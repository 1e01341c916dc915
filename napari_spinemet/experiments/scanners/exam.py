"""Run the exam of one model, scan by scan; what is done is kept, and not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic_files import write_text
from ...detection.engines import map_series
from ...detection.map_settings import MapSettings
from ...detection.pipeline import evaluate
from ...errors import SpinemetError
from ...evaluation.lesion_scores import LesionOutcome, ScanOutcome, Tally, Truth, score_scan
from ...imaging import Annotation, OperatingPoint, SagittalSeries
from ...imaging.vertebra_levels import order_vertebrae
from ...jobs import UNATTENDED, JobContext
from ...network import SiameseNet
from ...phantom import PhantomCase, implant_lesion, make_case
from ...phantom.case import CALIBRATED
from ...phantom.implants.lesion_implant import FAMILIES, MODERATE
from ...phantom.lesion import describe_lesions
from ...phantom.patient.case import make_patient_case
from .real_scans import REAL_SCANS, RealScan
from .scan_store import load_scan, save_scan

SEED = 90_417
"""Of all phantoms of the exam but the frozen ones; nothing is trained or chosen on it."""
TASK = "exam"


@dataclass(frozen=True)
class ExamPlan:
    """How many scans each part has.

    Attributes
    ----------
    frozen, fresh, agnostic, normal, half, diffuse : int
        Phantoms: of the second generator, frozen by hash; of the third, as in life; by chance;
        without a lesion; with lesions in half of the bodies; with all marrow diseased.
    implant_share : float
        Of the implants of a whole exam.
    """

    frozen: int = 30
    fresh: int = 30
    agnostic: int = 20
    normal: int = 30
    half: int = 10
    diffuse: int = 10
    implant_share: float = 1.0


@dataclass(frozen=True, eq=False)
class _Item:
    """One scan of the exam, made when its turn comes."""

    part: str
    name: str
    make: Callable[[], tuple[SagittalSeries, Truth]]


def run_exam(
    model: SiameseNet,
    identity: str,
    point: OperatingPoint,
    work: Path,
    *,
    data: Path | None = None,
    contours: Path | None = None,
    plan: ExamPlan | None = None,
    settings: MapSettings | None = None,
    job: JobContext = UNATTENDED,
) -> list[Tally]:
    """All parts of the exam, in the order of :data:`PARTS`.

    Parameters
    ----------
    model : SiameseNet
    identity : str
        Of its weights: results of others are kept apart.
    point : OperatingPoint
        The card's own.
    work : Path
        Where results and maps are kept; the same call goes on from there, and one at another
        point takes the maps from there.
    data : Path, optional
        Folder of the real scans; without, these parts are left out.
    contours : Path, optional
        Of the vertebrae of the CC0 scan.
    plan : ExamPlan, optional
    settings : MapSettings, optional
    job : JobContext
        Polled before each scan.

    Raises
    ------
    SpinemetError
        If a frozen phantom is not what was frozen.
    """
    plan, settings = plan or ExamPlan(), settings or MapSettings()
    point_facts = json.dumps([point.to_dict(), settings.to_dict()], sort_keys=True)
    key = _digest(f"{identity} {point_facts}")
    # Another point needs no other maps.
    map_key = _digest(f"{identity} {json.dumps(settings.to_dict(), sort_keys=True)}")
    items = [*_phantom_items(plan)]
    if data is not None:
        items = [*_real_items(data, contours), *_implant_items(data, contours, plan), *items]
    outcomes: dict[str, list[ScanOutcome]] = {}
    for number, item in enumerate(items):
        job.raise_if_cancelled()
        path = work / key / item.part / f"{item.name}.json"
        outcome = _read(path)
        if outcome is None:
            folder = work / "maps" / map_key / item.part
            scan = load_scan(folder, item.name)
            if scan is None:
                series, truth = item.make()
                likelihood = map_series(series, model, settings, job=job.without_events())
                scan = replace(likelihood, model=identity), truth
                save_scan(folder, item.name, *scan)
            outcome = score_scan(item.name, evaluate(scan[0], point), scan[1])
            write_text(path, json.dumps(asdict(outcome)) + "\n")
        outcomes.setdefault(item.part, []).append(outcome)
        job.progress(TASK, number + 1, len(items), f"{item.part}, {item.name}")
    return [Tally(part, tuple(scans), PARTS[part]) for part, scans in outcomes.items()]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


PARTS = {
    "real": "real scans as they are; whatever is marked is false",
    "implants CC0": "lesions put into the CC0 STIR, two a copy",
    "implants TIRM": "into tirm_vb1_03, two a copy, none in the bright bodies 4 and 7",
    "implants water": "into the five water images, one a copy",
    "frozen": "phantoms of the second generator, frozen by hash",
    "fresh": "phantoms of the third generator, as in life",
    "agnostic": "phantoms whose tissues are as bright as they come",
    "normal": "phantoms of the third generator without a lesion",
    "half": "phantoms with lesions in half of the bodies",
    "diffuse": "phantoms whose whole marrow is diseased",
}
"""Every part by name, and what it is."""


def _read(path: Path) -> ScanOutcome | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        lesions = tuple(LesionOutcome(**lesion) for lesion in content.pop("lesions"))
        vertebrae = tuple((bool(a), bool(b)) for a, b in content.pop("vertebrae"))
        warnings = tuple(content.pop("warnings"))
        return ScanOutcome(lesions=lesions, vertebrae=vertebrae, warnings=warnings, **content)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _real_items(data: Path, contours: Path | None) -> Iterator[_Item]:
    for scan in REAL_SCANS:
        if not scan.is_in(data):
            continue

        def make(scan: RealScan = scan) -> tuple[SagittalSeries, Truth]:
            series, annotation = scan.read(data, contours)
            return series, Truth(annotation, (), scan.ignored_labels)

        yield _Item("real", scan.name, make)


def _implant_items(data: Path, contours: Path | None, plan: ExamPlan) -> Iterator[_Item]:
    for scan in REAL_SCANS:
        if not scan.implants or not scan.is_in(data) or (scan.needs_contours and contours is None):
            continue
        count = max(2, round(scan.implants * plan.implant_share))
        copies = -(-count // scan.implants_a_copy)
        for number in range(copies):

            def make(scan: RealScan = scan, number: int = number, copies: int = copies):  # type: ignore[no-untyped-def]
                return _make_implants(scan, data, contours, number, copies)

            yield _Item(scan.implant_part, f"{scan.name}-{number + 1:02d}", make)


def _make_implants(
    scan: RealScan, data: Path, contours: Path | None, number: int, copies: int
) -> tuple[SagittalSeries, Truth]:
    """A copy with as many lesions as it has room for: bodies take turns, contrasts are spread."""
    series, annotation = scan.read(data, contours)
    labels = [k for k in order_vertebrae(annotation.vertebrae) if k not in scan.ignored_labels]
    rng = np.random.default_rng((SEED, number, len(scan.name)))
    facts = []
    for place in range(scan.implants_a_copy):
        # Far apart, so that no mark lies at two of them.
        step = number + place * (len(labels) // scan.implants_a_copy)
        label = labels[step % len(labels)]
        share = (number + rng.random()) / copies
        contrast = MODERATE[0] + (MODERATE[1] - MODERATE[0]) * ((share * 7) % 1)
        family = FAMILIES[(number + place) % 2]
        try:
            series, annotation, implant = implant_lesion(
                series, annotation, label, rng, contrast=contrast, family=family
            )
        except SpinemetError:
            continue  # a small body has no room for the least lesion
        facts.append({"level": implant.level, "contrast": contrast, "site": "body", "kind": family})
    return series, Truth(annotation, facts, scan.ignored_labels)


def _phantom_items(plan: ExamPlan) -> Iterator[_Item]:
    frozen = json.loads((files(__package__) / "frozen_phantoms.json").read_text(encoding="utf-8"))

    def frozen_case(number: int) -> PhantomCase:
        case = make_case((frozen["seed"], number), generator=CALIBRATED)
        if hash_of(case) != frozen["cases"][number]:
            raise SpinemetError(
                f"Phantom {number} of the frozen ones is not what it was; the second generator "
                "must not change."
            )
        return case

    sets: Sequence[tuple[str, int, Callable[[int], PhantomCase]]] = (
        ("frozen", plan.frozen, frozen_case),
        ("fresh", plan.fresh, lambda k: make_case((SEED, 1, k))),
        ("agnostic", plan.agnostic, lambda k: make_case((SEED, 2, k), variety="agnostic")),
        ("normal", plan.normal, lambda k: make_case((SEED, 3, k), has_lesions=False)),
        ("half", plan.half, lambda k: make_patient_case((SEED, 4, k), burden="half")),
        ("diffuse", plan.diffuse, lambda k: make_patient_case((SEED, 5, k), burden="diffuse")),
    )
    for part, count, make_one in sets:
        for number in range(count):

            def make(make_one=make_one, number=number):  # type: ignore[no-untyped-def]
                case = make_one(number)
                return case.series, Truth(case.annotation, describe_lesions(case.lesions))

            yield _Item(part, f"{number + 1:02d}", make)


def hash_of(case: PhantomCase) -> str:
    """What a phantom is frozen by: pixels, lesions and vertebrae, little endian.

    Parameters
    ----------
    case : PhantomCase
    """
    digest = hashlib.sha256(np.ascontiguousarray(case.pixels, dtype="<i2").tobytes())
    for labels in (case.annotation.lesions, case.annotation.vertebrae):
        digest.update(np.ascontiguousarray(labels, dtype="<u2").tobytes())
    return digest.hexdigest()[:32]


def without_lesions(annotation: Annotation) -> Annotation:
    """The vertebrae alone."""
    return replace(annotation, lesions=np.zeros_like(annotation.lesions))


def as_plain_data(tallies: Sequence[Tally]) -> list[dict[str, Any]]:
    """For a JSON file.

    Parameters
    ----------
    tallies : sequence of Tally
    """
    return [asdict(tally) for tally in tallies]
