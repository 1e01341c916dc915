"""Training on a study: what is read, what is kept, and what a cut run leaves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.jobs import (
    UNATTENDED,
    CancelToken,
    Evaluated,
    Event,
    JobContext,
    Progressed,
)
from napari_spinemet.network import ModelCard, load_model, save_model, scan_fingerprint
from napari_spinemet.study import Case, Study
from napari_spinemet.study.run_files import has_training_state
from napari_spinemet.training import TrainingConfig
from napari_spinemet.workflows.study_training import StudyTraining, split_cases, train_study
from tests.detection.comparison.drawn_scan import look_of

CONFIG = TrainingConfig(
    resolutions=(1.0,),
    blocks=(1, 1, 1),
    epochs=2,
    batches_per_epoch=1,
    method="blocks",
    batch_size=8,
)


def _train(
    study: Path, config: TrainingConfig = CONFIG, job: JobContext = UNATTENDED, **task: Any
) -> tuple[Path, ModelCard]:
    return train_study(StudyTraining(study, **task), config, job=job)


def _is_step(event: Event) -> bool:
    return isinstance(event, Progressed) and event.task == "train" and "loss" in event.values


@pytest.fixture
def study(
    tmp_path: Path, small_case: tuple[SagittalSeries, Annotation], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Two cases with the same lesion, read from memory."""
    for name in ("case-001", "case-002"):
        (tmp_path / name / "scan").mkdir(parents=True)
    series, annotation = small_case
    held = [
        (case, dataclasses.replace(series, series_uid=f"1.{number}"), annotation)
        for number, case in enumerate(Study(tmp_path).cases())
    ]
    monkeypatch.setattr(Study, "contoured_cases", lambda _, only=None: iter(held))
    return tmp_path


def test_the_finished_model_is_kept_and_nothing_else(study: Path) -> None:
    """Weights and card under its name; the weights of the unfinished run are gone."""
    events: list[Event] = []
    path, card = _train(study, name="mine", job=JobContext(events.append))
    assert path == study / "models" / "mine.safetensors"
    assert load_model(path).configuration() == card.configuration
    assert sorted(p.name for p in (study / "models").rglob("*")) == [
        "mine.json",
        "mine.safetensors",
    ]
    assert card.training["cases"] == 1
    read = [e.message for e in events if isinstance(e, Progressed) and e.task == "read"]
    assert read == ["reading case-001", "reading case-002"]


def test_a_cut_run_leaves_the_former_model_and_its_own_best_weights(study: Path) -> None:
    """Training can go on from them; the model of that name is as it was."""
    path, _ = _train(study, name="mine")
    before = path.read_bytes()
    token = CancelToken()

    def stop(event: Event) -> None:
        if isinstance(event, Evaluated):
            token.cancel()

    with pytest.raises(Cancelled):
        _train(study, dataclasses.replace(CONFIG, seed=1), JobContext(stop, token), name="mine")
    assert path.read_bytes() == before
    assert [p.stem for p in Study(study).model_files()] == ["mine"]
    unfinished = study / "models" / "unfinished" / "mine.safetensors"
    assert unfinished.read_bytes() != before
    resumed, card = _train(study, name="mine", start=str(unfinished))
    assert resumed == path
    assert card.training["started_from"]["finished"] is False
    assert card.training["started_from"]["config"]["seed"] == 1
    assert not unfinished.exists()


@pytest.mark.parametrize("name", ["", "../other", "a b", ".hidden", "a/b"])
def test_a_name_that_is_no_file_name_is_refused(study: Path, name: str) -> None:
    """Before anything is read or written."""
    with pytest.raises(SpinemetError, match="cannot name a model"):
        _train(study, name=name)
    assert not (study / "models").exists()


def test_the_name_of_a_crossvalidation_is_refused(study: Path) -> None:
    """Its maps would be taken for out-of-fold ones."""
    with pytest.raises(SpinemetError, match="maps of a cross-validation"):
        _train(study, name="crossval-run")


