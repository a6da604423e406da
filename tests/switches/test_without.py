"""Switches against a copy of the model whose weights were set to zero."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import VisionTransformer, convnext_tiny, resnet18, swin_t

import cnnwidgets as cw
from cnnwidgets import InputError, LayerNotFound
from tests.explainers.test_leave_no_trace import network, traces


def without_weights(model: nn.Module, channels: dict[str, list[int]]) -> nn.Module:
    """A copy in which what makes these channels is zero."""
    twin = copy.deepcopy(model)
    modules = dict(twin.named_modules())
    for name, off in channels.items():
        for parameter in modules[name].parameters(recurse=False):
            parameter.data[off] = 0
    return twin


class Small(nn.Module):
    """A layer used twice, a functional ReLU in place, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.again = nn.Conv2d(6, 6, 3, padding=1, groups=3)
        self.fc = nn.Linear(6, 4)
        nn.init.normal_(self.norm.running_mean, std=0.1)
        nn.init.normal_(self.norm.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu_(self.norm(self.conv(x)))
        x = functional.relu(self.again(self.again(x)) + x, inplace=True)
        return self.fc(x.mean((2, 3)))


@pytest.fixture
def small() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


@pytest.mark.parametrize(
    "channels",
    [
        {"conv": [0, 5]},
        {"norm": [2, 3, 4]},
        {"again": [1, 2]},
        {"fc": [3]},
        {"conv": [1], "norm": [0, 4], "again": [5]},
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_as_with_weights_of_zero(small, channels, training) -> None:
    small.train(training)
    x = torch.rand(3, 3, 9, 9)
    expected = without_weights(small, channels)(x)
    before, twin = small(x) if not training else None, copy.deepcopy(small)
    with cw.without(twin, channels):
        scores = twin(x)
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-6)
    if before is not None:
        assert not torch.equal(scores, before)
        assert torch.equal(twin(x), before)  # afterwards it is as it was


def small_vit(weights: None = None) -> nn.Module:
    """torchvision's vision transformer, of a size whose weights are copied in no time."""
    assert weights is None
    return VisionTransformer(32, 16, num_layers=6, num_heads=4, hidden_dim=128, mlp_dim=256)


def real(build: Callable[..., nn.Module]) -> nn.Module:
    torch.manual_seed(1)
    model = build(weights=None).eval()
    for parameter in model.parameters():
        if not parameter.any():  # torchvision's heads and biases begin so, and nothing would reach the scores
            nn.init.normal_(parameter, std=0.02)
    return model


@pytest.mark.parametrize(
    ("model", "channels"),
    [
        (lambda: real(resnet18), {"layer3.0.conv2": [4, 17], "layer1.0.bn1": [3], "fc": [0]}),
        # Tokens: what a linear layer makes of the class token goes too.
        (lambda: real(small_vit), {"encoder.layers.encoder_layer_5.mlp.0": [0, 255], "heads.head": [1]}),
        (lambda: real(small_vit), {"encoder.ln": [5, 6], "conv_proj": [9]}),
        (lambda: real(swin_t), {"features.3.0.mlp.0": [4], "features.5.1.norm1": [100]}),
        (lambda: real(convnext_tiny), {"features.3.0.block.3": [17], "features.5.0.block.2": [1]}),
    ],
)
def test_on_known_networks(model, channels) -> None:
    net, x = model(), torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        whole, expected = net(x), without_weights(net, channels)(x)
        with cw.without(net, channels):
            scores = net(x)
    assert (scores - expected).abs().max() < 1e-3 * (whole - expected).abs().max()


@pytest.mark.parametrize(
    ("model", "layer", "axis"),
    [
        (lambda: real(swin_t), "features.3", 3),  # (N, H, W, C)
        (lambda: real(convnext_tiny), "features.3.1", 1),
        (lambda: real(convnext_tiny), "features.3.1.block.4", 3),  # a GELU between linear layers
        (lambda: real(small_vit), "encoder.layers.encoder_layer_3", 2),
        (lambda: real(resnet18), "layer2.0.relu", 1),  # called twice
    ],
)
def test_the_axis_of_layers_without_weights_is_followed(model, layer, axis) -> None:
    net, x = model(), torch.rand(1, 3, 32, 32)
    runs: list[torch.Tensor] = []
    net.get_submodule(layer).register_forward_hook(lambda *_: runs.append(torch.ones(1)))
    with torch.no_grad(), cw.without(net, {layer: [7]}), cw.capture(net, [layer]) as outputs:
        net(x)
    assert len(runs) == len(outputs[layer])  # the user's hook is not called for our own look
    for output in outputs[layer]:
        assert not output.select(axis, 7).any()
        assert output.select(axis, 6).any()


def test_factors_and_whole_layers(small) -> None:
    x = torch.rand(2, 3, 9, 9)
    twin = copy.deepcopy(small)
    twin.conv.weight.data[2] *= 0.25
    twin.conv.bias.data[2] *= 0.25
    twin.again.weight.data *= 0
    twin.again.bias.data *= 0
    with cw.without(small, {"conv": {2: 0.25, 0: 1}, small.again: None}):
        torch.testing.assert_close(small(x), twin(x), rtol=0, atol=1e-6)
    twin = copy.deepcopy(small)
    twin.fc.weight.data *= -2
    twin.fc.bias.data *= -2
    with cw.without(small, {"fc": -2.0}):
        torch.testing.assert_close(small(x), twin(x), rtol=0, atol=1e-6)


def test_nested(small) -> None:
    x = torch.rand(2, 3, 9, 9)
    whole = small(x)
    with cw.without(small, {"conv": [0]}):
        outer = small(x)
        with cw.without(small, {"conv": [1], "again": np.array([2])}):
            both = small(x)
        assert torch.equal(small(x), outer)
    torch.testing.assert_close(both, without_weights(small, {"conv": [0, 1], "again": [2]})(x), rtol=0, atol=1e-6)
    assert torch.equal(small(x), whole)
    with cw.without(small, {"conv": []}), cw.without(small, {}):
        assert torch.equal(small(x), whole)


def test_gradients_reach_what_is_left(small) -> None:
    x = torch.rand(1, 3, 9, 9, requires_grad=True)
    (expected,) = torch.autograd.grad(without_weights(small, {"norm": [0, 1]})(x).sum(), x)
    with cw.without(small, {"norm": [0, 1]}):
        (gradient,) = torch.autograd.grad(small(x).sum(), x)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(small, dtype) -> None:
    small = small.to(dtype)
    x = torch.rand(2, 3, 9, 9, dtype=dtype)
    with cw.without(small, {"norm": {1: 0.5}, "again": [2]}):
        scores = small(x)
    assert scores.dtype == dtype
    twin = without_weights(small, {"again": [2]})
    twin.norm.weight.data[1] *= 0.5
    twin.norm.bias.data[1] *= 0.5
    torch.testing.assert_close(scores, twin(x))


def test_signals_volumes_and_several_outputs() -> None:
    net = nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten())
    with cw.without(net, {"1": [1]}):
        assert not net(torch.rand(2, 2, 5)).view(2, 3, 3)[:, 1].any()
    net = nn.Sequential(nn.Conv3d(1, 4, 1), nn.ELU())
    with cw.without(net, {"1": [3], "0": [0]}):
        volumes = net(torch.rand(2, 1, 2, 2, 2))
    assert volumes.flatten(2).any(2).tolist() == [[False, True, True, False]] * 2

    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"maps": x * 2, "rest": x.sum()}

    net = nn.Sequential(nn.Conv2d(1, 3, 1), Two())
    x = torch.rand(1, 1, 4, 4)
    rest = net(x)["rest"]
    with cw.without(net, {"1": [2]}):
        outputs = net(x)
    assert outputs["maps"].flatten(2).any(2).tolist() == [[True, True, False]]
    assert torch.equal(outputs["rest"], rest)


