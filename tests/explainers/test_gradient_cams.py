"""Grad-CAM++, XGrad-CAM, HiResCAM and LayerCAM on networks that a pencil can follow."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, LayerNotFound, NotSpatial, TargetError

X = torch.tensor([[[[1.0, -2.0, 3.0]]]])
METHODS = ["grad_cam_pp", "xgrad_cam", "hires_cam", "layer_cam"]


def conv(*weights: float) -> nn.Conv2d:
    layer = nn.Conv2d(1, len(weights), 1, bias=False)
    layer.weight.data = torch.tensor(weights, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return layer


def head(*weights: float) -> nn.Sequential:
    layer = nn.Linear(len(weights), 1, bias=False)
    layer.weight.data = torch.tensor([weights], dtype=torch.float32)
    return nn.Sequential(nn.Flatten(), layer)


def explained(method: str, net: nn.Module, images: torch.Tensor = X, **options):
    return explainers.get(method)(net, images, **options)


def close(values: torch.Tensor, expected: list[float]) -> None:
    torch.testing.assert_close(values, torch.tensor([[expected]], dtype=torch.float32))


class Net(nn.Module):
    """Two maps [2, -4, 6] and [-1, 2, -3]; their ReLU times (-1, 2, 3, 4, 5, 6) is the score, -2 + 18 + 10 = 26."""

    def __init__(self, relu) -> None:
        super().__init__()
        self.conv, self.head = conv(2, -1), head(-1, 2, 3, 4, 5, 6)
        if isinstance(relu, nn.Module):
            self.relu = relu
        self.activate = [relu]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        rectified = self.activate[0](y)
        return self.head(y if rectified is None else rectified)


def ignored(x: torch.Tensor) -> None:
    x.relu_()


WAYS = {
    "separate": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "functional": functional.relu,
    "functional in place": lambda x: functional.relu(x, inplace=True),
    "clamp": lambda x: x.clamp(min=0),
    "in place, result ignored": ignored,
    "identity, then in place": nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)),
}

# dS/dA before the ReLU is [-1, 0, 3] and [0, 5, 0]; the maps sum to 4 and -2.
BEFORE = {
    "hires_cam": [-2.0, 10.0, 18.0],
    "layer_cam": [0.0, 10.0, 18.0],
    # weights (-1 * 2 + 3 * 6) / 4 = 4 and 5 * 2 / -2 = -5
    "xgrad_cam": [13.0, -26.0, 39.0],
    # weights 3 / (2 + 3 * 4) = 3/14 and 5 / (2 - 5 * 2) = -5/8
    "grad_cam_pp": [3 / 14 * a - 5 / 8 * b for a, b in ((2, -1), (-4, 2), (6, -3))],
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", WAYS)
def test_the_maps_are_those_before_the_relu_however_it_is_computed(method: str, way: str) -> None:
    result = explained(method, Net(WAYS[way]).eval(), layer="conv")
    assert result.scores.tolist() == [26.0]
    close(result.values, BEFORE[method])
    assert (result.method, result.layer, result.target) == (method, "conv", (0,))


# After the ReLU: maps [2, 0, 6] and [0, 2, 0], dS/dA is [-1, 2, 3] and [4, 5, 6].
AFTER = {
    "hires_cam": [-2.0, 10.0, 18.0],
    "layer_cam": [0.0, 10.0, 18.0],
    "xgrad_cam": [4.0, 10.0, 12.0],  # weights 16 / 8 and 10 / 2
    "grad_cam_pp": [
        2 * (2 / 18 + 3 / 26),  # the sum of the first map is 8
        2 * (4 / 10 + 5 / 12 + 6 / 14),  # and of the second 2
        6 * (2 / 18 + 3 / 26),
    ],
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", ["separate", "in place"])
def test_a_relu_itself(method: str, way: str) -> None:
    result = explained(method, Net(WAYS[way]), layer="relu")
    close(result.values, AFTER[method])
    assert result.notes == ()


class Twice(nn.Module):
    """x -> [2, -4, 6] -> ReLU -> [4, 0, 12], by the same convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = conv(2), head(1, 2, 3)

    def forward(self, x):
        return self.head(self.conv(functional.relu(self.conv(x))))


@pytest.mark.parametrize("method", METHODS)
def test_which_call_of_a_layer_used_twice(method: str) -> None:
    # First call: maps [2, -4, 6], gradient [2, 0, 6]. Second: [4, 0, 12], [1, 2, 3].
    expected = {
        "hires_cam": ([4.0, 0.0, 36.0], [4.0, 0.0, 36.0]),
        "layer_cam": ([4.0, 0.0, 36.0], [4.0, 0.0, 36.0]),
        "xgrad_cam": ([10 * a for a in (2, -4, 6)], [40 / 16 * a for a in (4, 0, 12)]),
        "grad_cam_pp": (
            [(2 / 10 + 6 / 26) * a for a in (2, -4, 6)],
            [(1 / 18 + 2 / 34 + 3 / 50) * a for a in (4, 0, 12)],
        ),
    }[method]
    for call, values in zip((0, -1), expected, strict=True):
        result = explained(method, Twice(), layer="conv", call=call)
        close(result.values, values)
        assert result.notes == (f"layer 'conv' is called 2 times; showing call {1 if call == 0 else 2}",)
    with pytest.raises(CnnWidgetsError, match=r"called 2 times; call=2 is out of range"):
        explained(method, Twice(), layer="conv", call=2)


