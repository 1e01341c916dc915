"""The paper's figures from a study: what they are made of, how it is chosen, how it is written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from scipy import ndimage

from napari_spinemet import atomic_files as storage
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.disclaimer import DISCLAIMER
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.evaluation import froc
from napari_spinemet.evaluation.froc import CaseForests
from napari_spinemet.evaluation.paper_figures import FLIPS
from napari_spinemet.evaluation.published_curves import points_of, read_points
from napari_spinemet.experiments.figures import FIGURES, export, export_figures
from napari_spinemet.experiments.figures.choice import judge, lesion_places
from napari_spinemet.experiments.figures.patches import lesion_patches
from napari_spinemet.experiments.figures.survey import AGGREGATED, PLAIN, survey
from napari_spinemet.imaging import (
    Annotation,
    FrocCase,
    LikelihoodMap,
    OperatingPoint,
    SagittalSeries,
)
from napari_spinemet.imaging.grids import working_affine, working_shape
from napari_spinemet.jobs import CancelToken
from napari_spinemet.network import ModelCard, SiameseNet, save_model
from napari_spinemet.study import Case, Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.training.batches import WindowBatches
from napari_spinemet.workflows.map_source import MapSource
from napari_spinemet.workflows.study_froc import redrawn

Held = tuple[Study, dict[str, tuple[SagittalSeries, Annotation]]]
POINT = OperatingPoint(0.6, 0.5, 0.4)
SPACING_MM = (3.0, 1.25, 0.8)
SHAPE = (5, 72, 100)
MODEL = "made-up@1"
MAPS = MapIdentity.of_model(MODEL)


def small_net(resolutions: Sequence[float] = (0.5, 1, 2), form: str = "patch") -> SiameseNet:
    return SiameseNet(
        resolutions, form, (1, 1), widths=(2, 2), hidden=2, patch_shape=(31, 23)
    ).eval()


def a_source(
    identity: str = MODEL, resolutions: Sequence[float] = (0.5, 1, 2), **config: object
) -> MapSource:
    """Maps that the study holds, of a network that was trained so."""
    card = ModelCard(identity, training={"config": config})
    return MapSource(
        MapIdentity.parse(identity), card, small_net(resolutions), can_make_maps=False
    )


def mapped(series: SagittalSeries, values: np.ndarray) -> LikelihoodMap:
    columns = (0, values.shape[2])
    affine = working_affine(series.affine)
    return LikelihoodMap(values.astype(np.float32), affine, columns, series.spacing_mm, model=MODEL)


@pytest.fixture
def held(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_series: Callable[..., SagittalSeries],
) -> Held:
    """Two cases with lesions and one without, as scans in memory and maps on disk.

    Everywhere each lesion is found. In slice 3 of case-002 both maps have a false positive, in
    slice 1 of case-001 the plain map alone.
    """
    study, cases = Study(tmp_path / "study", create=True), {}
    for number, name in enumerate(("case-001", "case-002", "normal-001")):
        (study.path / name / "scan").mkdir(parents=True)
        (study.path / name / "contours").mkdir()
        (study.path / name / "contours" / "contours.dcm").write_text("drawn")
        series = make_series(shape=SHAPE, spacing_mm=SPACING_MM, seed=number)
        lesions, vertebrae = np.zeros((2, *SHAPE), dtype=np.uint16)
        vertebrae[:, 10:40, 30:60] = 1
        # Below a thousandth curves stand still.
        rng = np.random.default_rng(number)
        values = 0.002 * rng.random(working_shape(series.shape, series.affine))
        if number < 2:
            lesions[1:4, 12:24, 32:48] = 1 + number
            values[1:4, 14:31, 25:40] = 0.9
        if number == 0:
            lesions[2, 30:35, 50:58] = 2
            values[2, 36:45, 38:48] = 0.95
            values[1, 66:76, 55:65] = 0.8
        if number == 1:
            values[2:5, 70:80, 20:32] = 0.7
        cases[name] = series, Annotation(lesions, vertebrae)
        study.save_likelihood_map(Case(study.path / name), MAPS, mapped(series, values))

    def contoured(
        self: Study, only: Sequence[str] | None = None
    ) -> Iterator[tuple[Case, SagittalSeries, Annotation]]:
        for case in self.cases():
            if only is None or case.name in only:
                yield case, *cases[case.name]

    monkeypatch.setattr(Study, "contoured", contoured)
    return study, cases


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not rendered, which takes a second each; their files hold their lines."""

    def rendered(figure: Figure) -> dict[str, bytes]:
        lines = [line.get_xydata().tolist() for line in figure.findobj(Line2D)]
        return {kind: f"{kind} {lines}".encode() for kind in ("png", "svg")}

    monkeypatch.setattr(export, "rendered", rendered)


