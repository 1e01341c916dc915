"""The figures of the paper (Wang et al. 2017), made from a study and written to a folder."""

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
from ...evaluation.pictures import rendered
from ...imaging import OperatingPoint
from ...jobs import CancelToken, EventCallback
from ...jobs.events import ignore
from ...study import Study
from ...workflows.map_source import MapSource
from .choice import CaseFacts, choose_false_positive, choose_lesions, choose_slice, choose_slices
from .curves import make_froc
from .figure_context import (
    CONTOURS,
    FALSE_POSITIVE,
    FIGURES,
    FROC,
    MAPS,
    PATCHES,
    PLAIN_MAPS,
    Ground,
    Made,
)
from .patches import make_patches
from .slices import make_contours, make_maps
from .survey import Survey, survey

INDEX = "figures.json"
_JUDGED = {MAPS, PLAIN_MAPS, FALSE_POSITIVE}
_MAPPED = {FROC, *_JUDGED}
_LESIONS = {PATCHES, CONTOURS, FROC, MAPS, PLAIN_MAPS}


@dataclass(frozen=True)
class FigureExport:
    """What was written.

    Attributes
    ----------
    files : tuple of Path
    left_out : mapping of str to str
        Name of a figure that was wanted and is not there, and why, in a sentence.
    """

    files: tuple[Path, ...]
    left_out: Mapping[str, str]


