"""The network's layers, counted and measured against the table of the method."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging.brightness.normalisation import LocalZScore
from napari_spinemet.network import SiameseNet
from napari_spinemet.network.siamese import ShiftBatchNorm, pair_maximum


@pytest.mark.parametrize("form", ["patch", "dense"])
def test_both_forms_have_733410_parameters(form: str) -> None:
    """The paper's "around 733.4K": convolutions, shifts and two fully connected layers."""
    model = SiameseNet(form=form)
    convolutions = 9 * (1 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64)
    shifts = 16 + 2 * 32 + 2 * 64
    connected = (9 * 6 * 96 + 1) * 128 + (128 + 1) * 2
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == convolutions + shifts + connected == 733_410


def test_layer_sizes_are_those_of_the_table() -> None:
    """Maps and sizes, layer by layer, of one 79 x 55 patch."""
    model = SiameseNet().eval()
    seen: list[tuple[str, tuple[int, ...]]] = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda m, _, out: seen.append((f"conv{m.kernel_size}", tuple(out.shape[1:])))
            )
    model(torch.zeros(1, 3, 79, 55))
    assert seen == [
        ("conv(3, 3)", (16, 79, 55)),
        ("conv(3, 3)", (32, 39, 27)),
        ("conv(3, 3)", (32, 39, 27)),
        ("conv(3, 3)", (64, 19, 13)),
        ("conv(3, 3)", (64, 19, 13)),
        ("conv(9, 6)", (128, 1, 1)),
        ("conv(1, 1)", (2, 1, 1)),
    ]
    assert model.branch(torch.zeros(1, 1, 79, 55)).shape == (1, 32, 9, 6)
    assert model.joint.weight.shape == (128, 96, 9, 6)


def _plain(model: SiameseNet, windows: torch.Tensor) -> torch.Tensor:
    """The table of the method written out, with matrix products for the connected layers."""
    features = []
    for branch in range(windows.shape[1]):
        x = windows[:, branch : branch + 1]
        for block in model.blocks:
            for layer in block.layers:
                if isinstance(layer, nn.Conv2d):
                    x = F.conv2d(x, layer.weight, padding=1 if model.form == "patch" else 0)
                elif isinstance(layer, ShiftBatchNorm):
                    mean = layer.running_mean[:, None, None]
                    deviation = (layer.running_var[:, None, None] + 1e-5).sqrt()
                    x = (x - mean) / deviation + layer.bias[:, None, None]
                else:
                    x = x.clamp(min=0)
            x = F.max_pool2d(x, 3, 2)
        features.append(torch.maximum(x[:, 0::2], x[:, 1::2]))
    joint = torch.cat(features, 1).flatten(1)
    hidden = (joint @ model.joint.weight.flatten(1).T + model.joint.bias).clamp(min=0)
    return hidden @ model.score.weight.flatten(1).T + model.score.bias


@pytest.mark.parametrize("form", ["patch", "dense"])
def test_forward_is_the_table_written_out(form: str) -> None:
    """Pooling, pairs of maps, order of the branches and both connected layers."""
    torch.manual_seed(0)
    model = SiameseNet(form=form)
    model(torch.randn(4, 3, *model.window))  # running statistics that are not 0 and 1
    for module in model.modules():
        if isinstance(module, ShiftBatchNorm):
            nn.init.normal_(module.bias)
    model.eval()
    windows = torch.randn(3, 3, *model.window)
    with torch.inference_mode():
        torch.testing.assert_close(model(windows), _plain(model, windows), atol=1e-4, rtol=1e-4)


def test_batch_norm_has_a_trainable_shift_and_a_fixed_unit_gain() -> None:
    """The gain is no parameter, is not saved, and stays 1 through a step."""
    layer = ShiftBatchNorm(5)
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    assert "weight" not in layer.state_dict()
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    x = torch.randn(8, 5, 4, 4)
    (layer(x) ** 3).mean().backward()
    optimiser.step()
    assert torch.equal(layer.weight, torch.ones(5))
    assert layer.bias.abs().min() > 0


def test_the_resolutions_share_their_batch_statistics() -> None:
    """In training, one branch's values change what another branch's features become."""
    torch.manual_seed(1)
    model = SiameseNet().train()
    first = next(m for m in model.modules() if isinstance(m, ShiftBatchNorm))
    windows = torch.randn(4, 3, 79, 55)
    windows[:, 2] = windows[:, 2] * 5 + 3
    model(windows)
    # Momentum 0.1 from a mean of 0: the statistics are those of all three branches at once.
    convolved = F.conv2d(
        windows.reshape(-1, 1, 79, 55), model.blocks[0].layers[0].weight, padding=1
    )
    torch.testing.assert_close(
        first.running_mean, 0.1 * convolved.mean((0, 2, 3)), atol=1e-5, rtol=1e-4
    )


