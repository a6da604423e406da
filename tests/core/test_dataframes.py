"""Results as pandas tables, numbers counted by hand; pandas is imported only then, and missed in one sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()


def test_the_architecture_is_a_row_a_layer() -> None:
    table = cw.trace(_net(), torch.zeros(1, 1, 8, 8)).to_dataframe()
    assert table["type"].tolist() == ["Conv2d", "ReLU", "AdaptiveAvgPool2d", "Flatten", "Linear"]
    conv, linear = table.iloc[0], table.iloc[-1]
    assert (conv["params"], conv["macs"], conv["output_shape"]) == (4 * 9 + 4, 36 * 4 * 9, (1, 4, 6, 6))
    assert (linear["params"], linear["macs"], linear["receptive_field"]) == (10, 8, None)


def test_kernels_are_a_row_a_filter() -> None:
    net = _net()
    with torch.no_grad():
        net[0].weight[2] = 0
        net[0].weight[1] = torch.tensor([[3.0, 4, 0], [0, 0, 0], [0, 0, 0]])
    table = cw.kernels.summary(net, "0").to_dataframe()
    assert table["filter"].tolist() == [0, 1, 2, 3]
    assert table["norm"][1] == 5
    assert table["sparsity"].round(3).tolist() == [0, 0.778, 1, 0]
    assert table["dead"].tolist() == [False, False, True, False]


def test_checks_are_a_row_a_measurement() -> None:
    net, x = _net(), torch.rand(2, 1, 8, 8)
    curves = cw.checks.insertion_deletion(net, x, cw.explainers.saliency(net, x, 0), 0, steps=4, repeats=3)
    table = curves.to_dataframe()
    assert table.shape == (2 * 5, 6)
    assert table["image"].tolist() == [0] * 5 + [1] * 5
    assert table["fraction"].tolist() == [0, 0.25, 0.5, 0.75, 1] * 2
    second = table[(table.image == 1) & (table.fraction == 0)].iloc[0]
    assert second["deletion"] == pytest.approx(net(x).softmax(1)[1, 0].item(), abs=1e-5)
    third = table.iloc[7]  # image 1, half of the pixels
    by_hand = sum(curves.random_insertion[1, repeat, 2].item() for repeat in range(3)) / 3
    assert third["random_insertion"] == pytest.approx(by_hand, abs=1e-6)

    stages = cw.checks.randomised(net, x, cw.explainers.saliency(net, x, 0), 0)
    table = stages.to_dataframe()
    assert table["layer"].tolist() == ["4", "4", "0", "0"]
    assert table["stage"].tolist() == [1, 1, 2, 2]
    assert table["similarity"][3] == pytest.approx(stages.stages[1].similarity[1].item(), nan_ok=True)


def test_pandas_is_imported_only_then() -> None:
    program = """import sys, torch
import cnnwidgets as cw
sys.modules["pandas"] = None
architecture = cw.trace(torch.nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 2, 2))
try:
    architecture.to_dataframe()
except cw.CnnWidgetsError as error:
    print(error)"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "to_dataframe() needs pandas, which is not installed: pip install pandas."
    assert CnnWidgetsError is cw.CnnWidgetsError
