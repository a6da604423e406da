"""Kernels of every kind of layer, and what is odd about them, by planted cases and plain re-implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

import cnnwidgets as cw
from cnnwidgets import InputError, LayerNotFound
from cnnwidgets.core.kernel_numbers import near_duplicates


@pytest.mark.parametrize(
    ("module", "shape", "depthwise", "pointwise"),
    [
        (nn.Conv1d(4, 6, 5, groups=2), (6, 2, 5), False, False),
        (nn.Conv2d(4, 8, 3, groups=4), (8, 1, 3, 3), True, False),
        (nn.Conv2d(4, 8, 1), (8, 4, 1, 1), False, True),
        (nn.Conv3d(2, 3, (1, 2, 3)), (3, 2, 1, 2, 3), False, False),
        (nn.Linear(5, 7), (7, 5, 1, 1), False, True),
        (nn.ConvTranspose2d(4, 6, 3, groups=2), (6, 2, 3, 3), False, False),
        (nn.ConvTranspose1d(4, 6, 3), (6, 4, 3), False, False),
    ],
)
def test_kinds_of_layers(module, shape, depthwise, pointwise) -> None:
    kernels = cw.kernels.weights(nn.Sequential(module), "0")
    assert (kernels.array.shape, kernels.depthwise, kernels.pointwise) == (shape, depthwise, pointwise)
    assert np.array_equal(kernels.bias, module.bias.detach())
    expected = [math.sqrt(sum(float(v) ** 2 for v in kernel.ravel())) for kernel in kernels.array]
    assert cw.kernels.summary(nn.Sequential(module), "0").norms == pytest.approx(expected)


def test_a_transposed_convolution_is_turned_round() -> None:
    module = nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False)
    array = torch.from_numpy(cw.kernels.weights(nn.Sequential(module), "0").array)
    x = torch.randn(1, 4, 5, 5)
    # A transposed convolution is a convolution with the kernel turned by 180 degrees, fully padded.
    turned = functional.conv2d(x, array.flip(2, 3), padding=2, groups=2)
    torch.testing.assert_close(turned, module(x), atol=1e-5, rtol=0)


class Standardised(nn.Conv2d):
    """As in timm: what is stored is not what is used."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = (self.weight - self.weight.mean((1, 2, 3), True)) / self.weight.std((1, 2, 3), keepdim=True)
        return self._conv_forward(x, weight, self.bias)


class Padded(nn.Conv2d):
    """Pads by itself, the weight as it is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(functional.pad(x, (1, 1, 1, 1)), self.weight, self.bias, self.stride)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_weight_that_is_used() -> None:
    torch.manual_seed(0)
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3))
    conv.parametrizations.weight.original0.data *= 2
    assert np.array_equal(cw.kernels.weights(nn.Sequential(conv), "0").array, conv.weight.detach())
    old = nn.utils.weight_norm(nn.Conv2d(2, 3, 3))
    before = old.weight
    old.weight_g.data *= 2  # ``weight`` is of before, until the next forward
    array = cw.kernels.weights(nn.Sequential(old), "0").array
    np.testing.assert_allclose(array, 2 * before.detach().numpy(), rtol=1e-6)
    assert old.weight is before
    pruned = prune.l1_unstructured(nn.Conv2d(2, 3, 3), "weight", 0.5)
    summary = cw.kernels.summary(nn.Sequential(pruned), "0")
    assert summary.sparsity.mean() == pytest.approx(0.5)
    spectral = nn.utils.parametrizations.spectral_norm(nn.Conv2d(2, 3, 3))
    state = {name: value.clone() for name, value in spectral.state_dict().items()}
    cw.kernels.weights(nn.Sequential(spectral.train()), "0")
    assert all(torch.equal(value, state[name]) for name, value in spectral.state_dict().items())
    standardised = Standardised(2, 3, 3)
    kernels = cw.kernels.weights(nn.Sequential(standardised), "0")
    assert np.abs(kernels.array.mean((1, 2, 3))).max() < 1e-6
    assert kernels.notes == ("the weight as the forward of Standardised uses it, not as it is stored",)
    padded = cw.kernels.weights(nn.Sequential(Padded(2, 3, 3)), "0")
    assert padded.notes == ()


def test_near_duplicates_against_every_pair() -> None:
    rng = np.random.default_rng(0)
    kernels = rng.normal(size=(40, 3, 3, 3))
    kernels[7] = 2.5 * kernels[3] + 0.02 * rng.normal(size=(3, 3, 3))
    kernels[30] = -kernels[12]
    kernels[20] = 0
    kernels[21] = np.nan
    expected = {}
    for first in range(40):
        for second in range(first + 1, 40):
            a, b = kernels[first].ravel(), kernels[second].ravel()
            with np.errstate(all="ignore"):
                cosine = a @ b / math.sqrt(a @ a) / math.sqrt(b @ b)
            if abs(cosine) > 0.99:
                expected[first, second] = cosine
    assert set(expected) == {(3, 7), (12, 30)}
    pairs = near_duplicates(kernels)
    assert {(first, second): cosine for first, second, cosine in pairs} == pytest.approx(expected, abs=1e-6)
    # In two groups, 12 and 30 read other channels.
    assert [(first, second) for first, second, _ in near_duplicates(kernels, groups=2)] == [(3, 7)]
    assert near_duplicates(np.ones((5, 1, 1, 1))) == ()
    assert len(near_duplicates(np.ones((600, 2)) * np.arange(1, 601)[:, None])) == 1000


def planted() -> nn.Sequential:
    """Filters: 0 alive, 1 zero, 2 multiplied by zero, 3 never positive, 4 never positive but for its bias."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.ReLU(), nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.Conv2d(5, 2, 1))
    net[1].weight.data[1] = 0
    net[1].weight.data[3:] = -net[1].weight.data[3:].abs() - 0.01
    net[1].bias.data.zero_()
    net[2].bias.data[4] = 0.5
    net[2].weight.data[2] = 0
    return net.eval()