def test_branches_keep_their_place() -> None:
    """Swapping two resolutions of the input changes the scores; the sub-network is one."""
    torch.manual_seed(2)
    model = SiameseNet().eval()
    windows = torch.randn(2, 3, 79, 55)
    with torch.inference_mode():
        assert (model(windows) - model(windows[:, [1, 0, 2]])).abs().max() > 1e-3


def test_pair_maximum_takes_neighbouring_maps() -> None:
    """Maps 2i and 2i + 1, not i and i + m."""
    x = torch.tensor([[1.0, 5.0, 9.0, 2.0]])[:, :, None, None]
    assert pair_maximum(x).flatten().tolist() == [5.0, 9.0]


@pytest.mark.parametrize(("form", "window"), [("patch", (79, 55)), ("dense", (105, 81))])
def test_windows_of_the_two_forms(form: str, window: tuple[int, int]) -> None:
    """The dense form reads 13 pixels more on each side: 1 + 2 x 2 + 2 x 4."""
    assert SiameseNet(form=form).window == window


@pytest.mark.parametrize("form", ["patch", "dense"])
@pytest.mark.parametrize(
    "settings",
    [
        {"blocks": (1, 1, 1)},
        {"resolutions": (1,)},
        {"resolutions": (0.25, 1, 1.25)},
        {"resolutions": (0.5, 1, 1.5)},
        {"outputs": 3},
        {"patch_shape": (55, 79)},
        {"patch_shape": (63, 63)},
        {"widths": (4, 8), "blocks": (1, 1), "hidden": 16},
    ],
)
def test_the_papers_alternatives_can_be_built(form: str, settings: dict[str, object]) -> None:
    """Each runs, and its configuration builds the same network again."""
    model = SiameseNet(form=form, **settings).eval()  # type: ignore[arg-type]
    scores = model(torch.zeros(2, len(model.resolutions), *model.window))
    assert scores.shape == (2, model.outputs)
    again = SiameseNet.from_configuration(model.configuration())
    assert again.configuration() == model.configuration()
    again.load_state_dict(model.state_dict())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"form": "sparse"}, "form"),
        ({"outputs": 4}, "outputs"),
        ({"resolutions": ()}, "resolution"),
        ({"resolutions": (1, 0)}, "resolution"),
        ({"blocks": (1, 2)}, "one width"),
        ({"blocks": (0, 1, 1)}, "convolution"),
        ({"widths": (16, 32, 63)}, "even"),
        ({"hidden": 0}, "hidden"),
        ({"patch_shape": (80, 55)}, "odd"),
        ({"patch_shape": (9, 9)}, "too small"),
        ({"form": "dense", "normalisation": LocalZScore(reference="marrow")}, "marrow"),
        ({"outputs": 3, "normalisation": LocalZScore(reference="marrow")}, "marrow"),
    ],
)
def test_impossible_networks_are_refused(settings: dict[str, object], words: str) -> None:
    """With the reason in a sentence."""
    with pytest.raises(SpinemetError, match=words):
        SiameseNet(**settings)  # type: ignore[arg-type]


def test_windows_of_the_wrong_shape_are_refused() -> None:
    """A transposed patch has as many pixels, but is not accepted."""
    with pytest.raises(ValueError, match="55, 79"):
        SiameseNet()(torch.zeros(1, 3, 55, 79))


def test_start_is_glorot_uniform() -> None:
    """Weights lie within sqrt(6 / (in + out)), fill that range, and biases are 0."""
    model = SiameseNet()
    fan_in, fan_out = 96 * 54, 128 * 54
    limit = (6 / (fan_in + fan_out)) ** 0.5
    weight = model.joint.weight.detach()
    assert weight.abs().max() <= limit
    assert weight.std() == pytest.approx(limit / 3**0.5, rel=0.02)
    assert not model.joint.bias.any()


@pytest.mark.parametrize("form", ["patch", "dense"])
def test_folding_changes_nothing_but_the_time(form: str) -> None:
    """The same scores from weights that are not those of the start; the model stays as it is."""
    torch.manual_seed(3)
    model = SiameseNet((1, 2), form, (1, 2, 2), outputs=3)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.3, 3)
            module.bias.data.normal_()
    model.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    windows = torch.randn(4, 2, *model.window)
    network = model.fold_batch_norms()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    with torch.inference_mode():
        torch.testing.assert_close(network(windows), model(windows), atol=2e-5, rtol=1e-5)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
