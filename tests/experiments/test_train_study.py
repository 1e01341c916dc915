"""Training on a study: what is read, what is kept, and what a cut run leaves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.experiments.train_study import train_study
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.jobs import CancelToken, Evaluated, Event, Progressed
from napari_spinemet.network import load_model
from napari_spinemet.study import Study
from napari_spinemet.training import TrainingConfig

CONFIG = TrainingConfig(
    resolutions=(1.0,),
    blocks=(1, 1, 1),
    epochs=2,
    batches_per_epoch=1,
    method="blocks",
    batch_size=8,
)


@pytest.fixture
def study(
    tmp_path: Path, small_case: tuple[SagittalSeries, Annotation], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Two cases with the same lesion, read from memory."""
    for name in ("case-001", "case-002"):
        (tmp_path / name / "scan").mkdir(parents=True)
    series, annotation = small_case
    held = [(case, series, annotation) for case in Study(tmp_path).cases()]
    monkeypatch.setattr(Study, "contoured", lambda _, only=None: iter(held))
    return tmp_path


def test_the_finished_model_is_kept_and_nothing_else(study: Path) -> None:
    """Weights and card under its name; the weights of the unfinished run are gone."""
    events: list[Event] = []
    path, card = train_study(study, CONFIG, name="mine", on_event=events.append)
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
    path, _ = train_study(study, CONFIG, name="mine")
    before = path.read_bytes()
    token = CancelToken()

    def stop(event: Event) -> None:
        if isinstance(event, Evaluated):
            token.cancel()

    with pytest.raises(Cancelled):
        train_study(
            study, dataclasses.replace(CONFIG, seed=1), name="mine", on_event=stop, cancel=token
        )
    assert path.read_bytes() == before
    assert [p.stem for p in Study(study).model_files()] == ["mine"]
    unfinished = study / "models" / "unfinished" / "mine.safetensors"
    assert unfinished.read_bytes() != before
    resumed, card = train_study(study, CONFIG, name="mine", start=unfinished)
    assert resumed == path
    assert card.training["started_from"]["finished"] is False
    assert card.training["started_from"]["config"]["seed"] == 1
    assert not unfinished.exists()


@pytest.mark.parametrize("name", ["", "../other", "a b", ".hidden", "a/b"])
def test_a_name_that_is_no_file_name_is_refused(study: Path, name: str) -> None:
    """Before anything is read or written."""
    with pytest.raises(SpinemetError, match="cannot name a model"):
        train_study(study, CONFIG, name=name)
    assert not (study / "models").exists()
