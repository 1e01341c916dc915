"""The Siamese network (paper, section 2.2 and Figure 2), in two forms of the same layers.

``patch`` is the paper's: zero padding inside each patch, each patch z-scored by itself.
``dense`` has the same layers and parameters, but its convolutions read real context where
the other pads with zeros, so a window is larger by :attr:`SiameseNet.margin` on each side
and neighbouring windows share all of their intermediate results.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import SpinemetError
from ..imaging.brightness.normalisation import LocalZScore
from ..imaging.patches import PATCH_SHAPE

FORMS = ("patch", "dense")
LESION, VERTEBRA = 1, 2
"""Outputs: 0 is neither, 1 lesion, 2 (of three outputs) normal vertebra."""


class ShiftBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with a trainable shift and a fixed unit gain."""

    def __init__(self, maps: int) -> None:
        super().__init__(maps)
        del self.weight
        self.register_buffer("weight", torch.ones(maps), persistent=False)


class Block(nn.Module):
    """Convolutions 3 x 3 with batch norm and ReLU, then a 3 x 3 maximum with stride 2."""

    def __init__(self, maps_in: int, maps: int, convolutions: int, padding: int) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        for k in range(convolutions):
            self.layers.append(
                nn.Conv2d(maps if k else maps_in, maps, 3, padding=padding, bias=False)
            )
            self.layers.append(ShiftBatchNorm(maps))
            self.layers.append(nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """Features before pooling: ``(batch, maps, row, column)``."""
        features: Tensor = self.layers(x)
        return features

    def forward_several(self, images: Sequence[Tensor]) -> list[Tensor]:
        """The same of images of several sizes, which share one batch's statistics."""
        if len(images) == 1 or not self.training:  # there are no statistics to share
            return [self(x) for x in images]
        parts = list(images)
        layers = list(self.layers)
        for convolution, norm, rectify in zip(layers[::3], layers[1::3], layers[2::3], strict=True):
            parts = [convolution(x) for x in parts]
            shapes = [(len(x), *x.shape[2:], x.shape[1]) for x in parts]
            # All pixels in one column, with the maps last as the convolutions leave them.
            pixels = torch.cat([x.permute(0, 2, 3, 1).flatten(0, 2) for x in parts])
            pixels = rectify(norm(pixels[None, :, None].permute(0, 3, 1, 2)))
            pixels = pixels.permute(0, 2, 3, 1).flatten(0, 2)
            columns = torch.split(pixels, [math.prod(shape[:3]) for shape in shapes])
            parts = [
                x.view(shape).permute(0, 3, 1, 2) for x, shape in zip(columns, shapes, strict=True)
            ]
        return parts


def pair_maximum(x: Tensor) -> Tensor:
    """Maximum of maps 2i and 2i + 1: ``(batch, 2m, ...)`` to ``(batch, m, ...)``."""
    pairs = torch.unflatten(x, 1, (-1, 2))
    return pairs.amax(2)


class SiameseNet(nn.Module):
    """One sub-network for every resolution, a joint head over their concatenated features.

    Parameters
    ----------
    resolutions : sequence of float
        mm per pixel of each branch, in the order of the input's second axis.
    form : {"patch", "dense"}
        See the module.
    blocks : sequence of int
        Number of convolutions before each pooling.
    outputs : int
        2 (neither, lesion) or 3 (neither, lesion, normal vertebra).
    widths : sequence of int
        Maps of each block.
    hidden : int
        Units of the first fully connected layer.
    dropout : float
        Share of these units that is left out at random while it is trained.
    patch_shape : tuple of int
        (rows, columns) of a patch, both odd.
    normalisation : LocalZScore
        Local normalisation of the dense form; not used by the patch form.

    Raises
    ------
    SpinemetError
        If such a network makes no sense, or the patch is too small for its poolings.

    Attributes
    ----------
    second_look : mapping or None
        What compares candidates in the maps of these weights, as their card holds it; None for
        weights that no second look was fitted to.
    familiarity : mapping or None
        What scans are compared with, as the card holds it; None where that was not measured.
    learned_from : str
        What its weights have learned from, in a sentence of its card; empty unless it was loaded.

    Notes
    -----
    The defaults have 733,410 trainable parameters.

    Examples
    --------
    >>> import torch
    >>> import napari_spinemet as spinemet
    >>> network = spinemet.SiameseNet(form="dense", outputs=3)
    >>> network.patch_shape, network.margin, network.window
    ((79, 55), 13, (105, 81))
    >>> network(torch.zeros(1, 3, 105, 81)).shape
    torch.Size([1, 3])
    """

    def __init__(
        self,
        resolutions: Sequence[float] = (0.5, 1, 2),
        form: str = "patch",
        blocks: Sequence[int] = (1, 2, 2),
        outputs: int = 2,
        *,
        widths: Sequence[int] = (16, 32, 64),
        hidden: int = 128,
        dropout: float = 0.5,
        patch_shape: tuple[int, int] = PATCH_SHAPE,
        normalisation: LocalZScore | None = None,
    ) -> None:
        super().__init__()
        _check_outside(resolutions, form, outputs)
        _check_layers(blocks, widths, hidden)
        self.resolutions = tuple(float(r) for r in resolutions)
        self.form = form
        self.block_sizes = tuple(blocks)
        self.outputs = outputs
        self.widths = tuple(widths)
        self.hidden_units = hidden
        self.dropout = dropout
        self.patch_shape = (int(patch_shape[0]), int(patch_shape[1]))
        self.second_look: Mapping[str, Any] | None = None
        self.familiarity: Mapping[str, Any] | None = None
        self.normalisation = normalisation or LocalZScore()
        self.learned_from = ""
        if self.normalisation.reference is not None and (form != "dense" or outputs != 3):
            raise SpinemetError(
                "Only a network in dense form with three outputs can find the marrow that its "
                "images are compared with."
            )
        padding = 1 if form == "patch" else 0
        self.blocks = nn.ModuleList(
            Block(maps_in, maps, convolutions, padding)
            for maps_in, maps, convolutions in zip(
                (1, *self.widths[:-1]), self.widths, self.block_sizes, strict=True
            )
        )
        self.kernel = _pooled_shape(self.patch_shape, len(self.block_sizes))
        maps = len(self.resolutions) * self.widths[-1] // 2
        # A fully connected layer over all positions is a convolution with one position.
        self.joint = nn.Conv2d(maps, hidden, self.kernel)
        self.score = nn.Conv2d(hidden, outputs, 1)
        self._initialise()

    def _initialise(self) -> None:
        """Fresh weights; in the order of the modules, so that a seed gives the same ones."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def margin(self) -> int:
        """Pixels of context that the dense form reads beyond the patch on each side."""
        if self.form == "patch":
            return 0
        return sum(convolutions * 2**k for k, convolutions in enumerate(self.block_sizes))

    @property
    def window(self) -> tuple[int, int]:
        """(rows, columns) that one location depends on at each resolution."""
        return self.patch_shape[0] + 2 * self.margin, self.patch_shape[1] + 2 * self.margin

    def branch(self, x: Tensor) -> Tensor:
        """Features of one resolution: ``(batch, 1, *window)`` to ``(batch, 32, *kernel)``."""
        for block in self.blocks:
            x = F.max_pool2d(block(x), 3, 2)
        return pair_maximum(x)

    def head(self, joint: Tensor) -> Tensor:
        """Class scores from the joint layer's response: ``(batch, outputs, row, column)``."""
        activations = F.dropout(F.relu(joint), self.dropout, self.training)
        scores: Tensor = self.score(activations)
        return scores

    def forward(self, windows: Tensor) -> Tensor:
        """Class scores (logits) of windows.

        Parameters
        ----------
        windows : torch.Tensor
            ``(batch, resolution, row, column)``, normalised as the form asks.

        Returns
        -------
        torch.Tensor
            ``(batch, outputs)``, before the softmax.
        """
        if tuple(windows.shape[1:]) != (len(self.resolutions), *self.window):
            raise ValueError(
                f"Windows of this network are {(len(self.resolutions), *self.window)}, "
                f"not {tuple(windows.shape[1:])}."
            )
        # All resolutions in one batch, so that they share batch statistics too.
        features = self.branch(windows.transpose(0, 1).reshape(-1, 1, *self.window))
        features = torch.unflatten(features, 0, (len(self.resolutions), -1)).transpose(0, 1)
        return self.head(self.joint(features.flatten(1, 2))).flatten(1)

    def fold_batch_norms(self) -> SiameseNet:
        """A copy for evaluation with each batch normalisation folded into its convolution.

        The same function to float rounding; it can be neither trained nor saved.
        """
        network = copy.deepcopy(self).eval()
        for block in network.blocks:
            layers = list(cast(Block, block).layers)
            fused_layers: list[nn.Module] = []
            for k in range(0, len(layers), 3):
                convolution, norm = cast(nn.Conv2d, layers[k]), cast(ShiftBatchNorm, layers[k + 1])
                fused_layers += [fuse_conv_bn_eval(convolution, norm), layers[k + 2]]
            cast(Block, block).layers = nn.Sequential(*fused_layers)
        return network

    def configuration(self) -> dict[str, Any]:
        """What must be known to build this network again; plain values."""
        return {
            "resolutions": list(self.resolutions),
            "form": self.form,
            "blocks": list(self.block_sizes),
            "outputs": self.outputs,
            "widths": list(self.widths),
            "hidden": self.hidden_units,
            "dropout": self.dropout,
            "patch_shape": list(self.patch_shape),
            # Without what older versions of the program do not know, unless it matters.
            "normalisation": {k: v for k, v in asdict(self.normalisation).items() if v is not None},
        }

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> SiameseNet:
        """Build the network that :meth:`configuration` describes, with fresh weights.

        Parameters
        ----------
        configuration : mapping
            As it lies in a card; nothing about it is taken for granted.

        Raises
        ------
        SpinemetError
            If it describes none.
        """
        try:
            settings = dict(configuration)
            settings["normalisation"] = LocalZScore(**settings["normalisation"])
            settings["patch_shape"] = tuple(settings["patch_shape"])
            return cls(**settings)
        except (KeyError, TypeError, ValueError) as error:
            raise SpinemetError(
                f"The card of the model does not describe a network of this program: {error}."
            ) from error


def _check_outside(resolutions: Sequence[float], form: str, outputs: int) -> None:
    """Refuse what a network cannot take in or give out."""
    if form not in FORMS:
        raise SpinemetError(f"The form of a network is 'patch' or 'dense', not '{form}'.")
    if outputs not in (2, 3):
        raise SpinemetError(f"A network has 2 or 3 outputs, not {outputs}.")
    if not resolutions or min(resolutions) <= 0:
        raise SpinemetError("A network needs at least one resolution above 0 mm.")


def _check_layers(blocks: Sequence[int], widths: Sequence[int], hidden_units: int) -> None:
    if not blocks or len(blocks) != len(widths) or min(blocks) < 1:
        raise SpinemetError("A network needs one width and at least one convolution a block.")
    # Of the last block's maps the larger of each two goes on.
    if min(widths) < 2 or widths[-1] % 2 or hidden_units < 1:
        raise SpinemetError(
            "A network needs at least two maps in each block, an even number in the last, "
            "and a hidden unit."
        )


def _pooled_shape(patch_shape: tuple[int, int], poolings: int) -> tuple[int, int]:
    """(rows, columns) that are left of a patch; refuses one of which nothing is."""
    if any(side % 2 == 0 for side in patch_shape):
        raise SpinemetError(f"The sides of a patch must be odd, not {patch_shape}.")
    rows, columns = patch_shape
    for _ in range(poolings):
        rows, columns = (rows - 3) // 2 + 1, (columns - 3) // 2 + 1
    if min(rows, columns) < 1:
        raise SpinemetError(f"A patch of {patch_shape} is too small for {poolings} poolings.")
    return rows, columns
