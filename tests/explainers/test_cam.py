from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound, NotSpatial, TargetError
from cnnwidgets.explainers import cam

W = [[1.0, 2.0], [3.0, -4.0], [0.0, 5.0]]
B = [10.0, 20.0, 30.0]


class Net(nn.Module):
    """Features x and -2x; ``way`` turns them into the logits of W and B."""

    def __init__(self, way) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, 2, 1, bias=False)
        self.features.weight.data = torch.tensor([1.0, -2.0]).view(2, 1, 1, 1)
        self.linear, self.convolution = nn.Linear(2, 3), nn.Conv2d(2, 3, 1)
        self.linear.weight.data, self.linear.bias.data = torch.tensor(W), torch.tensor(B)
        self.convolution.weight.data = torch.tensor(W)[:, :, None, None]
        self.convolution.bias.data = torch.tensor(B)
        self.pool, self.dropout, self.way = nn.AdaptiveAvgPool2d(1), nn.Dropout(), way

    def forward(self, x):
        return self.way(self, self.features(x))


EXACT = {
    "pool, linear": lambda net, y: net.linear(net.pool(y).flatten(1)),
    "mean, linear": lambda net, y: net.linear(y.mean([2, 3])),
    "mean in two steps": lambda net, y: net.linear(y.mean(3).mean(2)),
    "average over all": lambda net, y: net.linear(functional.avg_pool2d(y, y.shape[2:]).squeeze(3).squeeze(2)),
    "dropout between": lambda net, y: net.linear(net.dropout(torch.flatten(net.dropout(net.pool(y)), 1))),
    "functional linear": lambda net, y: functional.linear(y.mean((2, 3)), net.linear.weight, bias=net.linear.bias),
    "1x1 convolution after": lambda net, y: net.convolution(net.pool(y)).flatten(1),
    "1x1 convolution before": lambda net, y: net.convolution(y).mean((2, 3)),
    "changed in place afterwards": lambda net, y: (net.linear(y.mean((2, 3))), y.zero_())[0],
}
X = torch.tensor([[[[1.0, -3.0], [4.0, 2.0]]], [[[0.0, 1.0], [1.0, -6.0]]]])


@pytest.mark.parametrize("way", EXACT)
@pytest.mark.parametrize("target", [0, 1, 2])
def test_the_score_is_the_mean_of_the_map_plus_the_bias(way: str, target: int) -> None:
    result = cam(Net(EXACT[way]).eval(), X, target, layer="features")
    torch.testing.assert_close(result.values, (W[target][0] - 2 * W[target][1]) * X[:, 0])
    torch.testing.assert_close(result.values.mean((1, 2)) + B[target], result.scores)
    assert (result.method, result.layer, result.target) == ("cam", "features", (target, target))


def test_one_class_an_image_and_the_predicted_one() -> None:
    net = Net(EXACT["pool, linear"])
    values = cam(net, X, [1, 2], layer="features").values
    torch.testing.assert_close(values, torch.stack([11 * X[0, 0], -10 * X[1, 0]]))
    # Means 1 and -1 give logits [7, 31, 20] and [13, 9, 40].
    assert cam(net, X).target == (1, 2)


def test_without_a_layer_the_maps_of_the_classes_themselves() -> None:
    net = Net(EXACT["1x1 convolution before"])
    result = cam(net, X, 1)
    assert result.layer == "convolution"
    torch.testing.assert_close(result.values, 11 * X[:, 0] + 20)
    torch.testing.assert_close(result.values.mean((1, 2)), result.scores)


def test_without_a_layer_what_is_pooled_after_a_functional_relu() -> None:
    net = Net(lambda net, y: net.linear(functional.relu(y, inplace=True).mean((2, 3)))).eval()
    result = cam(net, X, 1)
    torch.testing.assert_close(result.values, 3 * X[:, 0].clamp(min=0) - 4 * (-2 * X[:, 0]).clamp(min=0))
    torch.testing.assert_close(result.values.mean((1, 2)) + 20, result.scores)
    assert result.notes == (
        "the maps are those that are pooled, after what the model does to the output of 'features'",
    )
    with pytest.raises(CnnWidgetsError, match=r"heads\.with_cam_head"):
        cam(net, X, 1, layer="features")


INEXACT = {
    "largest instead of mean": lambda net, y: net.linear(y.amax((2, 3))),
    "ReLU before": lambda net, y: net.linear(functional.relu(y).mean((2, 3))),
    "ReLU between": lambda net, y: net.linear(functional.relu(y.mean((2, 3)))),
    "scaled": lambda net, y: net.linear(y.mean((2, 3)) * 1.01),
    "softmax inside": lambda net, y: net.linear(y.mean((2, 3))).softmax(1),
    "a skip": lambda net, y: net.linear(y.mean((2, 3))) + y.mean((1, 2, 3))[:, None],
    "two layers": lambda net, y: net.linear(net.linear(y.mean((2, 3)))[:, :2]),
    "no linear layer": lambda _, y: y.flatten(1),
    "normalised": lambda net, y: net.linear(functional.normalize(y.mean((2, 3)))),
}


@pytest.mark.parametrize("way", INEXACT)
def test_what_has_no_exact_map_is_refused(way: str) -> None:
    with pytest.raises(CnnWidgetsError, match=r"'features'.*heads\.with_cam_head.*grad_cam"):
        cam(Net(INEXACT[way]).eval(), X, 1, layer="features")


def test_a_large_bias_does_not_hide_that_it_is_not_exact() -> None:
    net = Net(INEXACT["ReLU before"])
    net.linear.bias.data += 1e5
    with pytest.raises(CnnWidgetsError, match="CAM needs"):
        cam(net, X, 1, layer="features")
    net.way = EXACT["mean, linear"]
    torch.testing.assert_close(cam(net, X, 1, layer="features").values, 11 * X[:, 0])


def test_layers_and_targets_that_cannot_be_explained() -> None:
    net = Net(EXACT["pool, linear"])
    with pytest.raises(LayerNotFound):
        cam(net, X, layer="feature")
    with pytest.raises(NotSpatial, match="'linear'"):
        cam(net, X, layer="linear")
    with pytest.raises(TargetError, match="callable"):
        cam(net, X, lambda out: out[:, 0], layer="features")
    with pytest.raises(TargetError, match="3 classes"):
        cam(net, X, 3, layer="features")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions(dtype: torch.dtype) -> None:
    net = Net(EXACT["pool, linear"]).to(dtype)
    torch.testing.assert_close(cam(net, X, 1, layer="features").values, 11 * X[:, 0])  # small ints, exact in all


def test_which_call_of_a_layer_used_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(2, 2, 1), nn.Linear(2, 3)

        def forward(self, x):
            return self.head(self.conv(functional.relu(self.conv(x))).mean((2, 3)))

    torch.manual_seed(0)
    net, images = Twice(), torch.randn(1, 2, 3, 3)
    result = cam(net, images, 0, layer="conv")
    torch.testing.assert_close(result.values.mean((1, 2)) + net.head.bias[0].detach(), result.scores)
    assert result.notes == ("layer 'conv' is called 2 times; showing call 2",)
    with pytest.raises(CnnWidgetsError, match="CAM needs"):
        cam(net, images, 0, layer="conv", call=0)
