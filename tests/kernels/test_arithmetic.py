"""The arithmetic of a cell against sums written out by hand, and against the network's own number."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import convnext_tiny, resnet18, swin_t

import cnnwidgets as cw
from cnnwidgets import InputError, LayerNotFound, NotSpatial
from tests.explainers.test_leave_no_trace import network, traces


def adds_up(result: cw.kernels.CellArithmetic) -> None:
    scale = float(result.products.abs().sum()) + abs(result.bias)
    assert abs(float(result.inputs.sum()) + result.bias - result.steps[0].value) <= 1e-5 * scale
    assert abs(float(result.products.sum()) + result.bias - result.steps[0].value) <= 1e-5 * scale
    torch.testing.assert_close(result.products, result.kernel * result.patch)
    assert result.steps[-1].value == pytest.approx(result.value, rel=1e-5, abs=1e-5 * scale)
    sizes = result.inputs.abs().tolist()
    assert sizes == sorted(sizes, reverse=True)
    first = int(result.channels.min())
    for channel, number in zip(result.channels.tolist(), result.inputs.tolist(), strict=True):
        assert number == pytest.approx(float(result.products[channel - first].sum()), abs=1e-5 * scale)


def test_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(2, 1, (1, 2)), nn.ReLU())
    net[0].weight.data = torch.tensor([[[[1.0, -2.0]], [[3.0, 0.5]]]])
    net[0].bias.data = torch.tensor([-1.0])
    x = torch.tensor([[[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]])
    result = cw.kernels.arithmetic(net, x, "1", 0, 0, 1)
    # 1 * 2 - 2 * 3 = -4 of the first channel, 3 * 5 + 0.5 * 6 = 18 of the second, and -1.
    assert (result.channels.tolist(), result.inputs.tolist(), result.bias) == ([1, 0], [18.0, -4.0], -1.0)
    assert result.patch.tolist() == [[[2.0, 3.0]], [[5.0, 6.0]]]
    assert result.products.tolist() == [[[2.0, -6.0]], [[15.0, 3.0]]]
    assert (result.value, result.convolution, result.box) == (13.0, "0", (0, 1, 1, 3))
    assert [(step.layer, step.value) for step in result.steps] == [("0", 13.0), ("1", 13.0)]


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [
        *itertools.product([1, (2, 3)], [0, (2, 1)], [1, (1, 2)], [1, 2, 4]),
        (1, "same", 2, 1),
        (1, "same", (1, 3), 4),
        (2, "valid", 1, 2),
    ],
)
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_every_geometry(stride, padding, dilation, groups, mode) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 8, (3, 2), stride, padding, dilation, groups, padding_mode=mode)
    net, x = nn.Sequential(conv), torch.randn(1, 4, 9, 10)
    output = net(x)[0]
    corners = itertools.product((0, 5, 7), (0, output.shape[1] // 2, output.shape[1] - 1), (0, output.shape[2] - 1))
    for channel, row, column in corners:
        result = cw.kernels.arithmetic(net, x, "0", channel, row, column)
        adds_up(result)
        assert result.value == pytest.approx(float(output[channel, row, column]), abs=1e-6)
        assert torch.equal(result.kernel, conv.weight[channel].detach())
        around = result.surroundings
        slid = functional.conv2d(
            around.input[None], result.kernel[None].double(), None, around.stride, 0, around.dilation
        )[0, 0]
        assert float(slid[around.row, around.column]) + result.bias == pytest.approx(result.value, abs=1e-6)
        assert slid.shape == output.shape[1:]  # it is small: all of it is around
        top, left, bottom, right = result.box
        inside = x[0, result.channels.sort().values, max(top, 0) : bottom, max(left, 0) : right]
        if min(top, left) >= 0 and bottom <= 9 and right <= 10:
            step = dilation if isinstance(dilation, tuple) else (dilation, dilation)
            assert torch.equal(result.patch, inside[:, :: step[0], :: step[1]])


def test_what_is_around_a_cell_of_a_large_map() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 2, 5, 2, 2)
    net, x = nn.Sequential(conv), torch.randn(1, 3, 120, 90)
    output = net(x)[0]
    padded = functional.pad(x[0], (2, 2, 2, 2)).double()
    for row, column, has_padding in ((0, 44, True), (30, 20, False), (59, 0, True)):
        result = cw.kernels.arithmetic(net, x, "0", 1, row, column)
        around = result.surroundings
        assert around.has_padding is has_padding
        assert max(around.input.shape[1:]) <= 32
        slid = functional.conv2d(around.input[None], result.kernel[None].double(), stride=2)[0, 0] + result.bias
        top, left = row - around.row, column - around.column
        part = output[1, top : top + slid.shape[0], left : left + slid.shape[1]]
        torch.testing.assert_close(slid.float(), part.detach(), atol=1e-5, rtol=0)
        height, width = around.input.shape[1:]
        assert torch.equal(around.input, padded[:, 2 * top : 2 * top + height, 2 * left : 2 * left + width])


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 1, 1, 2), ((2, 3), 1, 2, 4)])
def test_transposed(stride, padding, dilation, groups) -> None:
    torch.manual_seed(1)
    conv = nn.ConvTranspose2d(4, 8, 3, stride, padding, 0, groups, dilation=dilation)
    net, x = nn.Sequential(nn.Identity(), conv), torch.randn(1, 4, 5, 5)
    output = net(x)[0]
    for channel, row, column in itertools.product((0, 3, 7), (0, 2, output.shape[1] - 1), (1, output.shape[2] - 1)):
        result = cw.kernels.arithmetic(net, x, "1", channel, row, column)
        adds_up(result)
        assert result.value == pytest.approx(float(output[channel, row, column]), abs=1e-6)
        array = cw.kernels.weights(net, "1").array
        assert torch.equal(result.kernel, torch.from_numpy(array[channel]))


class Folded(nn.Module):
    """Convolution, norm and in-place ReLU, a shortcut added in place, and an activation without a module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 4, 1)
        nn.init.normal_(self.bn.weight), nn.init.normal_(self.bn.bias)
        nn.init.normal_(self.bn.running_mean), nn.init.uniform_(self.bn.running_var, 0.5, 2.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn(self.conv(x)))
        y = self.second(x)
        y += x
        y.mul_(3)
        return functional.silu(y.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2))