def told(out: Path) -> dict[str, dict[str, object]]:
    index = json.loads((out / "figures.json").read_text())
    assert index["notice"] == DISCLAIMER
    return index["figures"]


def contents(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in out.iterdir()} if out.is_dir() else {}


@pytest.mark.parametrize("form", ["patch", "dense"])
def test_figure_3_shows_what_training_draws(
    form: str, make_series: Callable[..., SagittalSeries]
) -> None:
    """The four patches of a lesion's only pixel are all that batches with flips ever hold of it.

    Of the dense form the middle of the window is shown, which has a margin of context.
    """
    series = make_series(shape=(3, 60, 70))
    lesions, vertebrae = np.zeros((2, *series.shape), dtype=np.uint16)
    lesions[1, 26, 44] = 1
    vertebrae[1, 20:30, 40:50] = 1
    annotation = Annotation(lesions, vertebrae)
    network = small_net(form=form)
    (place,) = lesion_places("case-001", annotation, series.spacing_mm)
    assert (place.slice, place.row, place.column, place.area_cm2) == (1, 26, 44, 0.01)
    group = lesion_patches(series, annotation, network, place)
    rng = np.random.default_rng(0)
    batches = WindowBatches([(series, annotation)], network, rng, 2)
    drawn = {}
    for _ in range(40):
        batch = batches.draw(rng, flips=True)
        window = batch.windows.numpy()[batch.labels == 1][0]
        margin = network.margin
        middle = window[:, margin : window.shape[1] - margin, margin : window.shape[2] - margin]
        drawn[middle.tobytes()] = middle
    shown = [group.flipped(axes)[0] for _, axes in FLIPS]
    assert len(drawn) == len(shown) == 4
    for middle in drawn.values():
        assert min(np.abs(middle - patch).max() for patch in shown) < 1e-5


def test_figure_3_contours_lie_on_the_grid_of_the_patch(
    make_series: Callable[..., SagittalSeries],
) -> None:
    """Where nothing but the lesion is bright, the bright part is what is outlined.

    To the pixel in the patch that needs no resampling, to half a pixel of the scan in others;
    the last row of the picture is mirrored beyond its border, the lesion on it too.
    """
    lesions = np.zeros((1, 60, 70), dtype=np.uint16)
    lesions[0, 40:, 36:46] = 1
    series = make_series(100.0 * lesions)
    annotation = Annotation(lesions, np.zeros_like(lesions))
    (place,) = lesion_places("case-001", annotation, series.spacing_mm)
    group = lesion_patches(series, annotation, small_net(), place)
    for resolution, patch, lesion in zip(group.resolutions, group.patches, group.lesions):
        bright = patch > (patch.min() + patch.max()) / 2
        assert lesion[15, 11]
        if resolution == 1:
            np.testing.assert_array_equal(lesion, bright)
            assert lesion[-1].any()  # rows of the picture, then its mirror image
        pixels = 1 if resolution >= 1 else 2
        assert not (lesion & ~ndimage.binary_dilation(bright, iterations=pixels)).any()
        assert not (bright & ~ndimage.binary_dilation(lesion, iterations=pixels)).any()


