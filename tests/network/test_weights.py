"""Weights and cards on disk: a true round trip, and nothing that could run code is opened."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.network import (
    ModelCard,
    SiameseNet,
    load_card,
    load_model,
    model_names,
    save_model,
)

TINY = {"widths": (4, 8), "blocks": (1, 1), "hidden": 8, "patch_shape": (31, 31)}


@pytest.fixture
def model() -> SiameseNet:
    """A small network of the dense form."""
    torch.manual_seed(0)
    return SiameseNet(form="dense", outputs=3, **TINY).eval()  # type: ignore[arg-type]


@pytest.fixture
def saved(model: SiameseNet, tmp_path: Path) -> Path:
    """Its weights on disk."""
    save_model(model, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def test_a_model_comes_back_as_it_was(model: SiameseNet, tmp_path: Path) -> None:
    """Same configuration, same bits, same scores, in evaluation mode."""
    save_model(model, tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert again.configuration() == model.configuration()
    assert not again.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    x = torch.randn(2, 3, *model.window)
    assert torch.equal(again(x), model(x))


def test_the_card_comes_back_as_it_was(model: SiameseNet, tmp_path: Path) -> None:
    """Every field of it; configuration and hash are filled in on saving."""
    card = ModelCard(
        name="second",
        operating_point=OperatingPoint(0.72, 1.5, None, True),
        training={"cases": 24, "command": "spinemet train"},
        metrics={"tp_rate": 0.995},
    )
    written = save_model(model, tmp_path / "m.safetensors", card)
    assert load_card(tmp_path / "m.safetensors") == written
    assert written.configuration == model.configuration()
    assert (written.operating_point, written.training) == (card.operating_point, card.training)
    assert len(written.sha256) == 64
    assert written.identity == f"second@{written.sha256[:12]}"


def test_a_second_look_is_the_models_own(model: SiameseNet, tmp_path: Path) -> None:
    """It comes with the weights and is part of their identity; without one nothing speaks of it."""
    path = tmp_path / "m.safetensors"
    without = save_model(model, path, ModelCard(name="one"))
    assert "second_look" not in json.loads(path.with_suffix(".json").read_text())
    assert load_model(path).second_look is None
    identities = {without.identity}
    for bias in (0.0, 1.0):
        look = {"features": ["size"], "bias": bias}
        card = save_model(model, path, ModelCard(name="one", second_look=look))
        assert load_card(path) == card
        assert load_model(path).second_look == look
        assert card.sha256 == without.sha256
        identities.add(card.identity)
    assert len(identities) == 3


def test_weights_with_another_memory_layout_are_saved_alike(
    model: SiameseNet, tmp_path: Path
) -> None:
    """Training leaves tensors in channels-last order; the file is the same."""
    first = save_model(model, tmp_path / "a.safetensors")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert save_model(model, tmp_path / "b.safetensors").sha256 == first.sha256


def test_a_missing_suffix_is_added_and_a_folder_is_a_model(
    model: SiameseNet, tmp_path: Path
) -> None:
    """`model` becomes `model.safetensors`, which its folder then stands for."""
    save_model(model, tmp_path / "model")
    assert (tmp_path / "model.safetensors").is_file()
    assert load_model(tmp_path).configuration() == model.configuration()


def test_a_dot_in_a_name_is_no_suffix(model: SiameseNet, tmp_path: Path) -> None:
    """`spine-1.2` keeps its name, and its card lies beside it."""
    save_model(model, tmp_path / "spine-1.2")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "spine-1.2.json",
        "spine-1.2.safetensors",
    ]
    load_model(tmp_path / "spine-1.2.safetensors")


def test_the_wrong_form_is_refused(saved: Path) -> None:
    """Weights belong to one form, and the sentence names both."""
    assert load_model(saved, form="dense").form == "dense"
    with pytest.raises(SpinemetError, match="dense form, and the patch form"):
        load_model(saved, form="patch")


def test_tampered_weights_are_refused(saved: Path) -> None:
    """A single changed bit of a valid file no longer has the hash of its card."""
    tensors = load_file(saved)
    tensors["score.bias"][0] += 1e-3
    save_file(tensors, saved)
    with pytest.raises(SpinemetError, match="do not belong together"):
        load_model(saved)


def test_weights_that_do_not_fit_their_card_are_refused(saved: Path) -> None:
    """A card that describes another network, with the right hash, is found out."""
    card = saved.with_suffix(".json")
    values = json.loads(card.read_text())
    values["configuration"]["hidden"] = 9
    card.write_text(json.dumps(values))
    with pytest.raises(SpinemetError, match="does not fit"):
        load_model(saved)


def test_weights_that_are_not_finite_are_refused(model: SiameseNet, tmp_path: Path) -> None:
    """They would make every likelihood a NaN."""
    with torch.no_grad():
        model.score.bias[0] = float("nan")
    save_model(model, tmp_path / "m")
    with pytest.raises(SpinemetError, match="not finite"):
        load_model(tmp_path / "m.safetensors")


class _Canary:
    """A pickle that makes a folder as soon as it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["text", "empty", "pickle", "torch", "truncated"])