def test_each_step_is_named() -> None:
    torch.manual_seed(2)
    net, x = Folded().train(), torch.randn(1, 3, 6, 6)
    net.eval()
    with torch.no_grad():
        summed = net.conv(x)
        normed = net.bn(summed.clone())
        rectified = normed.clone().relu()
        scale = (net.bn.weight / (net.bn.running_var + 1e-5).sqrt())[2]
    result = cw.kernels.arithmetic(net, x, "relu", 2, 3, 1)
    adds_up(result)
    values = [float(tensor[0, 2, 3, 1]) for tensor in (summed, normed, rectified)]
    assert [step.layer for step in result.steps] == ["conv", "bn", "relu"]
    assert [step.value for step in result.steps] == pytest.approx(values, abs=1e-6)
    assert f"× {float(scale):.6g}" in result.steps[1].operation
    result = cw.kernels.arithmetic(net, x, "bn", 2, 3, 1)  # which the ReLU has overwritten since
    assert result.value == pytest.approx(values[1], abs=1e-6)

    whole = cw.kernels.arithmetic(nn.Sequential(net), x, "0", 2, 1, 4)
    adds_up(whole)
    y = net.second(rectified)[0, 2, 1, 4].item()
    assert whole.convolution == "0.second"
    assert [step.value for step in whole.steps][:3] == pytest.approx(
        [y, y + rectified[0, 2, 1, 4].item(), 3 * (y + rectified[0, 2, 1, 4].item())], abs=1e-6
    )
    assert "from '0.relu'" in whole.steps[1].operation
    assert any("two ways lead here" in note for note in whole.notes)