@pytest.mark.parametrize("weight", [None, 0.4])
@pytest.mark.parametrize("threshold", [0.45, 0.55, 0.65])
def test_what_is_shown_as_false_is_what_the_froc_counts(
    weight: float | None, threshold: float, make_series: Callable[..., SagittalSeries]
) -> None:
    """Random maps: found regions and false positives of a case equal its row of the FROC."""
    rng = np.random.default_rng(7)
    series = make_series(shape=SHAPE, spacing_mm=SPACING_MM)
    noise = ndimage.gaussian_filter(rng.random(working_shape(SHAPE, series.affine)), (0, 3, 3))
    lesions = np.zeros(SHAPE, dtype=np.uint16)
    for _ in range(9):
        k, row, column = (rng.integers(n) for n in (SHAPE[0], 60, 90))
        lesions[k, row : row + 9, column : column + 9] = 1
    annotation = Annotation(lesions, np.zeros_like(lesions))
    plain = mapped(series, (noise - noise.min()) / np.ptp(noise))
    point = replace(POINT, threshold=threshold, weight=weight, min_area_cm2=0.2)
    verdicts = judge(evaluate(plain, point), annotation)
    table = CaseForests(FrocCase("case-001", ((plain, annotation),)), weight).table(
        min_area_cm2=0.2
    )
    rate, mean, total = (v[0] for v in table.at(np.array([threshold], np.float32)))
    wrong = sum(len(v.false) for v in verdicts)
    assert wrong == total > 0
    assert wrong / SHAPE[0] == pytest.approx(mean)
    rates = [v.regions_found / v.regions for v in verdicts if v.regions]
    assert np.mean(rates) == pytest.approx(rate)


def test_all_figures_of_a_study(held: Held, tmp_path: Path) -> None:
    """Each is there as PNG and SVG with its caption and facts, chosen as it should be."""
    study, cases = held
    out = tmp_path / "out"
    made = export_figures(study, out, a_source(), POINT)
    assert not made.left_out
    figures = told(out)
    assert list(figures) == [f"figure-{n}" for n in FIGURES]
    files = {name for facts in figures.values() for name in facts["files"]} | {"figures.json"}
    assert set(contents(out)) == files == {path.name for path in made.files}
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


