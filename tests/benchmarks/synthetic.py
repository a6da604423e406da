"""Images that maximise filters, all at once, beside one filter after another through the whole network."""

from __future__ import annotations

import time

import torch
from torch import nn
from torch.nn import functional

import cnnwidgets as cw

from .table import Row

_FILTERS, _STEPS, _SIDE = 64, 30, 180
_ALONE = 4
"""So many filters are made one after another, and their time counts for all."""


def measure() -> list[Row]:
    """One row."""
    from torchvision.models import resnet50

    torch.set_num_threads(2)
    torch.manual_seed(0)
    model = resnet50(weights=None).eval()
    cw.synthesis.maximize(model, "layer2", range(16), recipe="keras", steps=1)
    alone(model, 0, 1)
    start = time.perf_counter()
    for channel in range(_ALONE // 2):
        alone(model, channel, _STEPS)
    one_by_one = time.perf_counter() - start
    start = time.perf_counter()
    cw.synthesis.maximize(model, "layer2", range(_FILTERS), recipe="keras", steps=_STEPS)
    together = time.perf_counter() - start
    start = time.perf_counter()
    for channel in range(_ALONE // 2):
        alone(model, channel, _STEPS)
    one_by_one = (one_by_one + time.perf_counter() - start) * _FILTERS / _ALONE
    ratio = one_by_one / together
    measured = f"{together:.0f} s, one after another {one_by_one:.0f} s: {ratio:.1f} times as fast"
    return [Row(f"{_FILTERS} filters of ResNet-50's layer2, keras", measured, "3 times", ratio >= 3)]


def alone(model: nn.Module, channel: int, steps: int) -> torch.Tensor:
    """One image as a tutorial would make it: hook, whole forward, ``backward()``, step."""
    outputs: list[torch.Tensor] = []
    hook = model.layer2.register_forward_hook(lambda _, __, output: outputs.append(output))
    image = (torch.rand(1, 3, _SIDE, _SIDE) - 0.5) * 0.25
    for _ in range(steps):
        image.requires_grad_()
        model(image)
        outputs.pop()[:, channel, 2:-2, 2:-2].mean().backward()
        assert image.grad is not None
        step = functional.normalize(image.grad.flatten(), dim=0).view_as(image)
        image = (image + 10 * step).detach()
    hook.remove()
    return image


if __name__ == "__main__":
    for row in measure():
        print(row)