def test_a_note_where_grad_cam_pp_leaves_its_derivation() -> None:
    notes = explained("grad_cam_pp", Net(nn.ReLU()), layer="conv").notes
    (note,) = notes
    assert note == (
        "the maps of this layer are not positive: 1 of 2 have weights outside of what the method's formula is "
        "derived for: choose the layer after its ReLU"
    )


def test_at_the_pole_of_grad_cam_pp_the_map_is_finite() -> None:
    # Sum of the map -2, gradient 1: the denominator is 2 - 2 = 0.
    net = nn.Sequential(conv(-1), head(1, 1, 1))
    result = explained("grad_cam_pp", net, layer="0")
    assert result.values.tolist() == [[[0.0, 0.0, 0.0]]]
    assert "1 of 1" in result.notes[0]


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_grad_cam_pp_neither_underflows_nor_overflows(scale: float) -> None:
    # 2 g^2 is 0 in float32 for g = 1e-30; the answer is g / (2 + g * 2) * A all the same.
    net = nn.Sequential(conv(1), head(scale**2, 0.0, 0.0))
    weight = scale**2 / (2 + 2 * scale**2)
    result = explained("grad_cam_pp", net, layer="0")
    torch.testing.assert_close(result.values[0, 0], weight * X[0, 0, 0], rtol=1e-5, atol=0)


def test_no_positive_gradient_is_told() -> None:
    notes = explained("grad_cam_pp", nn.Sequential(conv(1), head(-1, -1, -1)), layer="0").notes
    assert any("no gradient is positive" in note for note in notes)


def test_a_note_where_xgrad_cams_weights_are_arbitrary() -> None:
    images = torch.tensor([[[[1.0, -2.0, 1.0]]], [[[1.0, 2.0, 1.0]]]])
    result = explained("xgrad_cam", nn.Sequential(conv(1), head(1, 2, 3)), images, layer="0")
    assert result.notes == (
        "1 of 2 maps sum to nearly zero, so their weights are arbitrary for image 0: choose the layer after its ReLU",
    )
    torch.testing.assert_close(result.values[1, 0], 2 * images[1, 0, 0])


def test_a_map_of_zeros_adds_nothing() -> None:
    net = nn.Sequential(conv(0, 2), nn.ReLU(), head(1, 2, 3, 4, 5, 6))
    # Only the second map, [2, 0, 6]: (4 * 2 + 6 * 6) / 8 = 5.5
    close(explained("xgrad_cam", net, layer="1").values, [11.0, 0.0, 33.0])


@pytest.mark.parametrize("method", METHODS)
def test_maps_are_explained_per_image(method: str) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 16, 4))
    images = torch.randn(3, 1, 4, 4)
    together = explainers.get(method)(net, images, [2, 0, 3], layer="1").values
    for index, target in enumerate([2, 0, 3]):
        alone = explainers.get(method)(net, images[index : index + 1], target, layer="1").values
        torch.testing.assert_close(together[index : index + 1], alone)


@pytest.mark.parametrize("method", METHODS)
def test_layers_and_targets_that_cannot_be_explained(method: str) -> None:
    net = nn.Sequential(conv(1, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    with pytest.raises(LayerNotFound, match="No layer '9'"):
        explained(method, net, layer="9")
    with pytest.raises(NotSpatial, match=r"'4' returns \(1, 3\), without height and width.*that returns maps is '1'"):
        explained(method, net, layer="4")
    with pytest.raises(TargetError, match="3 classes"):
        explained(method, net, target=3)
    with torch.no_grad():
        assert explained(method, net).layer == "1"


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_that_no_gradient_reaches(method: str) -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features, self.later, self.head = conv(2), conv(3), head(1, 2, 3)

        def forward(self, x):
            return self.head(self.later(self.features(x).detach()))

    with pytest.raises(CnnWidgetsError, match="No gradient reaches layer 'features'"):
        explained(method, Cut(), layer="features")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("error", [Cancelled("stop"), KeyboardInterrupt()])
def test_a_failure_in_backward_leaves_no_hook(method: str, error: BaseException) -> None:
    class Breaks(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x.clone()

        @staticmethod
        def backward(*_):
            raise error

    class BreaksBackward(nn.Module):
        def forward(self, x):
            return Breaks.apply(x)

    net = nn.Sequential(conv(1), BreaksBackward(), head(1, 2, 3)).train()
    with pytest.raises(type(error)):
        explained(method, net, layer="0")
    assert all(module.training and not module._forward_hooks for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_saturated_probabilities_are_told(method: str) -> None:
    linear = nn.Linear(3, 2, bias=False)
    linear.weight.data = torch.tensor([[50.0, 0.0, 50.0], [0.0, 0.0, 0.0]])
    net = nn.Sequential(conv(2), nn.Flatten(), linear)
    notes = explained(method, net, target=0, layer="0", score="probability").notes
    assert any("saturated: use logits" in note for note in notes)
