from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, TargetError
from cnnwidgets.explainers import saliency


def linear(weights: list[list[float]]) -> nn.Sequential:
    layer = nn.Linear(len(weights[0]), len(weights), bias=False)
    layer.weight.data = torch.tensor(weights)
    return nn.Sequential(nn.Flatten(), layer)


def test_the_gradient_of_a_linear_model_is_its_weights() -> None:
    net = linear([[1.0, -2.0, 3.0, 4.0], [5.0, 6.0, -7.0, 8.0]])
    images = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]], [[[0.0, 0.0], [1.0, 0.0]]]])
    result = saliency(net, images)
    assert result.target == (1, 0)
    assert result.scores.tolist() == [5.0, 3.0]
    assert result.values.tolist() == [[[[5.0, 6.0], [-7.0, 8.0]]], [[[1.0, -2.0], [3.0, 4.0]]]]
    assert (result.method, result.layer, result.notes) == ("saliency", None, ())


def test_it_agrees_with_finite_differences() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 4)).double()
    images = torch.randn(2, 2, 4, 4, dtype=torch.float64)
    values = saliency(net, images, [3, 1]).values
    slow = torch.zeros_like(values)
    for n, c, i, j in torch.cartesian_prod(*map(torch.arange, images.shape)).tolist():
        step = torch.zeros_like(images)
        step[n, c, i, j] = 1e-5
        difference = (net(images + step) - net(images - step)).detach()[n, [3, 1][n]] / 2e-5
        slow[n, c, i, j] = difference
    torch.testing.assert_close(values, slow, atol=1e-7, rtol=1e-5)


def test_the_gradient_of_a_probability() -> None:
    net = linear([[1.0, 0.0], [0.0, 0.0]])
    values = saliency(net, torch.zeros(1, 1, 1, 2), 0, score="probability").values
    assert values.flatten().tolist() == [0.25, 0.0]  # p (1 - p) w at p = 1/2


def test_a_callable_target() -> None:
    net = linear([[1.0, 2.0], [10.0, 20.0]])
    margin = lambda out: out[:, 1] - out[:, 0]  # noqa: E731
    result = saliency(net, torch.zeros(1, 1, 1, 2), margin)
    assert result.values.flatten().tolist() == [9.0, 18.0]
    assert result.target is margin


def test_a_map_of_scores_needs_a_callable() -> None:
    net, images = nn.Conv2d(1, 2, 1), torch.rand(1, 1, 2, 2)
    with pytest.raises(TargetError, match="callable"):
        saliency(net, images, 0)
    values = saliency(net, images, lambda out: out[:, 1].mean((1, 2))).values
    torch.testing.assert_close(values, net.weight.detach()[1].expand(1, 1, 2, 2) / 4)


def test_saturated_probabilities_are_told() -> None:
    net = linear([[100.0, 0.0], [0.0, 0.0]])
    ones = torch.ones(1, 1, 1, 2)
    assert saliency(net, ones, 0).notes == ()
    notes = saliency(net, ones, 0, score="probability").notes
    assert any(note.startswith("scores are saturated: use logits") for note in notes)
    already = saliency(nn.Sequential(net, nn.Softmax(1)), ones, 0).notes
    assert any("before its softmax" in note for note in already)


def test_a_gradient_of_zero_is_told() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Threshold(1e6, 0.0))
    assert saliency(net, torch.rand(1, 1, 2, 2), 0).notes == (
        "the gradient is zero everywhere: the score does not react to small changes of the input",
        "every class has the same score: the model does not tell the classes apart",
    )


@pytest.mark.parametrize("how", ["no_grad", "detach"])
def test_a_model_without_a_gradient(how: str) -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            x = x.flatten(1)
            if how == "detach":
                return self.head(x.detach())
            with torch.no_grad():
                return self.head(x)

    with pytest.raises(CnnWidgetsError, match="No gradient reaches the input"):
        saliency(Cut(), torch.rand(1, 1, 2, 2))


def test_a_backward_that_fails_is_explained() -> None:
    class Overwrites(nn.Module):
        def forward(self, x):
            y = x.flatten(1).exp()
            z = y * 2
            y.zero_()
            return z

    with pytest.raises(CnnWidgetsError, match="cannot be computed"):
        saliency(Overwrites(), torch.rand(1, 1, 2, 2))