def test_of_a_grid_the_network_that_validates_best_is_kept(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the lowest validation error of all; cut short, finished networks are not made again."""
    events: list[Event] = []
    token = CancelToken()
    decays = (0.1, 0.001)

    def stop_in_the_second(event: Event) -> None:
        events.append(event)
        if isinstance(event, Evaluated) and sum(isinstance(e, Evaluated) for e in events) == 3:
            token.cancel()

    with pytest.raises(Cancelled):
        _train(study, job=JobContext(stop_in_the_second, token), name="grid", weight_decays=decays)
    assert has_training_state(study / "models" / "grid.safetensors")
    steps = [e for e in events if _is_step(e)]
    assert [(e.done, e.total) for e in steps] == [(1, 4), (2, 4), (3, 4)]
    assert steps[2].message.startswith("lambda 0.0005, 2 of 2")
    more: list[Event] = []
    job = JobContext(more.append)
    _, card = _train(study, job=job, name="grid", weight_decays=decays, resume=True)
    again = [e for e in more if _is_step(e)]
    assert [e.done for e in again] == [4]
    _, at_once = _train(study, name="whole", weight_decays=decays)
    assert card.sha256 == at_once.sha256
    tried = card.metrics["weight_decays"]
    assert [t["weight_decay"] for t in tried] == list(decays)
    errors = [t["validation_error"] for t in tried]
    kept = card.training["config"]["weight_decay"]
    assert dict(zip(decays, errors, strict=True))[kept] == min(errors)  # two may be equal
    assert not has_training_state(study / "models" / "grid.safetensors")


def test_a_single_case_is_trained_on_and_the_card_says_so(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is none to validate on; nor could a grid be decided."""
    held = list(Study(study).contoured_cases())[:1]
    monkeypatch.setattr(Study, "contoured_cases", lambda _, only=None: iter(held))
    _, card = _train(study, name="single")
    assert card.training["cases"] == 1
    assert any("only case with lesions" in note for note in card.training["notes"])
    with pytest.raises(SpinemetError, match="contour a second case"):
        _train(study, name="single", weight_decays=(0.1, 0.01))


def test_without_vertebrae_there_is_nothing_to_tell_bone_by(
    study: Path, small_case: tuple[SagittalSeries, Annotation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three outputs are refused with what to do, and two are enough; one bare case is noted."""
    series, annotation = small_case
    bare = dataclasses.replace(annotation, vertebrae=np.zeros_like(annotation.vertebrae), levels={})
    held = [(case, series, bare) for case, _, _ in Study(study).contoured_cases()]
    monkeypatch.setattr(Study, "contoured_cases", lambda _, only=None: iter(held))
    with pytest.raises(SpinemetError, match=r"vertebra contours.*two outputs"):
        _train(study, name="bare")
    assert not (study / "models" / "bare.safetensors").exists()
    path, _ = _train(study, dataclasses.replace(CONFIG, outputs=2), name="bare")
    assert path.exists()
    normal = Annotation(np.zeros_like(annotation.lesions), annotation.vertebrae, {1: "L2"})
    mixed = [*held, (dataclasses.replace(held[0][0], path=study / "other"), series, normal)]
    monkeypatch.setattr(Study, "contoured_cases", lambda _, only=None: iter(mixed))
    _, card = _train(study, name="mixed")
    assert any("No vertebra is contoured in case-00" in note for note in card.training["notes"])


def test_contours_that_change_meanwhile_are_told(
    study: Path, small_case: tuple[SagittalSeries, Annotation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model knows them as they were, and its card says whose they are."""
    _, annotation = small_case
    drawn = dataclasses.replace(annotation, lesions=np.roll(annotation.lesions, 3, axis=2))
    monkeypatch.setattr(
        Study, "contours_revision", property(lambda self: next(numbers)), raising=True
    )
    monkeypatch.setattr(
        Case,
        "annotation",
        lambda self, _: drawn if self.name == "case-002" else annotation,
    )
    numbers = iter([1, 2, 2, 2])
    _, card = _train(study, name="mine")
    (note,) = card.training["notes"]
    assert note.startswith("The contours of case-002 were changed while it trained;")
    numbers = iter([2, 2])
    _, card = _train(study, name="mine")
    assert card.training["notes"] == []


def test_what_a_model_started_from_has_seen_is_not_forgotten(
    study: Path, small_case: tuple[SagittalSeries, Annotation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scans stay on the card, and its second look; what is measured on them is too good."""
    held = [(case, *small_case) for case in Study(study).cases()]
    monkeypatch.setattr(Study, "contoured_cases", lambda _, only=None: iter(held))
    path, first = _train(study, name="first")
    look = look_of().to_dict()
    save_model(load_model(path), path, dataclasses.replace(first, second_look=look))
    # Both cases of this study are the same scan, so what validates was learned from.
    _, second = _train(study, name="second", start=str(path))
    assert (first.second_look, second.second_look) == (None, look)
    assert second.training["seen"]["training"] == first.training["seen"]["training"]
    assert "The model that it started from had learned from" in " ".join(second.training["notes"])
    (note,) = first.training["notes"]
    assert note.startswith("The same scan as that of case-00")
    assert "better than what can be expected" in note


def test_the_card_counts_the_scans_of_each_study(
    study: Path,
    tmp_path: Path,
    small_case: tuple[SagittalSeries, Annotation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that were learned from, so that a model says how many were synthetic."""
    own, phantoms = tmp_path / "own", tmp_path / "phantoms"
    held: dict[Path, list[tuple[Case, SagittalSeries, Annotation]]] = {}
    for folder, count in ((own, 2), (phantoms, 3)):
        for number in range(count):
            (folder / f"case-{number}" / "scan").mkdir(parents=True)
        held[folder] = [
            (case, dataclasses.replace(small_case[0], series_uid=f"{folder}.{k}"), small_case[1])
            for k, case in enumerate(Study(folder).cases())
        ]
    (phantoms / "cohort.json").write_text('{"phantom": {"cases": 3, "normals": 0, "seed": 1}}')
    monkeypatch.setattr(Study, "contoured_cases", lambda self, only=None: iter(held[self.path]))
    path, card = _train(own, name="mine", further_studies=(phantoms,))
    shares = card.training["cases_by_study"]
    assert sum(shares) == card.training["cases"]
    synthetic, users = (
        f"{count} {noun}{'s' if count != 1 else ''}"
        for count, noun in ((shares[1], "synthetic scan"), (shares[0], "scan"))
    )
    learned = [synthetic, f"{users} of a user's study"]
    sentence = f"The model has learned from {' and '.join(learned[: 1 + bool(shares[0])])};"
    assert load_model(path).learned_from.startswith(sentence)


def test_what_is_learned_from_does_not_validate(study: Path) -> None:
    """A study of validation cases that shares a scan with the others is refused."""
    with pytest.raises(SpinemetError, match=r"case-001 and case-002 .* among the scans to train"):
        _train(study, name="mine", validation_study=study)
    assert not (study / "models").exists()


def test_cases_that_were_learned_from_before_do_not_validate(
    small_case: tuple[SagittalSeries, Annotation],
) -> None:
    """As long as there are others; the split is else the one of the seed."""
    series, annotation = small_case
    cases = [
        (f"case-{k}", dataclasses.replace(series, series_uid=f"1.{k}"), annotation)
        for k in range(8)
    ]
    marks = [scan_fingerprint(s) for _, s, _ in cases]
    for seed in range(5):
        _, usual = split_cases(cases, seed)
        assert len(usual) == 2
        for new in ((1, 6), (0, 3)):
            known = frozenset(m for k, m in enumerate(marks) if k not in new)
            training, held_out = split_cases(cases, seed, known)
            assert [name for name, _, _ in held_out] == [f"case-{k}" for k in new]
            assert len(training) == 6
        assert split_cases(cases, seed, frozenset(marks))[1] == usual
