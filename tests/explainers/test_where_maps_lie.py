"""A bright pixel is marked where it is, whatever the network does to the image first; and which call is shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets import checks, explainers
from cnnwidgets.core.errors import NotSpatial
from cnnwidgets.explainers.engine.all_layers import observe
from cnnwidgets.tracing.layouts.memory import remembered

Step = Callable[[torch.Tensor], torch.Tensor]
PIXEL = (20, 13)


class Net(nn.Module):
    def __init__(self, before: Step, *layers: nn.Module) -> None:
        super().__init__()
        self.before = before
        self.body = nn.Sequential(*(layers or (nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())))
        self.head = nn.Linear(4, 2)
        for parameter in self.body.parameters():
            nn.init.constant_(parameter, 0.1)
        nn.init.constant_(self.head.weight[0].data, 1.0)
        nn.init.constant_(self.head.weight[1].data, 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.before(x)).mean((2, 3)))


def bright(side: int = 32) -> torch.Tensor:
    x = torch.zeros(1, 1, side, side)
    x[0, 0, PIXEL[0], PIXEL[1]] = 5
    return x


def middle(heat: torch.Tensor) -> tuple[float, float]:
    """The middle of the brightest places of (H, W), in pixels."""
    weight = heat * (heat > 0.99 * heat.max())
    pixels = torch.arange(len(heat)) + 0.5
    return float((weight.sum(1) * pixels).sum() / weight.sum()), float((weight.sum(0) * pixels).sum() / weight.sum())


BEFORE: dict[str, Step] = {
    "nothing": lambda x: x,
    "a crop": lambda x: x[..., 8:24, 8:24],
    "a crop of columns": lambda x: x.narrow(3, 12, 16),
    "padding": lambda x: functional.pad(x, (16, 0, 16, 0)),
    "resizing": lambda x: functional.interpolate(x, (64, 64)),
    "a transpose": lambda x: x.transpose(2, 3),
}
METHODS = [
    "grad_cam", "grad_cam_pp", "xgrad_cam", "hires_cam", "layer_cam", "eigen_cam", "cam", "score_cam", "ablation_cam",
    "guided_grad_cam",
]  # fmt: skip


@pytest.mark.parametrize("way", BEFORE)
@pytest.mark.parametrize("method", METHODS)
def test_the_bright_pixel_is_marked_where_it_is(method: str, way: str) -> None:
    net, x = Net(BEFORE[way]).eval(), bright()
    heat = explainers.get(method)(net, x, 0).heatmap(size=32)[0]
    assert middle(heat) == pytest.approx((20.5, 13.5), abs=0.51)


@pytest.mark.parametrize("way", ["a crop", "padding"])
def test_every_layer_is_placed_and_says_so(way: str) -> None:
    net, x = Net(BEFORE[way]).eval(), bright()
    for found in explainers.every_layer("grad_cam", net, x, 0).values():
        assert middle(found.heatmap(size=32)[0]) == pytest.approx((20.5, 13.5))
        assert any(note.startswith("the maps lie on rows") for note in found.notes)


def test_what_is_cut_off_is_nothing_or_what_is_asked_for() -> None:
    found = explainers.grad_cam(Net(BEFORE["a crop"]).eval(), bright(), 0)
    assert float(found.heatmap(size=32)[0, :8].abs().max()) == 0.0
    left_out = found.heatmap(size=32, outside=float("nan"))[0]
    assert int(left_out.isfinite().sum()) == 16 * 16
    assert bool(left_out[8:24, 8:24].isfinite().all())


def test_unpadded_convolutions_do_not_stretch() -> None:
    layers = [layer for width in (1, 4, 4, 4) for layer in (nn.Conv2d(width, 4, 3), nn.ReLU())]
    found = explainers.grad_cam(Net(BEFORE["nothing"], *layers).eval(), bright(), 0)
    assert found.values.shape == (1, 24, 24)
    assert middle(found.heatmap(size=32)[0]) == pytest.approx((20.5, 13.5))


MIRRORS: dict[str, Step] = {
    "flip": lambda x: x.flip(3),
    "an index": lambda x: x[..., torch.arange(31, -1, -1)],
    "half a turn": lambda x: torch.rot90(x, 2, (2, 3)),
    "a roll by an index": lambda x: x[..., (torch.arange(32) + 5) % 32],
    "a helper of a helper": lambda x: _turned(x),
}


def _turned(x: torch.Tensor) -> torch.Tensor:
    return functional.pad(x, (0, 0)).flip(-1)


@pytest.mark.parametrize("way", MIRRORS)
def test_moved_positions_are_refused_however_they_were_moved(way: str) -> None:
    with pytest.raises(NotSpatial, match="rows and columns shifted"):
        explainers.grad_cam(Net(MIRRORS[way]).eval(), bright(), 0)


def test_torchvision_mirrors_are_noticed() -> None:
    transforms = importlib.import_module("torchvision.transforms.functional")
    for mirror in (transforms.hflip, transforms.vflip):
        with pytest.raises(NotSpatial, match=r"shifted \(torch.flip\)"):
            explainers.grad_cam(Net(mirror).eval(), bright(), 0, layer="body.1")


def test_several_views_in_one_batch_are_told_from_no_maps_at_all() -> None:
    net, x = Net(lambda x: torch.cat([x, x.flip(3)])).eval(), bright()
    with pytest.raises(NotSpatial, match=r"'body' returns \(2, 4, 32, 32\), with another first axis than the images"):
        explainers.grad_cam(net, x, lambda scores: scores[:1, 0])
    maps = explainers.grad_cam(net, x, lambda scores: scores[:1, 0], layer="body", tokens=lambda both: both[:1])
    assert middle(maps.heatmap(size=32)[0]) == pytest.approx((20.5, 13.5))


def test_a_network_that_changes_its_ways_is_looked_at_again() -> None:
    class Switching(Net):
        way: Any = staticmethod(BEFORE["nothing"])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(self.way(x)).mean((2, 3)))

    net, x = Switching(BEFORE["nothing"]).eval(), bright()
    for way in ("nothing", "a crop", "padding", "a crop of columns", "nothing"):
        net.way = BEFORE[way]
        for _ in range(2):
            assert middle(explainers.grad_cam(net, x, 0).heatmap(size=32)[0]) == pytest.approx((20.5, 13.5))
    net.way = MIRRORS["flip"]
    with pytest.raises(NotSpatial, match="shifted"):
        explainers.grad_cam(net, x, 0)


def test_what_is_remembered_costs_no_forward() -> None:
    net, x, runs = Net(BEFORE["a crop"]).eval(), bright(), []
    net.register_forward_hook(lambda *_: runs.append(1))
    for expected in (1, 2):
        explainers.grad_cam(net, x, 0, layer="body.1")
        assert len(runs) == expected
    with torch.enable_grad():
        assert remembered(net, x).answers("body.1")


class Shared(nn.Module):
    """Calls ``body`` on what each of ``views`` makes of the image."""

    def __init__(self, *views: Step) -> None:
        super().__init__()
        self.views = views
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(4, 2)
        self.register_buffer("reference", torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        views = [self.reference if view is REFERENCE else view(x) for view in self.views]
        return sum(self.head(self.body(view).mean((2, 3))) for view in views)  # type: ignore[return-value]


def REFERENCE(x: torch.Tensor) -> torch.Tensor:  # noqa: N802 (a mark)
    return x


def same(x: torch.Tensor) -> torch.Tensor:
    return x


CALLS: dict[str, tuple[tuple[Step, ...], int, str]] = {
    "a reference": ((same, REFERENCE), 1, ": call 2 does not depend on the image"),
    "two references": ((same, REFERENCE, REFERENCE), 1, ": calls 2 to 3 do not depend on the image"),
    "a reference first": ((REFERENCE, same), 2, ""),
    "its mirror": ((same, lambda x: x.flip(3)), 1, ": call 2 gives maps that lie elsewhere"),
    "its mirror first": ((lambda x: x.flip(3), same), 2, ""),
    "a crop": ((same, lambda x: x[..., 8:24, 8:24]), 1, ": call 2 sees a part of the image"),
    "crops alone": ((lambda x: x[..., :16, :16], lambda x: x[..., 16:, 16:]), 2, ""),
}


@pytest.mark.parametrize("layer", ["body.1", None])
@pytest.mark.parametrize("way", CALLS)
def test_the_call_that_sees_the_image_is_shown(way: str, layer: str | None) -> None:
    views, number, why = CALLS[way]
    net, x = Shared(*views).eval(), bright()
    found = explainers.grad_cam(net, x, 0, layer=layer)
    said = f"layer {found.layer!r} is called {len(views)} times; showing call {number}{why}"
    assert said in found.notes
    alone = explainers.grad_cam(net, x, 0, layer=found.layer, call=number - 1)
    assert torch.equal(found.values, alone.values)
    together = explainers.every_layer("grad_cam", net, x, 0)[found.layer or ""]
    torch.testing.assert_close(together.values, found.values)
    assert said in together.notes
    seen = observe(net, x, 0)
    torch.testing.assert_close(seen.cam[found.layer or ""], found.values)


def test_a_call_that_was_asked_for_is_that_call_or_an_error() -> None:
    net, x = Shared(same, REFERENCE).eval(), bright()
    with pytest.raises(NotSpatial, match="does not depend on the image"):
        explainers.grad_cam(net, x, 0, layer="body.1", call=1)


def test_deletion_hides_the_pixel_first_where_it_is() -> None:
    net, x = Net(BEFORE["a crop"]).eval(), bright()
    found = explainers.grad_cam(net, x, 0)
    curves = checks.insertion_deletion(net, x, found, 0, steps=1024, baseline=0.0, score="logit", repeats=0)
    # The bright pixel is among the nine whose cells see it: all is lost when they are hidden, nothing comes after.
    assert float(curves.deletion[0, 9]) == pytest.approx(float(curves.deletion[0, -1]), abs=1e-6)
    assert float(curves.deletion[0, 0]) > float(curves.deletion[0, 9]) + 1e-3


def test_a_later_call_without_maps_is_none_of_those_to_choose_from() -> None:
    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(self.head(self.act(self.conv(x)).mean((2, 3))))

    found = explainers.grad_cam(Reused().eval(), bright(), 0)
    assert (found.layer, found.values.shape) == ("act", (1, 32, 32))
    assert found.notes[0] == "layer 'act' is called 2 times; showing call 1"