def test_a_layer_that_is_not_called_is_told() -> None:
    class Uncalled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.linear = nn.Conv2d(1, 2, 1), nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.linear(self.conv(x).mean((2, 3)), self.linear.weight)

    net, x = Uncalled(), torch.rand(1, 1, 3, 3)
    with pytest.warns(UserWarning, match="'linear' was not called"), cw.without(net, {"linear": [0], "conv": [1]}):
        net(x)


def test_what_is_not_a_number_is_off_too() -> None:
    net = nn.Conv2d(1, 2, 1)
    net.weight.data[1] = torch.nan
    with cw.without(net, {"": [1]}):
        assert net(torch.ones(1, 1, 1, 1))[0, 1].item() == 0.0


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, None])
def test_no_trace_is_left(error) -> None:
    net, x = network(), torch.rand(2, 3, 20, 20)
    before = traces(net)
    try:
        with cw.without(net, {"0": [1], "4": None}):
            if error is not None:
                raise error
            with torch.no_grad():
                net.eval()(x)
                net.train()
                net[1].eval(), net[4].eval()
    except BaseException as raised:
        assert type(raised) is error  # noqa: PT017
    after = traces(net)
    for state in (before, after):  # the user's own forward counts in a buffer and draws numbers
        state.pop("values"), state.pop("generator")
    assert after == before