def test_dead_filters_are_told_where_it_is_certain() -> None:
    net, x = planted(), torch.randn(1, 2, 8, 8)
    assert cw.kernels.summary(net, "1").dead == (1,)
    summary = cw.kernels.summary(net, "1", x)
    assert summary.dead == (1, 2, 3)
    assert "filter 1 is dead: its kernel is zero" in summary.notes
    assert "filter 2 is dead: its batch norm multiplies by zero" in summary.notes
    assert any(note.startswith("filter 3 is dead: what arrives is never negative") for note in summary.notes)
    # No input can wake them: the outputs are the same for any.
    with torch.no_grad():
        for scale in (0.1, 10.0, 1e4):
            maps = net[:4](torch.randn(50, 2, 8, 8) * scale)
            spread = maps.transpose(0, 1).flatten(1).std(1)
            assert (spread[[1, 2, 3]] == 0).all()
            assert (spread[[0, 4]] > 0).all() or scale > 1  # the bias of 4 lets faint inputs through
    # Without the ReLU before it, the same filters may see negative numbers.
    assert cw.kernels.summary(nn.Sequential(*net[1:]), "0", x).dead == (1, 2)

    class Added(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = planted()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.net[0](x)
            return self.net[3](self.net[2](self.net[1](x)) + x.mean())

    assert cw.kernels.summary(Added(), "net.1", x).dead == (1, 2)


def test_the_table() -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(3, 20, 3))
    net[0].weight.data[5] = -net[0].weight.data[2]
    net[0].weight.data[9] = 0
    lines = repr(cw.kernels.summary(net, "0")).splitlines()
    assert lines[0] == "Kernels('0', Conv2d, (20, 3, 3, 3))"
    assert lines[1].split() == ["filter", "norm", "zeros", "remark"]
    assert lines[-2].split() == ["9", "0", "100.0%", "dead"]
    assert lines[-1] == "filter 9 is dead: its kernel is zero"


def test_bad_input() -> None:
    net = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), nn.LazyConv2d(3, 3))
    with pytest.raises(LayerNotFound, match="Closest"):
        cw.kernels.summary(net, "conv")
    with pytest.raises(InputError, match="'0' is a Sequential, which has no kernels of its own"):
        cw.kernels.summary(net, "0")
    with pytest.raises(InputError, match="a ReLU, which has no kernels"):
        cw.kernels.weights(net, "0.1")
    with pytest.raises(cw.CnnWidgetsError, match="lazy"):
        cw.kernels.weights(net, "1")
    with pytest.raises(InputError, match="complex"):
        cw.kernels.weights(nn.Sequential(nn.Conv2d(1, 2, 3, dtype=torch.complex64)), "0")
    with pytest.raises(InputError, match="meta device"):
        cw.kernels.weights(nn.Sequential(nn.Conv2d(1, 2, 3, device="meta")), "0")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_quantised_is_refused() -> None:
    quantised = torch.ao.nn.quantized.Linear(3, 4)
    with pytest.raises(InputError, match="quantised"):
        cw.kernels.summary(nn.Sequential(quantised), "0")