@pytest.mark.parametrize(
    ("build", "layer", "convolution"),
    [
        (resnet18, "layer3.1", "layer3.1.conv2"),
        (swin_t, "features.1.0", "features.1.0.mlp.3"),
        (convnext_tiny, "features.1.0.block.4", "features.1.0.block.3"),
        (convnext_tiny, "features.1.0.block.0", "features.1.0.block.0"),
    ],
)
def test_known_networks(build, layer, convolution) -> None:
    torch.manual_seed(3)
    net, x = build(weights=None).eval(), torch.rand(3, 64, 64)
    result = cw.kernels.arithmetic(net, x, layer, 5, 1, 2)
    adds_up(result)
    assert result.convolution == convolution
    with torch.no_grad(), cw.capture(net, [layer]) as outputs:
        net(x[None])
    maps = outputs[layer][0]
    expected = maps[0, 5, 1, 2] if maps.shape[-1] not in (96, 384) else maps[0, 1, 2, 5]
    assert result.value == pytest.approx(float(expected), rel=1e-5)


def test_weights_made_anew_and_half_precision() -> None:
    torch.manual_seed(4)
    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3))
    net, x = nn.Sequential(normed, nn.GELU()), torch.randn(1, 2, 5, 5)
    adds_up(cw.kernels.arithmetic(net, x, "1", 1, 1, 1))
    half = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU()).to(torch.bfloat16)
    result = cw.kernels.arithmetic(half, x, "1", 1, 1, 1)
    assert float(result.inputs.sum()) + result.bias == pytest.approx(result.steps[0].value, abs=0.02)


def test_a_layer_used_twice() -> None:
    torch.manual_seed(5)
    conv = nn.Conv2d(3, 3, 3, padding=1)
    net, x = nn.Sequential(conv, nn.ReLU(), conv), torch.randn(1, 3, 5, 5)
    first, last = (cw.kernels.arithmetic(net, x, conv, 1, 2, 2, call=call) for call in (0, -1))
    assert first.value == pytest.approx(float(conv(x)[0, 1, 2, 2]), abs=1e-6)
    assert last.value == pytest.approx(float(net(x)[0, 1, 2, 2]), abs=1e-6)
    assert any("called 2 times" in note for note in last.notes)


def test_no_trace_is_left() -> None:
    net, x = network(), torch.rand(1, 3, 20, 20)
    before = traces(net)
    cw.kernels.arithmetic(net, x, "2", 0, 1, 1)
    cw.kernels.summary(net, "0", x)
    assert traces(net) == before
    for cell in ((9, 0, 0), (0, 99, 0)):
        with pytest.raises(InputError):
            cw.kernels.arithmetic(net, x, "2", *cell)
    assert traces(net) == before


def test_what_cannot_be_taken_apart() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Softmax(1), nn.Flatten(), nn.Linear(8, 2))
    x = torch.rand(1, 1, 6, 6)
    with pytest.raises(InputError, match="made by 'max_pool2d' in '1'"):
        cw.kernels.arithmetic(net, x, "1", 0, 0, 0)
    with pytest.raises(InputError, match="'softmax' in '2'"):
        cw.kernels.arithmetic(net, x, "2", 0, 0, 0)
    with pytest.raises(NotSpatial):
        cw.kernels.arithmetic(net, x, "4", 0, 0, 0)
    with pytest.raises(LayerNotFound):
        cw.kernels.arithmetic(net, x, "conv", 0, 0, 0)
    with pytest.raises(InputError, match="channels 0 to 1; got channel 2"):
        cw.kernels.arithmetic(net, x, "0", 2, 0, 0)
    with pytest.raises(InputError, match="row is 1"):
        cw.kernels.arithmetic(net, x, "0", 1, 1.0, 0)
    with pytest.raises(InputError, match="Got 2 images"):
        cw.kernels.arithmetic(net, torch.rand(2, 1, 6, 6), "0", 0, 0, 0)

    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            y.numpy(force=True)[:] += 1.0  # past torch
            return y * 1.0

    with pytest.raises(InputError, match="out of sight"):
        cw.kernels.arithmetic(nn.Sequential(Hidden()), x, "0", 0, 0, 0)
