"""Random small networks, sizes, patches and places: the scores equal those of each edited image run by itself."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import nn
from torch.nn import functional

from cnnwidgets.incremental import Edited
from cnnwidgets.incremental.values import boxes

from . import nets
from .nets import Call, ChannelsLast, Residual, Steps

C = 4
PADDINGS = ("zeros", "reflect", "replicate", "circular")


def conv(draw: Any) -> nn.Module:
    size = draw(st.sampled_from([1, 2, 3, 5]))
    dilation = draw(st.integers(1, 2))
    pad = draw(st.integers(0, 2))
    mode = draw(st.sampled_from(PADDINGS))
    return nn.Conv2d(
        C, C, size, draw(st.integers(1, 2)), pad, dilation, draw(st.sampled_from([1, 2, C])), draw(st.booleans()), mode
    )


def uneven(draw: Any) -> nn.Module:
    return nn.Conv2d(C, C, (1, 5), (2, 1), (0, 2))


def transposed(draw: Any) -> nn.Module:
    stride = draw(st.integers(1, 2))
    return nn.ConvTranspose2d(
        C, C, draw(st.integers(1, 3)), stride, draw(st.integers(0, 1)), draw(st.integers(0, stride - 1)), C // 2
    )


def pool(draw: Any) -> nn.Module:
    size = draw(st.integers(2, 3))
    stride, pad, ceil = draw(st.integers(1, 3)), draw(st.integers(0, 1)), draw(st.booleans())
    if draw(st.booleans()):
        return nn.MaxPool2d(size, stride, pad, draw(st.integers(1, 2)), ceil_mode=ceil)
    return nn.AvgPool2d(size, stride, pad, ceil, draw(st.booleans()), draw(st.sampled_from([None, 3])))


def adaptive(draw: Any) -> nn.Module:
    size = draw(st.integers(3, 7)), draw(st.integers(3, 7))
    return nn.AdaptiveMaxPool2d(size) if draw(st.booleans()) else nn.AdaptiveAvgPool2d(size)


def norm(draw: Any) -> nn.Module:
    norms = [nn.BatchNorm2d(C), nn.GroupNorm(2, C), nn.InstanceNorm2d(C, affine=True), ChannelsLast(C)]
    return draw(st.sampled_from(norms))


def activation(draw: Any) -> nn.Module:
    inplace = draw(st.booleans())
    kinds = [nn.ReLU(inplace), nn.Hardswish(inplace), nn.SiLU(inplace), nn.ELU(inplace=inplace), nn.ReLU6(inplace)]
    return draw(st.sampled_from([*kinds, nn.PReLU(C), nn.GELU(), nn.Softplus(), nn.Dropout(0.5), nn.Mish(inplace)]))


def resize(draw: Any) -> nn.Module:
    mode = draw(st.sampled_from(["nearest", "bilinear", "bicubic", "nearest-exact"]))
    scale = draw(st.sampled_from([0.5, 1.5, 2.0]))
    corners = draw(st.booleans()) if mode.startswith("bi") else None
    return Call(lambda x: functional.interpolate(x, scale_factor=scale, mode=mode, align_corners=corners), mode)


def shape(draw: Any) -> nn.Module:
    pad = draw(st.tuples(*[st.integers(0, 2)] * 4))
    calls = {
        "pad": lambda x: functional.pad(x, pad, value=0.5),
        "shuffle": nets.shuffled,
        "halves": nets.halves,
        "in place": nets.in_place,
        "in place on views": nets.in_place_on_views,
        "written": nets.written,
        "cropped": lambda x: x[:, :, 1:, :-1],
        "strided": lambda x: x[:, :, ::2, 1::2],
        "normalised": lambda x: functional.normalize(x, dim=1),
        "softmax": lambda x: x.softmax(1),
        "flipped": lambda x: x.flip(3),
        "rolled": lambda x: x.roll(1, 2),
        "mixed": lambda x: torch.where(x > 0, x, x * 0.1) / (1 + x.abs().mean(1, keepdim=True)),
        "position": lambda x: x + torch.linspace(0, 1, x.shape[3]),
        "gate": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
        "pixels": lambda x: functional.pixel_unshuffle(functional.pixel_shuffle(x, 2), 2),
    }
    name = draw(st.sampled_from(sorted(calls)))
    return Call(calls[name], name)


def residual(draw: Any) -> nn.Module:
    inner = nn.Sequential(nn.Conv2d(C, C, 3, padding=1), nn.BatchNorm2d(C), nn.ReLU(inplace=draw(st.booleans())))
    way = draw(st.sampled_from(["add", "add_", "mul", "max", "cat"]))
    block: nn.Module = Residual(inner, way)
    return nn.Sequential(block, nn.Conv2d(2 * C, C, 1)) if way == "cat" else block


PARTS = (conv, conv, uneven, transposed, pool, adaptive, norm, activation, activation, resize, shape, shape, residual)


@st.composite
def networks(draw: Any) -> Steps:
    makers = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=6))
    with torch.random.fork_rng():
        torch.manual_seed(draw(st.integers(0, 9)))
        first = nn.Conv2d(2, C, 3, draw(st.integers(1, 2)), 1)
        return Steps([first, *(make(draw) for make in makers)], C, draw(st.sampled_from(["mean", "max"])))


@st.composite
def sweeps(draw: Any) -> tuple[torch.Tensor, list[list[tuple[torch.Tensor, int, int]]]]:
    height, width = draw(st.integers(9, 26)), draw(st.integers(9, 26))
    generator = nets.seeded(draw(st.integers(0, 99)))
    h, w = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    many = draw(st.integers(1, 2))
    edits = []
    for _ in range(draw(st.integers(1, 5))):
        patches = []
        for _ in range(many):
            top, left = draw(st.integers(-h - 1, height + 1)), draw(st.integers(-w - 1, width + 1))
            patches.append((torch.randn(2, h, w, generator=generator), top, left))
        edits.append(patches)
    return torch.randn(1, 2, height, width, generator=generator), edits


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(networks(), sweeps(), st.sampled_from([0.6, 0.85, 1.0]))
def test_equal_the_full_forward(net: Steps, sweep: Any, threshold: float) -> None:
    image, edits = sweep
    try:
        net = nets.alive(net, image.shape[1:])
        full = nets.one_by_one(net, image, edits)
    except (RuntimeError, ValueError, IndexError):  # the maps have become too small for a layer
        return
    if not full.isfinite().all():
        return
    with patch.object(boxes, "WHOLE", threshold), Edited(net, image, engine="incremental") as edited:
        scores = edited.scores_of(edits)
        again = edited.scores_of(edits)  # from what was kept, and what was let go and is made again
    torch.testing.assert_close(again, scores)
    assert float((scores.softmax(1) - full.softmax(1)).abs().max()) < 1e-5
    torch.testing.assert_close(scores, full, atol=1e-5 * max(1.0, float(full.abs().max())), rtol=0)


def test_the_comparison_can_fail() -> None:
    net = nets.alive(Steps([nn.Conv2d(2, C, 3)], C), (2, 12, 12))
    image = torch.randn(1, 2, 12, 12, generator=nets.seeded(0))
    ones = torch.ones(2, 4, 4)
    edited = Edited(net, image)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(edited.scores_of([[(ones, 0, 1)]]), nets.one_by_one(net, image, [[(ones, 0, 0)]]))
