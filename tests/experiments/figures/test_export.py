"""All figures of a study: chosen as they should be, written whole, refused in one sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet import atomic_files as storage
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.evaluation import froc
from napari_spinemet.experiments.figures import FIGURES, export_figures
from napari_spinemet.imaging import (
    FrocCase,
)
from napari_spinemet.jobs import CancelToken, JobContext

from .figure_study import (
    MAPS,
    POINT,
    MappedStudy,
    contents,
    figure_index,
    source_of,
)


def test_all_figures_of_a_study(mapped_study: MappedStudy, tmp_path: Path) -> None:
    """Each is there as PNG and SVG with its caption and facts, chosen as it should be."""
    study, cases = mapped_study
    folder = tmp_path / "out"
    figure_export = export_figures(study, folder, source_of(), POINT)
    assert not figure_export.left_out
    figures = figure_index(folder)
    assert list(figures) == [f"figure-{n}" for n in FIGURES]
    files = {name for facts in figures.values() for name in facts["files"]} | {"figures.json"}
    assert set(contents(folder)) == files == {path.name for path in figure_export.files}
    for name, facts in figures.items():
        assert {f"{name}.png", f"{name}.svg"} <= set(facts["files"])
        assert facts["study"] == str(study.path)
        assert facts["caption"].endswith(".")
        assert "synthetic" not in facts["caption"]
    large, small = figures["figure-3"]["lesions"]
    assert (large["case"], small["case"]) == ("case-001", "case-001")
    assert large["area_cm2"] > small["area_cm2"]
    assert figures["figure-4"]["slice_indices"] == [2]
    six, seven, eight = (figures[f"figure-{n}"] for n in (6, 7, 8))
    # Only the plain map of slice 1 has a false positive; found in slices 1 to 3.
    assert six["case"] == seven["case"] == "case-001"
    assert six["slice_indices"] == seven["slice_indices"] == [1, 2, 3]
    assert six["false_positives"] == {"shown": 0, "mean_over_slices": 0.0, "per_scan": 0}
    assert seven["false_positives"] == {"shown": 1, "mean_over_slices": 0.2, "per_scan": 1}
    assert (six["operating_point"]["weight"], seven["operating_point"]["weight"]) == (0.4, None)
    assert (
        six["regions_found_shown"] == six["regions_shown"] - 1
    )  # what is in one slice only is lost
    assert seven["regions_found_shown"] == seven["regions_shown"] == 4
    assert "1 false positive (marked FP)" in seven["caption"]
    assert (eight["case"], eight["slice_indices"]) == ("case-002", [2, 3, 4])
    assert eight["false_positives"] == {"shown": 2, "mean_over_slices": 0.4, "per_scan": 2}
    curve = froc(
        [
            FrocCase(name, ((study.likelihood_map(study.case(name), MAPS), annotation),))
            for name, (_, annotation) in cases.items()
        ],
        min_area_cm2=0.5,
        weight=0.4,
    )
    five = figures["figure-5"]["curves"]["with-aggregation"]
    assert (five["tp_rate"], five["fp_mean_over_slices"], five["fp_per_scan"]) == curve.at(0.6)
    assert "no such curve" in figures["figure-5"]["caption"]


@pytest.mark.usefixtures("as_sketches")
def test_only_and_case_narrow_the_choice(mapped_study: MappedStudy, tmp_path: Path) -> None:
    """A figure that was not asked for keeps its place; the curve is of all cases."""
    study, _ = mapped_study
    folder = tmp_path / "out"
    export_figures(study, folder, source_of(), POINT, numbers=[4])
    former = contents(folder)
    export_figures(study, folder, source_of(), POINT, numbers=[5, 6], case="case-002")
    figures = figure_index(folder)
    assert list(figures) == ["figure-4", "figure-5", "figure-6"]
    assert figures["figure-4"]["case"] == "case-001"
    assert figures["figure-6"]["case"] == "case-002"
    assert len(figures["figure-5"]["cases"]) == 3
    files = contents(folder)
    assert all(files[name] == former[name] for name in ("figure-4.png", "figure-4.svg"))


@pytest.mark.usefixtures("as_sketches")
def test_without_a_false_positive_figure_8_says_why_it_is_not_there(
    mapped_study: MappedStudy, tmp_path: Path
) -> None:
    """One of a former run would be of another operating point, so it goes; other files stay."""
    study, _ = mapped_study
    folder = tmp_path / "out"
    export_figures(study, folder, source_of(), POINT, numbers=[8])
    assert "figure-8.png" in contents(folder)
    (folder / "figure-8-notes.txt").write_text("mine")
    figure_export = export_figures(
        study, folder, source_of(), replace(POINT, threshold=0.85), numbers=[8]
    )
    assert figure_export.left_out == {
        "figure-8": "Figure 8 was not made: at the threshold 0.85 there is no false positive to "
        "show."
    }
    assert set(contents(folder)) == {"figures.json", "figure-8-notes.txt"}
    assert figure_index(folder) == {}


def test_the_same_study_gives_the_same_files(mapped_study: MappedStudy, tmp_path: Path) -> None:
    """Byte for byte."""
    study, _ = mapped_study
    for name in ("one", "other"):
        export_figures(study, tmp_path / name, source_of(), POINT, numbers=[6])
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


@pytest.mark.usefixtures("as_sketches")
def test_an_interrupted_write_leaves_whole_files(
    mapped_study: MappedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is the former or the new one, and nothing lies beside them."""
    study, _ = mapped_study
    folder = tmp_path / "out"
    other = replace(POINT, threshold=0.65)
    export_figures(study, folder, source_of(), other, numbers=[5, 6])
    new = contents(folder)
    for path in folder.iterdir():
        path.unlink()
    export_figures(study, folder, source_of(), POINT, numbers=[5, 6])
    former = contents(folder)
    count, sync = iter(range(100)), storage.os.fsync

    def kill(handle: int) -> None:
        if next(count) == 3:
            raise KeyboardInterrupt
        sync(handle)

    with monkeypatch.context() as patches:
        patches.setattr(storage.os, "fsync", kill)
        with pytest.raises(KeyboardInterrupt):
            export_figures(study, folder, source_of(), other, numbers=[5, 6])
    files = contents(folder)
    assert set(files) == set(former)
    assert all(data in (former[name], new[name]) for name, data in files.items())
    assert files["figure-5.png"] == new["figure-5.png"] != former["figure-5.png"]
    assert files["figures.json"] == former["figures.json"]


