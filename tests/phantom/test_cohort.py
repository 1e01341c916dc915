"""Cohorts on disk: reproducible to the byte, resumable, and readable by other programs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_spinemet.dicom import read_series
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.jobs import CancelToken, Event, Progressed
from napari_spinemet.phantom import make_cohort as make_any_cohort

make_cohort = partial(make_any_cohort, generator=2)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_the_same_seed_gives_the_same_bytes(cohort: Path, tmp_path: Path) -> None:
    """Of every file: images, contours, facts. Another seed gives other images and contours."""
    make_cohort(tmp_path / "same", cases=1, normals=1, seed=3, pixel_mm=1.13)
    expected, same = _files(cohort), _files(tmp_path / "same")
    assert sorted(same) == sorted(expected)
    assert [name for name in expected if same[name] != expected[name]] == []
    make_cohort(tmp_path / "other", cases=1, seed=4, pixel_mm=1.13)
    other = _files(tmp_path / "other")
    assert sorted(n for n in expected if n.startswith("case-001")) == sorted(
        n for n in other if n.startswith("case-001")
    )
    assert [n for n in other if n != "case-001/case.json" and other[n] == expected[n]] == []


def test_the_layout_is_a_study(cohort: Path) -> None:
    """A folder a case with scan, contours and facts, and the settings of the cohort."""
    assert sorted(p.name for p in cohort.iterdir()) == ["case-001", "cohort.json", "normal-001"]
    for name in ("case-001", "normal-001"):
        assert len(list((cohort / name / "scan").iterdir())) == 13
        assert [p.name for p in (cohort / name / "contours").iterdir()] == ["contours.dcm"]
    facts = json.loads((cohort / "cohort.json").read_text())["phantom"]
    assert (facts["seed"], facts["cases"], facts["normals"]) == (3, 1, 1)
    assert json.loads((cohort / "case-001" / "case.json").read_text())["lesions"]
    assert json.loads((cohort / "normal-001" / "case.json").read_text())["lesions"] == []


def test_a_cohort_is_resumed(cohort: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is left as it is; only what is missing is made."""
    from napari_spinemet.phantom import cohort as module

    files_before = _files(cohort)
    monkeypatch.setattr(module, "make_case", lambda *_, **__: pytest.fail("made again"))
    events: list[Event] = []
    paths = make_cohort(cohort, cases=1, normals=1, seed=3, pixel_mm=1.13, on_event=events.append)
    assert [p.name for p in paths] == ["case-001", "normal-001"]
    assert _files(cohort) == files_before
    assert [(e.done, e.total) for e in events if isinstance(e, Progressed)] == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    "changes",
    [{"seed": 4}, {"variety": "training"}, {"pixel_mm": None}, {"cases": 2}, {"lesions": 5}],
)
def test_a_folder_holds_one_cohort(cohort: Path, changes: dict[str, object]) -> None:
    """Cases made with other settings are not passed off as those that were asked for."""
    files_before = _files(cohort)
    settings = {"cases": 1, "normals": 1, "seed": 3, "pixel_mm": 1.13, **changes}
    with pytest.raises(SpinemetError, match="another folder"):
        make_cohort(cohort, **settings)  # type: ignore[arg-type]
    assert _files(cohort) == files_before


def test_a_folder_of_another_generator_is_refused(cohort: Path) -> None:
    """The seed is the same, the patients are not; also where the generator left no word."""
    with pytest.raises(SpinemetError, match="another version of the generator"):
        make_any_cohort(cohort, cases=1, normals=1, seed=3, pixel_mm=1.13)


def test_diseased_cases_can_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cohort without normal cases grows: its first cases do not depend on their number."""
    from napari_spinemet.phantom import cohort as module

    written_cases: list[str] = []

    def fake_case(seed: tuple[int, int], **_: object) -> SimpleNamespace:
        return SimpleNamespace(images=seed, annotation=None, region="", lesions=(), facts={})

    monkeypatch.setattr(module, "make_case", fake_case)

    def write(path: Path, seed: tuple[int, int], *_: object, **__: object) -> None:
        path.mkdir(parents=True)
        (path / "case.json").write_text(str(seed))
        written_cases.append(f"{path.name} {seed}")

    monkeypatch.setattr(module, "write_case", write)
    make_cohort(tmp_path, cases=1, seed=3)
    make_cohort(tmp_path, cases=2, seed=3)
    assert written_cases == ["case-001 (3, 0)", "case-002 (3, 1)"]


def test_cancelling_keeps_whole_cases(tmp_path: Path) -> None:
    """The case that was done when it was asked for stays, the next is not begun."""
    token = CancelToken()
    with pytest.raises(Cancelled):
        make_cohort(
            tmp_path, cases=3, pixel_mm=1.13, on_event=lambda _: token.cancel(), cancel=token
        )
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["case-001"]
    read_series(tmp_path / "case-001" / "scan")


def test_an_empty_cohort_is_refused(tmp_path: Path) -> None:
    """No cases, or fewer than none, is one sentence; nothing is made."""
    for cases, normals in ((0, 0), (-1, 2), (2, -1)):
        with pytest.raises(SpinemetError, match="at least one case"):
            make_cohort(tmp_path / "none", cases=cases, normals=normals)
    with pytest.raises(SpinemetError, match="A seed is 0 or more, not -1"):
        make_cohort(tmp_path / "none", cases=1, seed=-1)
    with pytest.raises(SpinemetError, match="at least one of them, not 0"):
        make_cohort(tmp_path / "none", cases=1, lesions=0)
    assert not (tmp_path / "none").exists()
