"""Weights on disk: safetensors with a card beside; nothing that could run code is opened."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from ..atomic_files import replace_atomically, write_text
from ..errors import SpinemetError
from .card import DEFAULT, ModelCard, load_card, model_names, weights_path
from .provenance import provenance_sentence
from .siamese import SiameseNet

__all__ = ["load_model", "model_names", "save_model"]


def save_model(
    model: SiameseNet, path: str | os.PathLike[str], card: ModelCard | None = None
) -> ModelCard:
    """Write weights and card.

    Parameters
    ----------
    model : SiameseNet
    path : path-like
        The ``.safetensors`` file; the card gets the same name with ``.json``.
    card : ModelCard, optional
        Its configuration and hash are filled in here.

    Returns
    -------
    ModelCard
        As written.

    Raises
    ------
    SpinemetError
        If the file cannot be written; the former one is then as it was.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import napari_spinemet as spinemet
    >>> network = spinemet.SiameseNet((1,), "dense", (1, 1, 1), widths=(4, 4, 8), hidden=8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = spinemet.save_model(network, Path(folder) / "small.safetensors")
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['small.json', 'small.safetensors']
    >>> card.name, card.configuration["resolutions"]
    ('small', [1.0])
    """
    target = Path(path)
    if target.suffix != ".safetensors":
        target = target.with_name(target.name + ".safetensors")
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    with replace_atomically(target) as temporary:
        try:
            save_file(tensors, temporary)
        except SafetensorError as error:  # how a full disk shows itself here
            raise SpinemetError(
                f"{target} cannot be written ({error}); free some space or choose another place."
            ) from error
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
        complete = replace(
            card or ModelCard(name=target.stem),
            configuration=model.configuration(),
            sha256=digest,
        )
        # Card first: weights without their card are refused, a stale card is found by its hash.
        write_text(target.with_suffix(".json"), complete.to_json())
    return complete


def load_model(
    name_or_path: str | os.PathLike[str] = DEFAULT, *, form: str | None = None
) -> SiameseNet:
    """Load a model in evaluation mode; it knows what its card says that it has learned from.

    Parameters
    ----------
    name_or_path : str or path-like
        Name of a shipped model, a ``.safetensors`` file, or a folder with
        ``model.safetensors``.
    form : {"patch", "dense"}, optional
        Refuse weights of the other form.

    Raises
    ------
    SpinemetError
        If the file is no model of this program, is damaged, or has the other form.

    Examples
    --------
    >>> import napari_spinemet as spinemet
    >>> network = spinemet.load_model("default", form="dense")
    >>> network.resolutions, network.outputs, network.training
    ((0.5, 1.0, 2.0), 3, False)
    """
    path = weights_path(name_or_path)
    data = path.read_bytes()
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise SpinemetError(
            f"{path.name} is not a model of this program; choose a .safetensors file that it wrote."
        ) from error
    card = load_card(path)
    if card.sha256 != hashlib.sha256(data).hexdigest():
        raise SpinemetError(
            f"The weights {path.name} and their card do not belong together; copy both files again."
        )
    model = SiameseNet.from_configuration(card.configuration)
    if form is not None and model.form != form:
        raise SpinemetError(
            f"{path.name} holds weights of the {model.form} form, and the {form} form was asked "
            "for; the two do not mix."
        )
    _load_state(model, tensors, path.name)
    model.second_look = card.second_look
    model.familiarity = card.familiarity
    model.learned_from = provenance_sentence(card)
    return model.eval()


def _load_state(model: SiameseNet, tensors: dict[str, torch.Tensor], name: str) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise SpinemetError(f"{name} does not fit the network that its card describes.") from error
    if not all(torch.isfinite(v).all() for v in tensors.values() if v.is_floating_point()):
        raise SpinemetError(f"{name} holds weights that are not finite; use another model.")
