from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.explainers import input_x_gradient


def test_by_hand() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    net[1].weight.data = torch.tensor([[1.0, -2.0, 3.0, 4.0], [5.0, 6.0, -7.0, 8.0]])
    images = torch.tensor([[[[1.0, 2.0], [0.0, -1.0]]], [[[0.0, 0.0], [1.0, 0.5]]]])
    result = input_x_gradient(net, images)
    assert result.target == (1, 0)
    assert result.values.tolist() == [[[[5.0, 12.0], [0.0, -8.0]]], [[[0.0, 0.0], [3.0, 2.0]]]]
    assert (result.method, result.layer, result.notes) == ("input_x_gradient", None, ())


def test_without_biases_the_values_add_up_to_the_score() -> None:
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 5, bias=False)
    )
    images = torch.randn(3, 3, 8, 8)
    result = input_x_gradient(net, images, [4, 0, 2])
    torch.testing.assert_close(result.values.sum((1, 2, 3)), net(images).detach()[[0, 1, 2], [4, 0, 2]])


def test_half_precision_multiplies_in_single() -> None:
    class Squared(nn.Module):
        def forward(self, x):
            return x.flatten(1).pow(2).sum(1)

    image = torch.tensor([[[[300.0]]]], dtype=torch.float16)  # 2 x^2 is more than float16 holds
    result = input_x_gradient(Squared(), image, lambda out: out)
    assert result.values.item() == 180000.0


def test_a_gradient_of_zero_is_told() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Threshold(1e6, 0.0))
    assert input_x_gradient(net, torch.rand(1, 1, 2, 2), 0).notes == (
        "the gradient is zero everywhere: the score does not react to small changes of the input",
        "every class has the same score: the model does not tell the classes apart",
    )


def test_a_callable_and_a_probability() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    net[1].weight.data = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    image = torch.tensor([[[[2.0, 3.0]]]])
    p = functional.sigmoid(torch.tensor(2.0))
    values = input_x_gradient(net, image, 0, score="probability").values.flatten()
    torch.testing.assert_close(values, torch.stack([2 * p * (1 - p), torch.tensor(0.0)]))
    assert input_x_gradient(net, image, lambda out: out.sum(1)).values.flatten().tolist() == [2.0, 0.0]