def test_other_threads_see_the_whole_model(small) -> None:
    x, scores = torch.rand(1, 3, 9, 9), []
    whole = small(x)
    with cw.without(small, {"conv": None}):
        thread = threading.Thread(target=lambda: scores.append(small(x)))
        thread.start()
        thread.join()
        assert not torch.equal(small(x), whole)
    assert torch.equal(scores[0], whole)


def test_a_random_layer_draws_the_same_numbers_while_axes_are_followed() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten())
    x = torch.rand(1, 1, 5, 5)
    torch.manual_seed(4)
    expected = net(x).view(4, 9)
    torch.manual_seed(4)
    with cw.without(net, {"1": [2]}):  # a ReLU: a recorded pass says where its channels are
        scores = net(x).view(4, 9)
    assert torch.equal(scores[[0, 1, 3]], expected[[0, 1, 3]])
    assert not scores[2].any()


@pytest.mark.parametrize(
    ("channels", "error", "words"),
    [
        ({"cnv": [1]}, LayerNotFound, "Closest: 'conv'"),
        ({"conv": [6]}, InputError, "'conv' has 6 channels, 0 to 5; there is no 6"),
        ({"conv": [-1]}, InputError, "0 to 5"),
        ({"conv": [1.5]}, InputError, "1.5 is no channel"),
        ({"conv": [True]}, InputError, "True is no channel"),
        ({"conv": torch.tensor([True, False])}, InputError, "no channel"),
        ({"conv": 4}, InputError, r"expected a list of them, as in \{'conv': \[4, 17\]\}"),
        ({"conv": "all"}, InputError, "expected a list"),
        ({"conv": {1: "half"}}, InputError, "'half' is no factor"),
        ({"conv": {1: float("nan")}}, InputError, "finite"),
        (["conv"], InputError, "a mapping from layers to channels"),
    ],
)
def test_bad_input(small, channels, error, words) -> None:
    with pytest.raises(error, match=words), cw.without(small, channels):
        pass
    assert "forward" not in vars(small.conv)


def test_refused_as_the_layer_runs() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(1, 2))
    x = torch.rand(1, 1, 3, 3)
    with cw.without(net, {"1": [2]}), pytest.raises(InputError, match="'1' has 2 channels, 0 to 1; there is no 2"):
        net(x)
    with cw.without(net, {"2": [0]}), pytest.raises(InputError, match="which axis holds its channels is not known"):
        net(x)
    net(x)
    part = net[:2]
    with cw.without(net, {"1": [0]}), pytest.warns(UserWarning, match="could not be followed"):
        assert not part(x)[:, 0].any()
