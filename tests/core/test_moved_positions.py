"""Functions that move positions: what lies between a shift and its undo is no map, what comes after is one again."""

from __future__ import annotations

import importlib
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import NotSpatial
from cnnwidgets.tracing.architecture import trace
from cnnwidgets.tracing.layouts.layouts import Layout, followed_layouts

Step = Callable[[torch.Tensor], torch.Tensor]
SIZE = (8, 12)
ORDER = torch.randperm(12, generator=torch.Generator().manual_seed(1))
TOKENS = torch.randperm(96, generator=torch.Generator().manual_seed(2))
MASK = torch.ones(12, dtype=torch.bool).index_fill(0, torch.tensor([3, 4, 7]), False)


class Chain(nn.Module):
    """A convolution, then functions; ``seen.0`` is what the first returned, ``seen.1`` the second..."""

    def __init__(self, *steps: Step) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 1)
        self.steps, self.seen = steps, nn.ModuleList(nn.Identity() for _ in steps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        for step, seen in zip(self.steps, self.seen, strict=True):
            x = seen(step(x))
        return x


def followed(net: nn.Module) -> list[Layout]:
    known = followed_layouts(net, torch.rand(1, 1, *SIZE)).calls
    assert known is not None
    return [known[name, 0] for name, _ in net.named_modules() if name.startswith("seen.")]


def conv(kernel: int = 3, stride: int = 1, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(4, 4, kernel, stride, kernel // 2, **options)


def written(x: torch.Tensor) -> torch.Tensor:
    out = torch.zeros_like(x)
    out[..., ORDER] = x
    return out


AWAY: dict[str, Step] = {
    "roll": lambda x: x.roll(2, 3),
    "roll of rows and columns": lambda x: torch.roll(x, shifts=(-2, 3), dims=(2, 3)),
    "roll of everything": lambda x: x.roll(5),
    "flip": lambda x: x.flip(-1),
    "fliplr": lambda x: torch.fliplr(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1),
    "half a turn": lambda x: torch.rot90(x, 2, (2, 3)),
    "a turn": lambda x: torch.rot90(x, 1, (2, 3)),
    "index": lambda x: x[..., ORDER],
    "index by a list": lambda x: x[:, :, [1, 0, 2, 3, 4, 5, 6, 7]],
    "two indices": lambda x: x[:, :, torch.arange(8).flip(0)[:, None], torch.arange(12)],
    "index_select": lambda x: x.index_select(3, ORDER),
    "gather": lambda x: x.gather(3, ORDER.expand(x.shape)),
    "gather, each row another": lambda x: x.gather(3, torch.rand(x.shape).argsort(3)),
    "take_along_dim": lambda x: x.take_along_dim(ORDER.expand(x.shape), 3),
    "sort": lambda x: x.sort(3)[0],
    "a mask": lambda x: x[..., MASK],
    "by what it sees": lambda x: x.index_select(3, x.mean((0, 1, 2)).argsort()),
    "written to places": written,
    "scatter": lambda x: torch.zeros_like(x).scatter(3, ORDER.expand(x.shape), x),
    "joined the other way round": lambda x: torch.cat([x[..., 5:], x[..., :5]], 3),
    "chunks the other way round": lambda x: torch.cat([*x.chunk(2, 3)][::-1], 3),
    "a gap": lambda x: torch.cat([x[..., :3], x[..., 8:]], 3),
    "windows the other way round": lambda x: x.unflatten(3, (3, 4)).mT.flatten(3),
    "places within windows": lambda x: x.unflatten(3, (3, 4)).mean(3),
    "one window": lambda x: x.unflatten(3, (3, 4))[:, :, :, 1],
    "tiles": lambda x: x.repeat(1, 1, 1, 2),
    "channels beside each other": lambda x: x.reshape(1, 2, 16, 12).repeat(1, 2, 1, 1),
    "added to its mirror image": lambda x: x + x.flip(3),
    "beside its mirror image": lambda x: torch.cat([x, x.flip(3)], 1)[:, 2:6],
    "shuffled tokens": lambda x: x.flatten(2)[:, :, TOKENS].view_as(x),
    "half of the tokens first": lambda x: torch.cat([x.flatten(2)[:, :, 50:], x.flatten(2)[:, :, :50]], 2).view_as(x),
    "warped": lambda x: nn.functional.grid_sample(
        x, nn.functional.affine_grid(torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]]), list(x.shape), align_corners=False),
        align_corners=False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", AWAY)
def test_moved_positions_are_no_map(way: str) -> None:
    net = Chain(AWAY[way], torch.relu, conv(), nn.MaxPool2d(2), nn.Upsample(scale_factor=2), nn.GELU())
    for layout in followed(net):
        assert not layout.mapped
        assert layout.why_not is not None
    assert not trace(net, torch.rand(1, 1, *SIZE)).find("seen.2").spatial


def test_the_reason_names_what_moved_them() -> None:
    found = [followed(Chain(AWAY[way]))[0].why_not for way in ("roll", "index", "flip", "warped")]
    assert found == [f"with its rows and columns shifted ({by})" for by in
                     ("torch.roll", "an index", "torch.flip", "grid_sample")]  # fmt: skip
    tokens = followed(Chain(lambda x: x.flatten(2).mT[:, TOKENS]))[0].why_not
    assert tokens == "without height and width, and with its tokens shifted (an index)"


BACK: dict[str, tuple[Step, Step, Step]] = {
    "roll": (lambda x: x.roll((-2, -3), (2, 3)), conv(), lambda x: x.roll((2, 3), (2, 3))),
    "roll, the rest of the way": (lambda x: x.roll(-2, 3), conv(5), lambda x: x.roll(-10, 3)),
    "roll, half as far after a stride": (lambda x: x.roll(-4, 3), conv(3, 2), lambda x: x.roll(2, 3)),
    "roll, channels last": (
        lambda x: x.permute(0, 2, 3, 1).roll((1, 2), (1, 2)),
        nn.LayerNorm(4),
        lambda x: x.roll((-1, -2), (1, 2)).permute(0, 3, 1, 2),
    ),
    "flip": (lambda x: x.flip(2, 3), conv(), lambda x: x.flip([2]).flip(3)),
    "index": (lambda x: x[..., ORDER], nn.ReLU(), lambda x: x.index_select(3, ORDER.argsort())),
    "windows in between": (
        lambda x: x.roll(3, 3).unflatten(3, (3, 4)).unflatten(2, (2, 4)).permute(0, 2, 4, 3, 5, 1).flatten(0, 2),
        nn.Linear(4, 4),
        lambda x: x.view(1, 2, 3, 4, 4, 4).permute(0, 5, 1, 3, 2, 4).reshape(1, 4, *SIZE).roll(-3, 3),
    ),
    "windows turned round twice": (
        lambda x: x.unflatten(3, (3, 4)).mT.flatten(3),
        nn.ReLU(),
        lambda x: x.unflatten(3, (4, 3)).mT.flatten(3),
    ),
}


@pytest.mark.parametrize("way", BACK)
def test_moved_back_they_are_a_map_again(way: str) -> None:
    *inside, after = followed(Chain(*BACK[way]))
    assert not any(layout.mapped for layout in inside)
    assert (after.why_not, after.sure, after.spatial) == (None, True, True)


IN_PLACE: dict[str, Step] = {
    "nothing": lambda x: x.roll(0, 3).roll(24, 3),
    "the channels": lambda x: x.roll(1, 1).flip(1)[:, [2, 0, 1]],
    "the images": lambda x: x.flip(0)[torch.tensor([0])],
    "a slice by an index": lambda x: x[..., torch.arange(2, 9)].index_select(2, torch.arange(0, 8, 2)),
    "a slice by a mask": lambda x: x[..., torch.arange(12) > 3],
    "every other": lambda x: torch.cat([x[:, :, 0::2, 0::2], x[:, :, 1::2, 1::2]], 1),
    "parts": lambda x: x.narrow(3, 2, 8).chunk(2, 2)[1],
    "chunks in order": lambda x: torch.cat([*x.chunk(3, 3)], 3),
    "its border twice": lambda x: torch.cat([x[..., :1], x, x[..., -1:]], 3),
    "a gate by a mirror image": lambda x: x * x.flip(3).mean((2, 3), keepdim=True),
    "repeated channels": lambda x: x.repeat(1, 2, 1, 1),
}


@pytest.mark.parametrize("way", IN_PLACE)
def test_what_stays_in_place_stays_a_map(way: str) -> None:
    (layout,) = followed(Chain(IN_PLACE[way]))
    assert (layout.why_not, layout.sure, layout.spatial) == (None, True, True)


def test_focus_sees_as_far_apart_as_it_should() -> None:
    net = Chain(IN_PLACE["every other"], nn.Conv2d(8, 2, 3, padding=1))
    architecture = trace(net, torch.rand(1, 1, *SIZE))
    # Unit i of the convolution reads units i - 1 .. i + 1, each of which the pixels 2 i and 2 i + 1.
    assert architecture.find("seen.1").receptive_field == (6, 6)
    assert architecture.receptive_box("seen.1", 1, 2) == (0, 2, 6, 8)


def test_explainers_refuse_what_lies_between() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.mid, self.last = nn.Conv2d(1, 4, 3, padding=1), conv(), nn.Conv2d(4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.mid(torch.roll(self.first(x), (2, 3), (2, 3)))
            return self.last(torch.roll(x, (-2, -3), (2, 3))).mean((2, 3))

    net, x = Net().eval(), torch.rand(1, 1, *SIZE)
    with pytest.raises(NotSpatial, match=r"'mid'.*shifted \(torch.roll\)"):
        explainers.grad_cam(net, x, 0, layer="mid")
    assert {"first", "last"} == set(explainers.every_layer("grad_cam", net, x, 0))


def test_swin_keeps_its_blocks_and_refuses_its_windows() -> None:
    torchvision = importlib.import_module("torchvision")
    net = torchvision.models.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [4, 4], num_classes=3)
    known = followed_layouts(net, torch.rand(1, 3, 32, 32)).calls
    assert known is not None
    for name in ("features.1.0", "features.1.1.attn", "features.1.1", "features.2", "features.3.1"):
        assert known[name, 0].why_not == "channels last"
        assert known[name, 0].mapped


def pieces(pick: random.Random) -> Callable[[], Step]:
    """One random piece of a network for (1, 1, h, w)."""

    def index(x: torch.Tensor, dim: int, seed: int) -> torch.Tensor:
        return x.index_select(dim, torch.randperm(x.shape[dim], generator=torch.Generator().manual_seed(seed)))

    def back(x: torch.Tensor, dim: int, seed: int) -> torch.Tensor:
        order = torch.randperm(x.shape[dim], generator=torch.Generator().manual_seed(seed))
        return x.index_select(dim, order.argsort())

    dim, by, seed = pick.choice((2, 3)), pick.choice((-2, -1, 1, 2)), pick.choice((0, 1))
    kernel, stride = pick.choice(((1, 1), (3, 1), (3, 1), (3, 2)))
    return pick.choice(
        [
            lambda: nn.Conv2d(1, 1, kernel, stride, kernel // 2),
            lambda: lambda x: x.roll(by, dim),
            lambda: lambda x: x.roll(by, dim),
            lambda: lambda x: x.flip(dim),
            lambda: lambda x: x[..., 1:] if dim == 3 else x[:, :, ::2],
            lambda: lambda x: x.chunk(2, dim)[-1],
            lambda: lambda x: torch.cat([*x.chunk(2, dim)][:: (1 if by > 0 else -1)], dim),
            lambda: lambda x: index(x, dim, seed),
            lambda: lambda x: back(x, dim, seed),
        ]
    )


def test_an_accepted_map_reacts_where_it_says() -> None:
    """Each pixel in turn changes, and every unit that changes must see it; positive weights keep paths from cancelling.

    Without convolutions each unit is one pixel, and those of an accepted map must be in order and evenly apart.
    """
    accepted = refused = undone = 0
    for seed in range(300):
        pick = random.Random(seed)  # noqa: S311 (no secret)
        pointwise = pick.random() < 0.5
        steps: list[Any] = [pieces(pick)() for _ in range(pick.randint(1, 4))]
        if pointwise:
            steps = [step for step in steps if not isinstance(step, nn.Conv2d)] or [nn.ReLU()]
        net = nn.Sequential(Inside(steps)).double().eval()
        for parameter in net.parameters():
            nn.init.ones_(parameter)
        x = torch.ones(1, 1, 8, 8, dtype=torch.float64)
        plain = net(x)[0, 0]
        layer = trace(net, x).find("0")
        if not layer.spatial:
            refused += 1
            continue
        accepted += 1
        undone += any(not isinstance(step, nn.Module) for step in steps)
        reacts = torch.zeros(*plain.shape, 8, 8, dtype=torch.bool)
        for row in range(8):
            for column in range(8):
                changed = x.clone()
                changed[0, 0, row, column] = 2
                reacts[:, :, row, column] = net(changed)[0, 0] != plain
        architecture = trace(net, x)
        for i in range(plain.shape[0]):
            for j in range(plain.shape[1]):
                top, left, bottom, right = architecture.receptive_box("0", i, j)
                inside = torch.zeros(8, 8, dtype=torch.bool)
                inside[top:bottom, left:right] = True
                assert not bool((reacts[i, j] & ~inside).any()), (seed, i, j)
        if pointwise:
            rows = [int(reacts[i, 0].nonzero()[0, 0]) for i in range(plain.shape[0])]
            columns = [int(reacts[0, j].nonzero()[0, 1]) for j in range(plain.shape[1])]
            for places in (rows, columns):
                jumps = {after - before for before, after in itertools.pairwise(places)}
                assert len(jumps) <= 1, (seed, places)
                assert min(jumps, default=1) > 0, (seed, places)
    assert min(accepted, refused, undone) > 50


class Inside(nn.Module):
    def __init__(self, steps: list[Any]) -> None:
        super().__init__()
        self.steps, self.kept = steps, nn.ModuleList(step for step in steps if isinstance(step, nn.Module))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for step in self.steps:
            x = step(x)
        return x
