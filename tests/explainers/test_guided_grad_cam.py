from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound
from cnnwidgets.explainers import every_layer, guided_grad_cam


def conv(*weights: float) -> nn.Conv2d:
    layer = nn.Conv2d(1, len(weights), 1, bias=False)
    layer.weight.data = torch.tensor(weights, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return layer


def head(*weights: float) -> nn.Sequential:
    layer = nn.Linear(len(weights), 1, bias=False)
    layer.weight.data = torch.tensor([weights], dtype=torch.float32)
    return nn.Sequential(nn.Flatten(), layer)


def net() -> nn.Sequential:
    """[1, -2, 3] -> maps [2, -4, 6] and [-1, 2, -3] -> ReLU -> weights 1, -2, -3 and 4, 5, 6."""
    return nn.Sequential(conv(2, -1), nn.ReLU(), head(1, -2, -3, 4, 5, 6))


X = torch.tensor([[[[1.0, -2.0, 3.0]]]])


def test_by_hand() -> None:
    result = guided_grad_cam(net(), X, layer="0")
    # Gradients of the maps [1, 0, -3] and [0, 5, 0], so Grad-CAM is [-3, 6, -9]. Guided, the input gets
    # [2 * 1, -1 * 5, 0]: the second pixel alone is in both.
    torch.testing.assert_close(result.values.flatten(), torch.tensor([0.0, -30.0, 0.0]))
    assert result.scores.tolist() == [2.0 - 18.0 + 10.0]
    assert (result.layer, result.method, result.target, result.notes) == ("0", "guided_grad_cam", (0,), ())


def test_the_cam_is_resized_bilinearly() -> None:
    pooled = nn.Sequential(nn.AvgPool2d(1, (1, 3)), nn.ReLU(), head(1, 1))
    result = guided_grad_cam(pooled, torch.tensor([[[[3.0, 1.0, 1.0, 6.0, 1.0, 1.0]]]]), layer="0")
    # Maps [3, 6], gradients 1: Grad-CAM [3, 6], at six pixels 3, 3, 3 + 1, 3 + 2, 6, 6; the input's gradient is 1 at
    # the two pixels that are looked at.
    torch.testing.assert_close(result.values.flatten(), torch.tensor([3.0, 0.0, 0.0, 5.0, 0.0, 0.0]))


def test_a_cam_that_is_negative_everywhere_leaves_nothing() -> None:
    result = guided_grad_cam(nn.Sequential(conv(1), nn.ReLU(), head(-1, -1)), torch.ones(1, 1, 1, 2), layer="0")
    assert "Grad-CAM is negative everywhere before ReLU" in result.notes
    assert not result.values.any()


def test_which_layer() -> None:
    assert guided_grad_cam(net(), X).layer == "1"
    assert list(every_layer("guided_grad_cam", net(), X)) == ["0", "1"]
    with pytest.raises(LayerNotFound, match="'0'"):
        guided_grad_cam(net(), X, layer="conv")
    twice = nn.Sequential(shared := conv(2), nn.ReLU(), shared, head(1, 2, 3))
    values = [guided_grad_cam(twice, X, layer="0", call=call) for call in (0, 1)]
    assert values[0].notes == ("layer '0' is called 2 times; showing call 1",)
    assert not torch.equal(values[0].values, values[1].values)
    with pytest.raises(CnnWidgetsError, match="called 2 times"):
        guided_grad_cam(twice, X, layer="0", call=2)