def test_other_files_are_refused_and_no_pickle_runs(saved: Path, tmp_path: Path, kind: str) -> None:
    """One sentence that names the file; a canary pickle never comes to life."""
    canary = tmp_path / "canary"
    contents = {
        "text": lambda: saved.write_text("these are no weights\n"),
        "empty": lambda: saved.write_bytes(b""),
        "pickle": lambda: saved.write_bytes(pickle.dumps(_Canary(canary))),
        "torch": lambda: torch.save({"state": _Canary(canary)}, saved),
        "truncated": lambda: saved.write_bytes(saved.read_bytes()[:-10]),
    }
    contents[kind]()
    with pytest.raises(SpinemetError, match=r"m\.safetensors is not a model of this program") as e:
        load_model(saved)
    assert "\n" not in str(e.value)
    assert not canary.exists()


def test_the_canary_would_have_run(tmp_path: Path) -> None:
    """Opened as a pickle, it does make the folder: the test above can fail."""
    (tmp_path / "m.pt").write_bytes(pickle.dumps(_Canary(tmp_path / "canary")))
    pickle.loads((tmp_path / "m.pt").read_bytes())
    assert (tmp_path / "canary").is_dir()


def test_a_missing_card_is_named(saved: Path) -> None:
    """Weights alone are refused; the sentence says which file to copy."""
    saved.with_suffix(".json").unlink()
    for load in (load_model, load_card):
        with pytest.raises(SpinemetError, match=r"m\.json is missing"):
            load(saved)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"operating_point": {"threshold": "high"}}', "\xff\xfe"],
)
def test_a_damaged_card_is_refused(saved: Path, text: str) -> None:
    """Whatever is wrong with it."""
    saved.with_suffix(".json").write_bytes(text.encode("latin-1"))
    with pytest.raises(SpinemetError, match=r"m\.json is damaged"):
        load_card(saved)


@pytest.mark.parametrize(
    "configuration",
    [
        None,
        [],
        "dense",
        {},
        {"form": "dense"},
        {"hidden": -5},
        {"hidden": "many"},
        {"resolutions": ["fine"]},
        {"widths": [4, 7]},
        {"normalisation": {"sigma": 3}},
        {"normalisation": {"sigma_mm": -1.0}},
        {"normalisation": {"wide_sigma_mm": "far"}},
        {"patch_shape": 31},
        {"surprise": 1},
    ],
)
def test_a_card_that_describes_no_network_is_refused(saved: Path, configuration: object) -> None:
    """A configuration that is missing, incomplete or impossible is one sentence."""
    card = saved.with_suffix(".json")
    values = json.loads(card.read_text())
    whole = values["configuration"]
    if isinstance(configuration, dict) and configuration and configuration != {"form": "dense"}:
        configuration = {**whole, **configuration}
    values["configuration"] = configuration
    card.write_text(json.dumps(values))
    with pytest.raises(SpinemetError):
        load_model(saved)


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    """With what there is to choose from."""
    with pytest.raises(SpinemetError, match="no model 'nonesuch'"):
        load_model("nonesuch")
    with pytest.raises(SpinemetError, match="There is no model"):
        load_card(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("name", model_names())
def test_a_shipped_model_loads_and_has_its_card(name: str) -> None:
    """Every model that comes with the program is whole and says what it operates at."""
    model, card = load_model(name), load_card(name)
    assert card.configuration == model.configuration()
    assert 0 < card.operating_point.threshold <= 1


def test_reading_a_card_needs_no_torch(saved: Path) -> None:
    """Lists of models appear at once."""
    code = (
        "import sys; from napari_spinemet.network.card import load_card\n"
        f"load_card({str(saved)!r}); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0