@pytest.mark.usefixtures("as_sketches")
def test_a_stop_writes_nothing(mapped_study: MappedStudy, tmp_path: Path) -> None:
    """Asked for while the cases are looked at, or while figures are drawn."""
    study, _ = mapped_study
    for last in (1, 3):
        token = CancelToken()

        def stop(event: object, token: CancelToken = token, last: int = last) -> None:
            if getattr(event, "done", 0) == last:
                token.cancel()

        with pytest.raises(Cancelled):
            export_figures(study, tmp_path / "out", source_of(), POINT, job=JobContext(stop, token))
        assert contents(tmp_path / "out") == {}


@pytest.mark.usefixtures("as_sketches")
def test_what_cannot_be_shown_is_one_sentence(mapped_study: MappedStudy, tmp_path: Path) -> None:
    """What is wrong, where, and how to mend it; nothing is written."""
    study, cases = mapped_study
    folder = tmp_path / "out"

    def refuse(match: str, **options: object) -> None:
        with pytest.raises(SpinemetError, match=match) as error_info:
            export_figures(study, folder, source_of(), POINT, **options)
        assert str(error_info.value).count(". ") == 0
        assert contents(folder) == {}

    refuse("no figure 2 to make; choose among 3 to 8", numbers=[2, 5])
    refuse("has no case nonsense", case="nonsense")
    refuse(
        r"case normal-001 of .* has no lesion, which figure 3 and 4 must show; contour one, "
        "choose another case",
        numbers=[3, 4],
        case="normal-001",
    )
    for name, (series, annotation) in list(cases.items()):
        without_lesions = replace(annotation, lesions=np.zeros_like(annotation.lesions))
        cases[name] = series, without_lesions
    refuse(r"None of the 3 contoured cases of .* has a lesion.* contour one, or", numbers=[3])
    refuse("which figure 3 and 4 and 5 and 6 and 7 must show")
    export_figures(study, folder, source_of(), POINT, numbers=[8])
    assert figure_index(folder)["figure-8"]["regions_shown"] == 0
