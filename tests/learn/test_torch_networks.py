"""The networks of the tutorials: shapes and parameters as their sources print them, and the norms of their weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets import learn
from cnnwidgets.core.errors import InputError

# Layer, output shape, parameters, as Keras prints them for the same networks; its maps are (rows, columns, channels).
DIGITS = [
    ("conv1", (26, 26, 32), 320),
    ("conv2", (24, 24, 64), 18_496),
    ("pool", (12, 12, 64), 0),
    ("dropout1", (12, 12, 64), 0),
    ("flatten", (9216,), 0),
    ("dense1", (128,), 1_179_776),
    ("dropout2", (128,), 0),
    ("dense2", (10,), 1_290),
]
CIFAR = [
    ("conv1", (32, 32, 32), 896),
    ("dropout1", (32, 32, 32), 0),
    ("conv2", (32, 32, 32), 9_248),
    ("pool", (16, 16, 32), 0),
    ("flatten", (8192,), 0),
    ("dense1", (512,), 4_194_816),
    ("dropout2", (512,), 0),
    ("dense2", (10,), 5_130),
]


@pytest.mark.parametrize(
    ("model", "shape", "layers", "total"),
    [
        (learn.digits_model(), (1, 1, 28, 28), DIGITS, 1_199_882),
        (learn.cifar_model(), (1, 3, 32, 32), CIFAR, 4_210_090),
    ],
)
def test_the_summary_says_what_the_source_says(
    model: nn.Module, shape: tuple[int, ...], layers: list[tuple[str, tuple[int, ...], int]], total: int
) -> None:
    architecture = cw.trace(model, torch.zeros(shape))
    for name, output, parameters in layers:
        info = architecture.find(name)
        maps = output if len(output) == 1 else (output[2], output[0], output[1])
        assert (info.output_shape, info.params) == ((1, *maps), parameters), name
    assert architecture.total_params == sum(p.numel() for p in model.parameters()) == total
    assert f"{total:,}" in architecture.summary()
    names = [info.name for info in architecture.layers]
    assert [name for name in names if not name.startswith("relu")] == [name for name, _, _ in layers]


def test_other_sizes_and_seeds() -> None:
    assert learn.digits_model(channels=3, size=8, classes=4)(torch.zeros(2, 3, 8, 8)).shape == (2, 4)
    assert learn.cifar_model(channels=1, size=29)(torch.zeros(1, 1, 29, 29)).shape == (1, 10)
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    first, second = learn.digits_model(seed=5), learn.digits_model(seed=5)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first.conv1.weight, second.conv1.weight)
    assert not torch.equal(first.conv1.weight, learn.digits_model(seed=6).conv1.weight)
    assert not torch.equal(learn.digits_model().conv1.weight, learn.digits_model().conv1.weight)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="size is 5; expected an int of at least 6"):
        learn.digits_model(size=5)
    with pytest.raises(InputError, match="classes is 0"):
        learn.cifar_model(classes=0)
    with pytest.raises(InputError, match="seed is 'x'"):
        learn.cifar_model(seed="x")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="limit is 0"):
        learn.max_norm(nn.Linear(1, 1), 0)


def test_max_norm_against_a_plain_loop() -> None:
    model = nn.Sequential(nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 5, 3, groups=5), nn.Linear(7, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 2)
        model[3].weight[2] *= 0.01
    before = {name: value.clone().numpy() for name, value in model.state_dict().items()}
    learn.max_norm(model, 3.0)
    for name, value in model.state_dict().items():
        weights = before[name].copy()
        if name in ("0.weight", "2.weight", "3.weight"):
            for kernel in weights:
                norm = float(np.sqrt((kernel.astype(np.float64) ** 2).sum()))
                kernel *= min(1.0, 3.0 / norm)
        np.testing.assert_allclose(value.numpy(), weights, rtol=1e-6, err_msg=name)
    assert np.array_equal(model[3].weight[2].detach().numpy(), before["3.weight"][2])
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
