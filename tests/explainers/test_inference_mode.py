"""Inside ``torch.inference_mode()``, and on weights and images that were made there: the same numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
import torchvision
from torch import nn

import cnnwidgets as cw
from cnnwidgets.checks import insertion_deletion, randomised
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.incremental import Edited

SMALL_MACS = 8 * 3 * 9 * 16 * 16 + 4 * 8 * 9 * 6 * 6 + 4 * 3


def network(inference: bool = False) -> nn.Sequential:
    with torch.inference_mode(inference):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 4, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        ).eval()


def images(inference: bool = False) -> torch.Tensor:
    with torch.inference_mode(inference):
        return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))


CASES = {"inside": (True, False), "made there": (False, True), "both": (True, True)}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Iterator[tuple[nn.Module, torch.Tensor]]:
    inside, made_there = CASES[request.param]
    mode: AbstractContextManager[object] = torch.inference_mode() if inside else nullcontext()
    with mode:
        yield network(made_there), images(made_there)


def ordinary(name: str) -> torch.Tensor:
    with torch.inference_mode(False):
        return getattr(cw.explainers, name)(network(), images(), 1).values  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", cw.explainers.names())
def test_explainers(case: tuple[nn.Module, torch.Tensor], name: str) -> None:
    net, x = case
    assert torch.allclose(getattr(cw.explainers, name)(net, x, 1).values, ordinary(name), atol=1e-6)


def test_everything_else(case: tuple[nn.Module, torch.Tensor]) -> None:
    net, x = case
    weights = list(net.parameters())
    assert cw.trace(net, x).total_macs == SMALL_MACS
    every = cw.explainers.every_layer("grad_cam", net, x, 1)
    assert torch.allclose(every["4"].values, ordinary("grad_cam"), atol=1e-6)
    with Edited(net, x) as edited, torch.no_grad():
        scores = edited.scores(torch.zeros(3, 4, 4), [2], [3])
        x = x.clone()
        x[:, :, 2:6, 3:7] = 0
        assert torch.allclose(scores, net(x), atol=1e-5)
        assert edited.engine == "incremental"
    result = cw.explainers.grad_cam(net, x, 1)
    curves = insertion_deletion(net, x, result, steps=4)
    with torch.no_grad():
        assert torch.allclose(curves.deletion[0, 0], net(x).softmax(1)[0, 1], atol=1e-5)
    assert randomised(net, x, "grad_cam", 1).stages
    explorer = cw.explore(net, x)
    explorer.wait()
    explorer.method = "occlusion"
    explorer.wait()
    explorer.close()
    assert all(now is before for now, before in zip(net.parameters(), weights, strict=True))


@pytest.mark.parametrize("inference", [False, True])
def test_resnet_18_has_the_multiply_adds_that_it_has(inference: bool) -> None:
    net = torchvision.models.resnet18().eval()
    with torch.inference_mode(inference):
        assert cw.trace(net, torch.zeros(1, 3, 224, 224)).total_macs == 1_814_073_344


def test_weights_that_change_in_inference_mode_are_noticed() -> None:
    net = network(inference=True)
    first = cw.explainers.saliency(net, images(), 1).values
    with Edited(net, images()) as edited:
        before = edited.scores(torch.zeros(3, 4, 4), [2], [3])
        with torch.inference_mode():
            for value in net[-1].parameters():
                value.mul_(2)
        assert torch.allclose(edited.scores(torch.zeros(3, 4, 4), [2], [3]), 2 * before, atol=1e-6)
    assert torch.allclose(cw.explainers.saliency(net, images(), 1).values, 2 * first, atol=1e-6)


class WritesToItsBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.weight = nn.Parameter(torch.ones(1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return nn.functional.conv2d(x, self.weight).mean((2, 3))


def test_a_buffer_that_is_written_to() -> None:
    with torch.inference_mode():
        net = WritesToItsBuffer()
    result = cw.explainers.saliency(net, images(), 0)
    assert torch.allclose(result.values, torch.full((1, 3, 16, 16), 1 / 256))
    assert any("writes to its buffer 'calls'" in note for note in result.notes)
    assert net.calls.item() == 0
    assert net.calls.is_inference()


def test_shared_weights_stay_shared() -> None:
    with torch.inference_mode():
        net = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 3, 1, bias=False))
        net[1].weight = net[0].weight
    assert cw.trace(net, images()).total_params == 9


def test_what_cannot_be_mended_is_said() -> None:
    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = [torch.ones(1, 3, 1, 1)]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.conv2d(x, self.kernel[0]).mean((2, 3))

    with torch.inference_mode():
        net = Keeps()
    with pytest.raises(CnnWidgetsError, match=r"made in torch.inference_mode\(\).*copy.deepcopy\(model\)"):
        cw.explainers.saliency(net, images(), 0)
    assert torch.allclose(cw.explainers.saliency(copy.deepcopy(net), images(), 0).values, torch.tensor(1 / 256))