def export_figures(
    study: Study,
    out: Path,
    source: MapSource,
    point: OperatingPoint,
    *,
    only: Sequence[int] = FIGURES,
    case: str | None = None,
    device: str = "auto",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> FigureExport:
    """Draw figures 3 to 8 of the paper from a study.

    All are drawn before the first is written, and each file is written whole or not at all.
    ``figures.json`` tells of each its caption and what it shows, slices as indices from 0;
    figures that were not asked for keep their place in it.

    Parameters
    ----------
    study : Study
    out : Path
        Folder of the files.
    source : MapSource
        What makes, or made, the likelihood maps.
    point : OperatingPoint
        Without an aggregation weight the paper's is taken where a map is to be aggregated.
    only : sequence of int
        Numbers of figures.
    case : str, optional
        Draw slices and patches of this case; the FROC is of the whole study in any case.
    device, on_event, cancel
        See :func:`.study_curve`.

    Raises
    ------
    SpinemetError
        If there is no such figure or case, or no contoured lesion to draw.
    """
    unknown = sorted(set(only) - set(FIGURES))
    if unknown:
        raise SpinemetError(
            f"There is no figure {unknown[0]} to make; choose among {FIGURES[0]} to {FIGURES[-1]}."
        )
    wanted = [number for number in FIGURES if number in only]
    chosen_case = study.case(case).name if case is not None else None
    seen = survey(
        study,
        source,
        point,
        only=[chosen_case] if chosen_case is not None and FROC not in wanted else None,
        mapped=bool(_MAPPED & set(wanted)),
        judged=bool(_JUDGED & set(wanted)),
        froc=FROC in wanted,
        device=device,
        on_event=on_event,
        cancel=cancel,
    )
    cases = [c for c in seen.cases if chosen_case in (None, c.name)]
    _refuse_bare(study, source, wanted, cases, seen, chosen_case)
    made, left_out = _drawn(Ground(study, source, seen, cancel), wanted, cases)
    return FigureExport(_written(out, made, left_out, cancel), left_out)


def _refuse_bare(
    study: Study,
    source: MapSource,
    wanted: Sequence[int],
    cases: Sequence[CaseFacts],
    seen: Survey,
    case: str | None,
) -> None:
    """Raise if there is nothing that a figure could show."""
    if case is not None and not cases:
        raise SpinemetError(
            f"The case {case} of {study.path} has no contours; draw some, or choose another case."
        )
    # The curve is of the whole study, whatever case the slices are of.
    shown = {number: seen.cases if number == FROC else cases for number in wanted}
    bare = [n for n in wanted if n in _LESIONS and not any(c.lesions for c in shown[n])]
    if bare:
        alone = case is not None and shown[bare[0]] is not seen.cases
        whose = f"The case {case}" if alone else f"None of the {len(seen.cases)} contoured cases"
        raise SpinemetError(
            f"{whose} of {study.path} has {'no' if alone else 'a'} lesion, which figure "
            f"{' and '.join(map(str, bare))} must show; contour one, "
            f"{'choose another case, ' if alone else ''}or ask for other figures."
        )
    unseen = [
        n
        for n in wanted
        if n in _MAPPED and not any(c.mapped and (c.lesions or n not in _LESIONS) for c in shown[n])
    ]
    if unseen:
        raise SpinemetError(
            f"{study.path} holds no likelihood map by {source.identity} of {case or 'a case'} that "
            f"figure {' and '.join(map(str, unseen))} could show; run that cross-validation again, "
            "or take a model instead."
        )


def _drawn(
    ground: Ground, wanted: Sequence[int], cases: Sequence[CaseFacts]
) -> tuple[list[Made], dict[str, str]]:
    """Choose for each figure what it shows, and draw it."""
    made: list[Made] = []
    left_out: dict[str, str] = {}
    mapped = [c for c in cases if c.mapped]
    shown = choose_slices(mapped) if any(c.lesions for c in mapped) else None
    wrong = choose_false_positive(mapped, shown)
    if PATCHES in wanted:
        made.append(make_patches(ground, choose_lesions(cases)))
    if CONTOURS in wanted:
        made.append(make_contours(ground, choose_slice(cases)))
    if FROC in wanted:
        made.append(make_froc(ground))
    for number in (MAPS, PLAIN_MAPS):
        if number in wanted and shown is not None:
            made.append(make_maps(ground, number, shown))
    if FALSE_POSITIVE in wanted and wrong is not None:
        made.append(make_maps(ground, FALSE_POSITIVE, wrong[0], far_mm=wrong[1]))
    elif FALSE_POSITIVE in wanted:
        left_out[name_of(FALSE_POSITIVE)] = (
            f"Figure {FALSE_POSITIVE} was not made: at the threshold "
            f"{ground.point.threshold:.2f} there is no false positive to show."
        )
    return made, left_out


def name_of(number: int) -> str:
    """Name of the files of a figure, without ending."""
    return f"figure-{number}"


def _written(
    out: Path,
    made: Sequence[Made],
    left_out: Mapping[str, str],
    cancel: CancelToken | None,
) -> tuple[Path, ...]:
    """Write what was drawn; the index last, so that it never tells of what is not there."""
    files: dict[str, bytes] = {}
    index = _index(out / INDEX)
    stale = [file for name in left_out for file in index.pop(name, {"files": []})["files"]]
    for each in made:
        if cancel is not None:
            cancel.raise_if_cancelled()
        name = name_of(each.number)
        own = {f"{name}.{kind}": data for kind, data in rendered(each.figure).items()}
        own |= {f"{name}-{part}.csv": text.encode() for part, text in each.tables.items()}
        stale += [file for file in index.get(name, {"files": []})["files"] if file not in own]
        index[name] = {"caption": each.caption, "files": sorted(own), **each.facts}
        files |= own
    told = {"notice": DISCLAIMER, "figures": {name: index[name] for name in sorted(index)}}
    files[INDEX] = (json.dumps(told, indent=1) + "\n").encode()
    for name, data in files.items():
        with replace_atomically(out / name) as temporary:
            temporary.write_bytes(data)
    for file in stale:  # of a former run, whose figure is told of no more
        (out / file).unlink(missing_ok=True)
    return tuple(out / name for name in files)


def _index(path: Path) -> dict[str, dict[str, Any]]:
    """What the folder tells of figures that were made before; damaged, it tells nothing."""
    result = {}
    try:
        held = json.loads(path.read_text(encoding="utf-8"))["figures"]
        for name in map(name_of, FIGURES):
            if name in held:
                # Their files may be removed: nothing but what a figure of that name can have.
                files = [f for f in held[name]["files"] if re.fullmatch(rf"{name}[\w.-]*", f)]
                result[name] = {**held[name], "files": files}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return result
