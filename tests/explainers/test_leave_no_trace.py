"""Each registered explainer leaves the model, its gradients and the generators as they were."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, CnnWidgetsError
from cnnwidgets.explainers.engine.all_layers import observe

HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


class Late(nn.Module):
    """Draws random numbers, counts its calls in a buffer, and then fails as told."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.error: BaseException | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        torch.rand(3)
        if self.error is not None:
            raise self.error
        return x


def network() -> nn.Sequential:
    torch.manual_seed(11)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Sequential(nn.Identity(), Late()),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )
    net.train()
    net[1].eval()
    net[4].eval()
    net[0].weight.requires_grad_(False)
    net[7].weight.grad = torch.full_like(net[7].weight, 2.5)
    net[0].register_forward_hook(lambda *_: None)  # the user's own stays
    return net


def traces(net: nn.Sequential) -> dict[str, Any]:
    return {
        "modules": {name: (id(module), type(module)) for name, module in net.named_modules()},
        "hooks": [[list(getattr(module, hooks)) for hooks in HOOKS] for module in net.modules()],
        "training": [module.training for module in net.modules()],
        "requires_grad": [parameter.requires_grad for parameter in net.parameters()],
        "grad": [(id(p.grad), None if p.grad is None else p.grad.tolist()) for p in net.parameters()],
        "parameters": [(id(parameter), parameter._version) for parameter in net.parameters()],
        "values": {name: (id(value), value.tolist()) for name, value in net.state_dict(keep_vars=True).items()},
        "generator": torch.get_rng_state().tolist(),
    }


def every_layer(model: nn.Module, images: torch.Tensor, target: Any = None) -> Any:
    return explainers.every_layer("grad_cam", model, images, target)


ALL = {**{name: explainers.get(name) for name in explainers.names()}, "every_layer": every_layer, "observe": observe}


@pytest.mark.parametrize("name", ALL)
def test_after_success(name: str) -> None:
    net, images = network(), torch.rand(2, 3, 20, 20)
    before = traces(net)
    ALL[name](net, images)
    assert traces(net) == before


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("error", [ValueError("no"), Cancelled("stop"), KeyboardInterrupt(), torch.OutOfMemoryError()])
def test_after_a_failure_in_forward(name: str, error: BaseException) -> None:
    net, images = network(), torch.rand(2, 3, 20, 20)
    net[4][1].error = error
    before = traces(net)
    with pytest.raises(CnnWidgetsError if isinstance(error, ValueError) else type(error)):
        ALL[name](net, images)
    assert traces(net) == before


@pytest.mark.parametrize("name", ALL)
def test_after_a_bad_target(name: str) -> None:
    net, images = network(), torch.rand(2, 3, 20, 20)
    before = traces(net)
    with pytest.raises(CnnWidgetsError):
        ALL[name](net, images, 99)
    assert traces(net) == before


@pytest.mark.parametrize("name", ["grad_cam", "every_layer", "saliency", "observe"])
@pytest.mark.parametrize("error", [Cancelled("stop"), KeyboardInterrupt()])
def test_after_a_failure_in_backward(name: str, error: BaseException) -> None:
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

    net, images = network(), torch.rand(2, 3, 20, 20)
    net[4].append(BreaksBackward())
    before = traces(net)
    options = {"layer": "0"} if name == "grad_cam" else {}
    with pytest.raises(type(error)):
        ALL[name](net, images, 1, **options)
    assert traces(net) == before


LONG = [name for name in explainers.names() if "progress" in inspect.signature(explainers.get(name)).parameters]


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("error", [Cancelled("stop"), KeyboardInterrupt()])
def test_when_progress_stops_it(name: str, error: BaseException) -> None:
    def stop(step: Any) -> None:
        if step.done:
            raise error

    net, images = network(), torch.rand(2, 3, 20, 20)
    before = traces(net)
    with pytest.raises(type(error)):
        explainers.get(name)(net, images, progress=stop)
    assert traces(net) == before


@pytest.mark.parametrize("name", ALL)
def test_a_frozen_model_gives_the_same_as_one_that_learns(name: str) -> None:
    images = torch.rand(1, 3, 20, 20)
    free, frozen = network(), network().requires_grad_(False)
    for expected, got in zip(_values(ALL[name](free, images, 1)), _values(ALL[name](frozen, images, 1)), strict=True):
        assert torch.equal(expected, got)


def _values(result: Any) -> list[torch.Tensor]:
    if isinstance(result, dict):
        return [one.values for one in result.values()]
    return list(result.cam.values()) if hasattr(result, "cam") else [result.values]