def test_false_positives_are_marked_in_each_map(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the slice and in its map, as many as the caption counts."""
    study, _ = held
    drawn: list[Figure] = []
    monkeypatch.setattr(export, "rendered", lambda figure: drawn.append(figure) or {})
    export_figures(study, tmp_path / "out", a_source(), POINT, only=[6, 7, 8])
    shown = [facts["false_positives"]["shown"] for facts in told(tmp_path / "out").values()]
    marked = [[t.get_text() for t in figure.findobj(Text)].count("FP") for figure in drawn]
    assert shown == [0, 1, 2]
    assert marked == [0, 2, 4]


@pytest.mark.usefixtures("sketched")
def test_figure_5_tables_hold_the_curves(held: Held, tmp_path: Path) -> None:
    """Every raw point of the study's curve, as a table that can be read as a published one."""
    study, _ = held
    export_figures(study, tmp_path / "out", a_source(), POINT, only=[5])
    for name, weight in ((AGGREGATED, 0.4), (PLAIN, None)):
        drawn = redrawn(study, MAPS, replace(POINT, weight=weight))
        assert drawn is not None
        curve = drawn.curve
        path = tmp_path / "out" / f"figure-5-{name}.csv"
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        for column, values in (
            ("threshold", curve.thresholds),
            ("tp_rate", curve.tp_rate),
            ("fp_mean_over_slices", curve.fp_mean),
            ("fp_per_scan", curve.fp_sum),
        ):
            assert [float(row[column]) for row in rows] == values.tolist()
        for reading, points in read_points(path).items():
            np.testing.assert_array_equal(points, points_of(curve)[reading])


@pytest.mark.usefixtures("sketched")
def test_a_network_with_one_resolution_is_the_third_curve(held: Held, tmp_path: Path) -> None:
    """If the study says that it had one, and it has maps of the same cases."""
    study, cases = held
    for name in cases:
        known = study.likelihood_map(study.case(name), MAPS)
        assert known is not None
        less = replace(known, values=known.values * 0.7)
        study.save_likelihood_map(study.case(name), MapIdentity.of_cross_validation("one"), less)
        study.save_likelihood_map(study.case(name), MapIdentity.of_cross_validation("three"), less)
    for run, resolutions in (("one", (1.0,)), ("three", (0.5, 1.0, 2.0))):
        path = study.path / "crossval" / run / "fold-01-decay-0.001.safetensors"
        save_model(small_net(resolutions), path)
    export_figures(study, tmp_path / "out", a_source(), POINT, only=[5])
    facts = told(tmp_path / "out")["figure-5"]
    third = facts["curves"]["one-resolution"]
    assert third["model"] == "crossval-one"
    assert third["tp_rate"] < facts["curves"]["with-aggregation"]["tp_rate"]
    assert "figure-5-one-resolution.csv" in facts["files"]
    assert "One resolution (1 mm/pixel)" in str(third["name"])
    # Without the map of a case it would be the curve of another cohort.
    next((study.path / "likelihood" / "crossval-one").glob("case-002*")).unlink()
    export_figures(study, tmp_path / "out", a_source(), POINT, only=[5])
    facts = told(tmp_path / "out")["figure-5"]
    assert set(facts["curves"]) == {"with-aggregation", "without-aggregation"}
    assert "figure-5-one-resolution.csv" not in contents(tmp_path / "out")


@pytest.mark.usefixtures("sketched")
def test_a_cross_validation_shows_its_own_maps(held: Held, tmp_path: Path) -> None:
    """Of the cases that it held; what it was trained with comes from its networks."""
    study, _ = held
    with pytest.raises(SpinemetError, match=r"no maps of a cross-validation 'run'; run 'spinemet"):
        MapSource.of_folds(study, "run")
    known = study.likelihood_map(study.case("case-002"), MAPS)
    assert known is not None
    study.save_likelihood_map(study.case("case-002"), MapIdentity.of_cross_validation("run"), known)
    with pytest.raises(SpinemetError, match="no longer in"):
        MapSource.of_folds(study, "run")
    with pytest.raises(SpinemetError, match="there are run; choose one"):
        MapSource.of_folds(study, "other")
    card = ModelCard(training={"config": {"flips": False, "variation": 0.5}})
    path = study.path / "crossval" / "run" / "fold-02-decay-0.001.safetensors"
    save_model(small_net((1.0, 2.0)), path, card)
    assert MapSource.of_folds(study, "run").point is None
    point = OperatingPoint(0.7, 0.5, 0.4).to_dict()
    (path.parent / "report.json").write_text(json.dumps({"operating_point": point}))
    source = MapSource.of_folds(study, "run")
    assert source.point == OperatingPoint(0.7, 0.5, 0.4)
    assert source.network.resolutions == (1, 2)
    seen = survey(study, source, POINT)
    assert [c.case_id for c in seen.curves[AGGREGATED].cases] == ["case-002"]
    export_figures(study, tmp_path / "out", source, POINT, only=[3, 6])
    figures = told(tmp_path / "out")
    assert figures["figure-6"]["case"] == "case-002"
    assert figures["figure-6"]["model"] == "crossval-run"
    assert figures["figure-3"]["flips"] == ["as it is"]
    assert figures["figure-3"]["resolutions_mm"] == [1, 2]
    assert "without mirroring" in figures["figure-3"]["caption"]
    assert "turns, stretches" in figures["figure-3"]["caption"]
    with pytest.raises(SpinemetError, match="no likelihood map by crossval-run of case-001"):
        export_figures(study, tmp_path / "out", source, POINT, only=[6], case="case-001")


@pytest.mark.usefixtures("sketched")
def test_only_and_case_narrow_the_choice(held: Held, tmp_path: Path) -> None:
    """A figure that was not asked for keeps its place; the curve is of all cases."""
    study, _ = held
    out = tmp_path / "out"
    export_figures(study, out, a_source(), POINT, only=[4])
    before = contents(out)
    export_figures(study, out, a_source(), POINT, only=[5, 6], case="case-002")
    figures = told(out)
    assert list(figures) == ["figure-4", "figure-5", "figure-6"]
    assert figures["figure-4"]["case"] == "case-001"
    assert figures["figure-6"]["case"] == "case-002"
    assert len(figures["figure-5"]["cases"]) == 3
    after = contents(out)
    assert all(after[name] == before[name] for name in ("figure-4.png", "figure-4.svg"))


@pytest.mark.usefixtures("sketched")
def test_patches_and_contours_need_no_maps(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network runs for figures that show none of its work."""
    study, _ = held
    monkeypatch.setattr(MapSource, "map_of", lambda *_, **__: pytest.fail("a map was asked for"))
    export_figures(study, tmp_path / "out", a_source(), POINT, only=[3, 4], case="case-002")
    figures = told(tmp_path / "out")
    (lesion,) = figures["figure-3"]["lesions"]
    assert lesion["case"] == figures["figure-4"]["case"] == "case-002"


@pytest.mark.usefixtures("sketched")
def test_without_a_false_positive_figure_8_says_why_it_is_not_there(
    held: Held, tmp_path: Path
) -> None:
    """One of a former run would be of another operating point, so it goes; other files stay."""
    study, _ = held
    out = tmp_path / "out"
    export_figures(study, out, a_source(), POINT, only=[8])
    assert "figure-8.png" in contents(out)
    (out / "figure-8-notes.txt").write_text("mine")
    made = export_figures(study, out, a_source(), replace(POINT, threshold=0.85), only=[8])
    assert made.left_out == {
        "figure-8": "Figure 8 was not made: at the threshold 0.85 there is no false positive to "
        "show."
    }
    assert set(contents(out)) == {"figures.json", "figure-8-notes.txt"}
    assert told(out) == {}


def test_the_same_study_gives_the_same_files(held: Held, tmp_path: Path) -> None:
    """Byte for byte."""
    study, _ = held
    for name in ("one", "other"):
        export_figures(study, tmp_path / name, a_source(), POINT, only=[6])
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


@pytest.mark.usefixtures("sketched")
def test_an_interrupted_write_leaves_whole_files(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is the former or the new one, and nothing lies beside them."""
    study, _ = held
    out = tmp_path / "out"
    other = replace(POINT, threshold=0.65)
    export_figures(study, out, a_source(), other, only=[5, 6])
    new = contents(out)
    for path in out.iterdir():
        path.unlink()
    export_figures(study, out, a_source(), POINT, only=[5, 6])
    former = contents(out)
    count, sync = iter(range(100)), storage.os.fsync

    def killed(handle: int) -> None:
        if next(count) == 3:
            raise KeyboardInterrupt
        sync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(storage.os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            export_figures(study, out, a_source(), other, only=[5, 6])
    left = contents(out)
    assert set(left) == set(former)
    assert all(data in (former[name], new[name]) for name, data in left.items())
    assert left["figure-5.png"] == new["figure-5.png"] != former["figure-5.png"]
    assert left["figures.json"] == former["figures.json"]


@pytest.mark.usefixtures("sketched")
def test_a_stop_writes_nothing(held: Held, tmp_path: Path) -> None:
    """Asked for while the cases are looked at, or while figures are drawn."""
    study, _ = held
    for last in (1, 3):
        token = CancelToken()

        def stop(event: object, token: CancelToken = token, last: int = last) -> None:
            if getattr(event, "done", 0) == last:
                token.cancel()

        with pytest.raises(Cancelled):
            export_figures(study, tmp_path / "out", a_source(), POINT, on_event=stop, cancel=token)
        assert contents(tmp_path / "out") == {}


@pytest.mark.usefixtures("sketched")
def test_what_cannot_be_shown_is_one_sentence(held: Held, tmp_path: Path) -> None:
    """What is wrong, where, and how to mend it; nothing is written."""
    study, cases = held
    out = tmp_path / "out"

    def refused(match: str, **given: object) -> None:
        with pytest.raises(SpinemetError, match=match) as raised:
            export_figures(study, out, a_source(), POINT, **given)
        assert str(raised.value).count(". ") == 0
        assert contents(out) == {}

    refused("no figure 2 to make; choose among 3 to 8", only=[2, 5])
    refused("has no case nonsense", case="nonsense")
    refused(
        r"case normal-001 of .* has no lesion, which figure 3 and 4 must show; contour one, "
        "choose another case",
        only=[3, 4],
        case="normal-001",
    )
    for name, (series, annotation) in list(cases.items()):
        bare = replace(annotation, lesions=np.zeros_like(annotation.lesions))
        cases[name] = series, bare
    refused(r"None of the 3 contoured cases of .* has a lesion.* contour one, or", only=[3])
    refused("which figure 3 and 4 and 5 and 6 and 7 must show")
    export_figures(study, out, a_source(), POINT, only=[8])
    assert told(out)["figure-8"]["regions_shown"] == 0


@pytest.mark.usefixtures("sketched")
def test_a_point_without_aggregation_takes_the_papers_weight(held: Held, tmp_path: Path) -> None:
    """Figure 6 is of aggregated maps whatever a model uses, and says with what weight."""
    study, _ = held
    point = replace(POINT, weight=None)
    export_figures(study, tmp_path / "out", a_source(), point, only=[6])
    assert told(tmp_path / "out")["figure-6"]["operating_point"]["weight"] == 0.4
