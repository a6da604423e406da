"""Where maps lie in the image, against hand-computed places and measured gradients."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.tracing.layouts.layouts import followed_layouts
from cnnwidgets.tracing.placement import Placement, enlarged

Step = Callable[[torch.Tensor], torch.Tensor]


class Chain(nn.Module):
    """Calls its steps in a row; the last is the module ``seen``."""

    def __init__(self, *steps: Any) -> None:
        super().__init__()
        self.steps = steps
        self.kept = nn.ModuleList(step for step in steps if isinstance(step, nn.Module))
        self.seen = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for step in self.steps:
            x = step(x)
        return self.seen(x)


def conv(kernel: int = 3, stride: int = 1, padding: int | None = None) -> nn.Conv2d:
    layer = nn.Conv2d(1, 1, kernel, stride, kernel // 2 if padding is None else padding, bias=False)
    nn.init.ones_(layer.weight)
    return layer


def placement(*steps: Any, size: tuple[int, int] = (32, 32)) -> Placement | None:
    calls = followed_layouts(Chain(*steps).eval(), torch.rand(1, 1, *size)).calls
    assert calls is not None
    return calls["seen", 0].placement


def box(*steps: Any, size: tuple[int, int] = (32, 32)) -> tuple[float, ...]:
    lies = placement(*steps, size=size)
    assert lies is not None
    return lies.box


def written(x: torch.Tensor) -> torch.Tensor:
    canvas = x.new_zeros(len(x), 1, 48, 40)
    canvas[:, :, 9:41, 3:35] = x
    return canvas


def copied(x: torch.Tensor) -> torch.Tensor:
    canvas = x.new_zeros(len(x), 1, 48, 40)
    for image, room in zip(x, canvas, strict=True):
        room[..., 9:41, 3:35].copy_(image)
    return canvas


def in_parts(x: torch.Tensor) -> torch.Tensor:
    canvas = torch.empty_like(x)
    for first in range(0, 32, 8):
        canvas[:, :, first : first + 8] = x[:, :, first : first + 8].relu()
    return canvas


def every_other(x: torch.Tensor) -> torch.Tensor:
    canvas = x.new_zeros(len(x), 1, 64, 64)
    canvas[..., ::2, ::2] = x
    return canvas


def moved_up(x: torch.Tensor) -> torch.Tensor:
    canvas = x.clone()
    canvas[:, :, :-5] = x[:, :, 5:]
    return canvas


BOXES: dict[str, tuple[tuple[Any, ...], tuple[float, float, float, float]]] = {
    "padding that keeps the size": ((conv(), conv(5), nn.MaxPool2d(2)), (0, 0, 32, 32)),
    "strides of 2": ((conv(3, 2), conv(3, 2), conv(3, 2)), (0, 0, 32, 32)),
    "a crop": ((lambda x: x[..., 8:24, 4:24], conv()), (8, 4, 24, 24)),
    "a crop, then strides": ((lambda x: x[..., 8:24, 8:24], conv(3, 2), conv(3, 2)), (8, 8, 24, 24)),
    "a crop by narrow": ((lambda x: x.narrow(3, 12, 16), conv()), (0, 12, 32, 28)),
    "a crop by an index": ((lambda x: x[..., torch.arange(8, 20)], conv()), (0, 8, 32, 20)),
    "a crop inside": ((conv(), nn.MaxPool2d(2), lambda x: x[..., 4:12, 4:12], conv()), (8, 8, 24, 24)),
    "a chunk": ((lambda x: x.chunk(2, 3)[1], conv()), (0, 16, 32, 32)),
    "padding on one side": ((lambda x: functional.pad(x, (16, 0, 16, 0)), conv()), (-16, -16, 32, 32)),
    "a padding layer": ((nn.ZeroPad2d((1, 2, 3, 4)), conv()), (-3, -1, 36, 34)),
    "a negative padding": ((lambda x: functional.pad(x, (-8, 0, 0, -4)), conv()), (0, 8, 28, 32)),
    # Cell i of each side lies on pixel i + 1.
    "no padding": ((conv(3, 1, 0),), (1, 1, 31, 31)),
    # 5 of 28, every second of the mean of two: cell 0 on pixels 2 and 3.
    "no padding, and a pool": ((conv(5, 1, 0), nn.AvgPool2d(2)), (2, 2, 30, 30)),
    "resized": ((lambda x: functional.interpolate(x, (48, 20), mode="bilinear"), conv()), (0, 0, 32, 32)),
    # Nearest: every second pixel from 0 on, of which the first and the last get no cell.
    "resized, no padding": ((lambda x: functional.interpolate(x, (16, 16)), conv(3, 1, 0)), (1.5, 1.5, 29.5, 29.5)),
    "repeated": ((nn.AvgPool2d(8), nn.Upsample(scale_factor=4)), (0, 0, 32, 32)),
    "a crop, repeated": ((lambda x: x[..., 16:], nn.AvgPool2d(4), nn.Upsample(scale_factor=4)), (0, 16, 32, 32)),
    "pooled to more places": ((nn.AvgPool2d(16), nn.AdaptiveAvgPool2d(7)), (0, 0, 32, 32)),
    "rolled and back, padded between": (
        (
            lambda x: functional.pad(x.roll((-3, -3), (2, 3)), (0, 3, 0, 3)),
            nn.ReLU(),
            lambda x: x[..., :32, :32].roll((3, 3), (2, 3)),
        ),
        (0, 0, 32, 32),
    ),
    "a gate of the whole": ((lambda x: x[..., 8:24, :], lambda x: x * x.mean((2, 3), keepdim=True)), (8, 0, 24, 32)),
    "a mean of all": ((lambda x: x.mean((2, 3), keepdim=True),), (0, 0, 32, 32)),
    "written to a larger one": ((written, conv()), (-9, -3, 39, 37)),
    "copied to views of a larger one": ((copied, conv()), (-9, -3, 39, 37)),
    "written in parts": ((in_parts, conv()), (0, 0, 32, 32)),
    "written to every other place": ((every_other, nn.MaxPool2d(2)), (0, 0, 32, 32)),
    "zeros before it": ((lambda x: torch.cat([x.new_zeros(1, 1, 32, 10), x], 3), conv()), (0, -10, 32, 32)),
    "zeros around it": (
        (lambda x: torch.cat([x.new_zeros(1, 1, 4, 32), x, x.new_zeros(1, 1, 6, 32)], 2), conv()),
        (-4, 0, 38, 32),
    ),
    "cut and joined": ((lambda x: torch.cat([x[..., :10], x[..., 10:]], 3), conv()), (0, 0, 32, 32)),
    "its borders twice": ((lambda x: torch.cat([x[..., :1], x, x[..., -1:]], 3), conv(3, 1, 0)), (1, 0, 31, 32)),
    "transposed by einsum and back": (
        (lambda x: torch.einsum("nchw->ncwh", x[..., 8:, :]), conv(), lambda x: x.mT),
        (8, 0, 32, 32),
    ),
    "a shift by one": ((lambda x: x[..., 1:] + x[..., :-1],), (0, 0, 32, 32)),
    "transposed and back": ((lambda x: x[..., 8:, :].mT, conv(), lambda x: x.mT), (8, 0, 32, 32)),
}


@pytest.mark.parametrize("way", BOXES)
def test_maps_lie_at(way: str) -> None:
    steps, expected = BOXES[way]
    assert box(*steps) == pytest.approx(expected)


def test_positions_without_order_have_no_placement() -> None:
    assert placement(lambda x: x.roll(5, 3), conv()) is None
    assert placement(lambda x: x.flip(3), conv()) is None


TURNED = torch.eye(32).flip(0)
PLACELESS: dict[str, Step] = {
    "halves on top of each other": lambda x: x[..., :16] + x[..., 16:],
    "halves as channels": lambda x: torch.cat([x[..., :16], x[..., 16:]], 1).mean(1, keepdim=True),
    "halves as images": lambda x: torch.stack([x[..., :16, :], x[..., 16:, :]]).amax(0),
    "halves on the other side": lambda x: torch.cat([x[..., 16:], x[..., :16]], 3),
    "written over itself": moved_up,
    "a product with a matrix": lambda x: TURNED @ x,
    "a product with matrices": lambda x: torch.bmm(TURNED[None], x[:, 0])[:, None],
    "tensordot": lambda x: torch.tensordot(x, TURNED, ([3], [0])),
    "halves exchanged by fft": lambda x: torch.fft.fftshift(x, (2, 3)),
}


@pytest.mark.parametrize("way", PLACELESS)
def test_what_lies_at_no_one_place_or_may_have_moved_has_no_placement(way: str) -> None:
    assert placement(PLACELESS[way], conv()) is None
    assert placement(conv(), PLACELESS[way], conv()) is None


def _measured(net: nn.Module, size: tuple[int, int], axis: int) -> list[tuple[int, int]]:
    """First and last pixel along ``axis`` that each cell along it reacts to, by gradients."""
    x = torch.rand(1, 1, *size, dtype=torch.float64, requires_grad=True)
    maps = net(x)[0, 0]
    support = []
    for cell in range(maps.shape[axis]):
        (gradient,) = torch.autograd.grad(maps.select(axis, cell).sum(), x, retain_graph=True)
        pixels = gradient[0, 0].abs().amax(1 - axis).nonzero().flatten()
        support.append((int(pixels[0]), int(pixels[-1])) if len(pixels) else (0, -1))
    return support


def _piece(pick: random.Random) -> Any:
    before, after = pick.randint(0, 6), pick.randint(0, 6)
    size = (pick.randint(24, 56), pick.randint(24, 56))
    return pick.choice(
        [
            lambda x: x[..., before : x.shape[2] - after, after : x.shape[3] - before],
            lambda x: functional.pad(x, (before, after, after, before)),
            lambda x: functional.interpolate(x, size, mode="bilinear"),
            conv(pick.choice((1, 3, 5)), 1, pick.choice((0, 1, 2))),
            conv(3, 2, pick.choice((0, 1))),
            nn.AvgPool2d(2),
            nn.AvgPool2d(3, 2, 1),
        ]
    )


def test_cells_lie_at_the_centres_of_measured_gradients() -> None:
    compared = 0
    for seed in range(120):
        pick = random.Random(seed)  # noqa: S311 (no secret)
        size = (pick.randint(40, 56), pick.randint(40, 56))
        steps = [_piece(pick) for _ in range(pick.randint(1, 4))]
        resampled = any("interpolate" in getattr(step, "__code__", _piece.__code__).co_names for step in steps)
        net = Chain(*steps).double().eval()
        lies = placement(*[step.float() if isinstance(step, nn.Module) else step for step in steps], size=size)
        assert lies is not None
        net.double()
        for axis in (0, 1):
            support = _measured(net, size, axis)
            low, high = lies.box[axis], lies.box[axis + 2]
            pitch = (high - low) / len(support)
            inner = [cell for cell, (first, last) in enumerate(support) if first > 0 and last < size[axis] - 1]
            widest = max((support[cell][1] - support[cell][0] for cell in inner), default=0)
            for cell in inner[1:-1]:
                first, last = support[cell]
                repeated = any(sum(support[other]) == first + last for other in (cell - 1, cell + 1))
                if last - first < widest - 1 or repeated:  # cut by an edge that the network made, or enlarged
                    continue
                middle, centre = (first + last + 1) / 2, low + (cell + 0.5) * pitch
                # Half a cell is what the even sharing-out may be off; each resampling rounds by up to half of one, too.
                off = pitch + 2 if resampled else pitch / 2 + 0.51
                assert abs(middle - centre) <= off, (seed, axis, cell, middle, centre)
                compared += 1
    assert compared > 1500


def test_a_map_is_laid_where_it_lies() -> None:
    maps = torch.tensor([[[2.0, 6.0]]])
    lies = Placement((0, 2, 1, 6), (1, 8))  # two cells of two pixels, from pixel 2 to 6
    assert lies.on(maps, (1, 8)).tolist() == [[[0.0, 0.0, 2.0, 3.0, 5.0, 6.0, 0.0, 0.0]]]
    assert lies.on(maps, (1, 8), outside=None).tolist() == [[[2.0, 2.0, 2.0, 3.0, 5.0, 6.0, 6.0, 6.0]]]
    assert lies.on(maps, (1, 4)).tolist() == [[[0.0, 2.0, 6.0, 0.0]]]
    beyond = Placement((0, -4, 1, 4), (1, 4))  # the first of two cells of four lies in padding
    assert beyond.on(maps, (1, 4)).tolist() == [[[4.5, 5.5, 6.0, 6.0]]]


def test_what_covers_the_image_is_enlarged_as_ever() -> None:
    maps = torch.rand(2, 7, 5)
    plain = functional.interpolate(maps[:, None], (32, 20), mode="bilinear", align_corners=False)[:, 0]
    everywhere = Placement((0, 0, 224, 160), (224, 160))
    assert torch.equal(enlarged(maps, (32, 20), everywhere), plain)
    assert torch.equal(enlarged(maps, (32, 20), None), plain)
    torch.testing.assert_close(everywhere.on(maps, (32, 20)), plain)


def test_what_is_not_finite_does_not_spread_over_whole_cells() -> None:
    laid = Placement((0, 0, 1, 4), (1, 8)).on(torch.tensor([[[torch.nan, 1.0]]]), (1, 4))
    assert laid[0, 0].isnan().tolist() == [True, False, False, False]


def test_notes_say_where() -> None:
    assert Placement((0, 0, 32, 32), (32, 32)).notes() == ()
    (cut,) = Placement((8, 8, 24, 24), (32, 32)).notes()
    assert cut.startswith("the maps lie on rows 8 to 24 and columns 8 to 24 of the image (32 × 32): ")
    assert cut.endswith("what lies outside has no place in them")
    (beyond,) = Placement((-16, 0, 32, 32), (32, 32)).notes()
    assert beyond.startswith("the maps lie on rows -16 to 32 and columns 0 to 32 of the image (32 × 32): ")
    assert beyond.endswith("their cells in the padding around it are not shown")


FAMILIES = [
    ("resnet18", 224, "layer4"), ("resnet18", 200, "layer4"), ("vgg11", 64, "avgpool"), ("densenet121", 64, "features"),
    ("mobilenet_v2", 96, "features"), ("mobilenet_v3_small", 96, "features"), ("efficientnet_b0", 96, "features"),
    ("shufflenet_v2_x0_5", 96, "conv5"), ("regnet_y_400mf", 96, "trunk_output"), ("mnasnet0_5", 96, "layers"),
    ("convnext_tiny", 64, "features"), ("swin_t", 128, "features.7"), ("vit_b_32", 224, "encoder"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "side", "layer"), FAMILIES)
def test_ordinary_networks_cover_the_image(name: str, side: int, layer: str) -> None:
    torchvision = importlib.import_module("torchvision")
    net = getattr(torchvision.models, name)(weights=None).eval()
    calls = followed_layouts(net, torch.rand(1, 3, side, side)).calls
    assert calls is not None
    several = [(called, layout) for called, layout in calls.items() if layout.mapped]
    assert len(several) > 5
    assert [called for called, layout in several if layout.placement is None] == []
    assert calls[layer, 0].placement == Placement((0, 0, side, side), (side, side))


@pytest.mark.parametrize("size", [(96, 96), (112, 112), (128, 128), (160, 160), (96, 160)])
@pytest.mark.parametrize("name", ["swin_t", "swin_v2_t"])
def test_shifts_that_are_undone_are_none(name: str, size: tuple[int, int]) -> None:
    torchvision = importlib.import_module("torchvision")
    calls = followed_layouts(getattr(torchvision.models, name)(weights=None).eval(), torch.rand(1, 3, *size)).calls
    assert calls is not None
    for stage in (1, 3, 5, 7):
        layout = calls[f"features.{stage}.1", 0]
        assert layout.form is not None
        assert layout.placement == Placement((0, 0, *size), size)
        assert layout.form.grid == tuple(-(-side // 2 ** (stage // 2 + 2)) for side in size)
