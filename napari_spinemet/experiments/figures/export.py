"""The figures of the paper (Wang et al. 2017), drawn from a study and written to a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...atomic_files import replace_atomically
from ...disclaimer import DISCLAIMER
from ...errors import SpinemetError
from ...evaluation.pictures import render_figure
from ...imaging import OperatingPoint
from ...jobs import UNATTENDED, JobContext
from ...study import Study
from ...workflows.map_source import MapSource
from .case_facts import CaseFacts
from .choice import choose_false_positive, choose_lesions, choose_slice, choose_slices
from .curves import draw_froc
from .figure_context import (
    CONTOURS,
    FALSE_POSITIVE,
    FIGURES,
    FROC,
    MAPS,
    PATCHES,
    PLAIN_MAPS,
    FigureContext,
    PaperFigure,
)
from .patches import draw_patches
from .slices import draw_contours, draw_maps
from .survey import StudySurvey, SurveyScope, survey_study

INDEX = "figures.json"
_WITH_DETECTIONS = {MAPS, PLAIN_MAPS, FALSE_POSITIVE}
_WITH_MAPS = {FROC, *_WITH_DETECTIONS}
_WITH_LESIONS = {PATCHES, CONTOURS, FROC, MAPS, PLAIN_MAPS}


@dataclass(frozen=True)
class FigureExport:
    """What was written.

    Attributes
    ----------
    files : tuple of Path
    left_out : mapping of str to str
        Name of a figure that was asked for and is not there, and why, in a sentence.
    """

    files: tuple[Path, ...]
    left_out: Mapping[str, str]


def export_figures(
    study: Study,
    folder: Path,
    source: MapSource,
    point: OperatingPoint,
    *,
    numbers: Sequence[int] = FIGURES,
    case: str | None = None,
    job: JobContext = UNATTENDED,
) -> FigureExport:
    """Draw figures 3 to 8 of the paper from a study.

    All are drawn before the first is written, and each file is written whole or not at all.
    ``figures.json`` tells of each its caption and what it shows, slices as indices from 0;
    figures that were not asked for keep their place in it.

    Parameters
    ----------
    study : Study
        Maps that are made here are kept there.
    folder : Path
        Of the files.
    source : MapSource
        What makes, or made, the likelihood maps.
    point : OperatingPoint
        Without an aggregation weight the paper's is taken where a map is to be aggregated.
    numbers : sequence of int
        Of figures.
    case : str, optional
        Draw slices and patches of this case; the FROC is of the whole study in any case.
    job : JobContext
        Polled at every case and figure.

    Raises
    ------
    SpinemetError
        If there is no such figure or case, or no contoured lesion to draw.
    """
    unknown_numbers = sorted(set(numbers) - set(FIGURES))
    if unknown_numbers:
        raise SpinemetError(
            f"There is no figure {unknown_numbers[0]} to make; choose among {FIGURES[0]} to "
            f"{FIGURES[-1]}."
        )
    requested_numbers = [number for number in FIGURES if number in numbers]
    case_name = study.case(case).name if case is not None else None
    scope = SurveyScope(
        only_cases=(case_name,) if case_name is not None and FROC not in numbers else None,
        needs_maps=bool(_WITH_MAPS & set(numbers)),
        needs_detections=bool(_WITH_DETECTIONS & set(numbers)),
        needs_curves=FROC in numbers,
    )
    survey = survey_study(study, source, point, scope, job=job)
    request = _FigureRequest(tuple(requested_numbers), case_name, survey)
    _refuse_impossible(request, study, source)
    figures, left_out = _draw(FigureContext(study, source, survey, job), request)
    return FigureExport(_write(folder, figures, left_out, job), left_out)


@dataclass(frozen=True, eq=False)
class _FigureRequest:
    """The figures to draw, and what they are chosen from."""

    numbers: tuple[int, ...]
    case: str | None
    survey: StudySurvey

    @property
    def cases(self) -> list[CaseFacts]:
        """The cases whose slices may be shown."""
        return [c for c in self.survey.cases if self.case in (None, c.name)]

    def cases_of(self, number: int) -> Sequence[CaseFacts]:
        """The cases that a figure may show: its curve is of the whole study in any case."""
        return self.survey.cases if number == FROC else self.cases

    def numbers_among(self, numbers: set[int]) -> list[int]:
        """Those of some figures that are to be drawn."""
        return [number for number in self.numbers if number in numbers]


def _refuse_impossible(request: _FigureRequest, study: Study, source: MapSource) -> None:
    """Raise if there is nothing that a figure could show."""
    if request.case is not None and not request.cases:
        raise SpinemetError(
            f"The case {request.case} of {study.path} has no contours; draw some, or choose "
            "another case."
        )
    _refuse_without_lesions(request, study)
    _refuse_without_maps(request, study, source)


def _refuse_without_lesions(request: _FigureRequest, study: Study) -> None:
    numbers = [
        number
        for number in request.numbers_among(_WITH_LESIONS)
        if not any(case.lesion_locations for case in request.cases_of(number))
    ]
    if not numbers:
        return
    figures = " and ".join(map(str, numbers))
    if request.case is not None and numbers[0] != FROC:
        raise SpinemetError(
            f"The case {request.case} of {study.path} has no lesion, which figure {figures} must "
            "show; contour one, choose another case, or ask for other figures."
        )
    raise SpinemetError(
        f"None of the {len(request.survey.cases)} contoured cases of {study.path} has a lesion, "
        f"which figure {figures} must show; contour one, or ask for other figures."
    )


def _refuse_without_maps(request: _FigureRequest, study: Study, source: MapSource) -> None:
    def can_show(case: CaseFacts, number: int) -> bool:
        return case.has_map and (bool(case.lesion_locations) or number not in _WITH_LESIONS)

    numbers = [
        number
        for number in request.numbers_among(_WITH_MAPS)
        if not any(can_show(case, number) for case in request.cases_of(number))
    ]
    if numbers:
        raise SpinemetError(
            f"{study.path} holds no likelihood map by {source.identity} of "
            f"{request.case or 'a case'} that figure {' and '.join(map(str, numbers))} could "
            "show; run that cross-validation again, or take a model instead."
        )


def _draw(
    context: FigureContext, request: _FigureRequest
) -> tuple[list[PaperFigure], dict[str, str]]:
    """Choose for each figure what it shows, and draw it."""
    numbers = request.numbers
    figures: list[PaperFigure] = []
    left_out: dict[str, str] = {}
    cases_with_maps = [c for c in request.cases if c.has_map]
    has_lesions = any(c.lesion_locations for c in cases_with_maps)
    slice_range = choose_slices(cases_with_maps) if has_lesions else None
    false_positive = choose_false_positive(cases_with_maps, slice_range)
    if PATCHES in numbers:
        figures.append(draw_patches(context, choose_lesions(request.cases)))
    if CONTOURS in numbers:
        figures.append(draw_contours(context, choose_slice(request.cases)))
    if FROC in numbers:
        figures.append(draw_froc(context))
    if slice_range is not None:
        figures += [
            draw_maps(context, number, slice_range)
            for number in request.numbers_among({MAPS, PLAIN_MAPS})
        ]
    if FALSE_POSITIVE in numbers and false_positive is not None:
        figures.append(draw_maps(context, FALSE_POSITIVE, *false_positive))
    elif FALSE_POSITIVE in numbers:
        left_out[file_stem(FALSE_POSITIVE)] = (
            f"Figure {FALSE_POSITIVE} was not made: at the threshold "
            f"{context.point.threshold:.2f} there is no false positive to show."
        )
    return figures, left_out


def file_stem(number: int) -> str:
    """Name of the files of a figure, without suffix."""
    return f"figure-{number}"


def _write(
    folder: Path,
    figures: Sequence[PaperFigure],
    left_out: Mapping[str, str],
    job: JobContext,
) -> tuple[Path, ...]:
    """Write what was drawn; the index last, so that it never tells of what is not there."""
    files: dict[str, bytes] = {}
    index = _read_index(folder / INDEX)
    stale_files = [file for name in left_out for file in index.pop(name, {"files": []})["files"]]
    for figure in figures:
        job.raise_if_cancelled()
        name = file_stem(figure.number)
        own_files = {f"{name}.{kind}": data for kind, data in render_figure(figure.figure).items()}
        own_files |= {f"{name}-{part}.csv": text.encode() for part, text in figure.tables.items()}
        former_files = index.get(name, {"files": []})["files"]
        stale_files += [file for file in former_files if file not in own_files]
        index[name] = {"caption": figure.caption, "files": sorted(own_files), **figure.facts}
        files |= own_files
    content = {"notice": DISCLAIMER, "figures": {name: index[name] for name in sorted(index)}}
    files[INDEX] = (json.dumps(content, indent=1) + "\n").encode()
    for name, data in files.items():
        with replace_atomically(folder / name) as temporary:
            temporary.write_bytes(data)
    for file in stale_files:  # of a former run, whose figure is told of no more
        (folder / file).unlink(missing_ok=True)
    return tuple(folder / name for name in files)


def _read_index(path: Path) -> dict[str, dict[str, Any]]:
    """What the folder tells of figures that were made before; damaged, it tells nothing."""
    result = {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["figures"]
        for name in map(file_stem, FIGURES):
            if name in entries:
                # Their files may be removed: nothing but what a figure of that name can have.
                files = [f for f in entries[name]["files"] if re.fullmatch(rf"{name}[\w.-]*", f)]
                result[name] = {**entries[name], "files": files}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return result
