from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest
import torch
from torch import nn

from cnnwidgets.tracing.architecture import trace
from cnnwidgets.tracing.layouts.layouts import followed_layouts

Step = Callable[[torch.Tensor], torch.Tensor]


class Steps(nn.Module):
    """A convolution to (N, 8, 4, 6), then a function, whose result passes an Identity to be looked at."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.conv, self.seen, self.step = nn.Conv2d(3, 8, 1), nn.Identity(), step

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.seen(self.step(self.conv(x)))


def windows(x: torch.Tensor) -> torch.Tensor:
    """(N, C, 4, 6) to (6 N, C, 2, 2)."""
    x = x.reshape(len(x), 8, 2, 2, 3, 2).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(-1, 8, 2, 2)


def windows_behind_the_channels(x: torch.Tensor) -> torch.Tensor:
    """(N, C, 4, 6) to (N, 6, 4, C): 6 windows of 4 tokens."""
    return x.reshape(len(x), 8, 2, 2, 3, 2).permute(0, 2, 4, 3, 5, 1).reshape(len(x), 6, 4, 8)


def heads(x: torch.Tensor) -> torch.Tensor:
    """(N, 2 heads, 24 tokens, 4)."""
    return x.flatten(2).reshape(len(x), 2, 4, 24).transpose(2, 3)


NOT_MAPS: dict[str, tuple[Step, str]] = {
    "channels last": (lambda x: x.permute(0, 2, 3, 1), "channels last"),
    "channels last, as large as maps": (lambda x: x[:, :4].permute(0, 2, 3, 1), "channels last"),
    "heads": (heads, "tokens"),
    "windows": (windows, "first axis"),
    "windows on an axis": (windows_behind_the_channels, "tokens"),
    "transposed": (lambda x: x.mT, "width before height"),
    "a token each": (lambda x: x.flatten(2).mT[:, None], "tokens"),
    "columns only": (lambda x: x.mean(2)[:, None], "without an axis"),
    "constant": (lambda x: torch.ones(len(x), 8, 4, 6), "does not depend"),
}
MAPS: dict[str, Step] = {
    "as it is": lambda x: x,
    "and back": lambda x: x.permute(0, 2, 3, 1).relu().permute(0, 3, 1, 2),
    "unfolded tokens": lambda x: x.flatten(2).mT.relu().mT.reshape(len(x), 8, 4, 6),
    "doubled": lambda x: nn.functional.interpolate(x, scale_factor=2),
    "doubled by axes": lambda x: x[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).reshape(len(x), 8, 8, 12),
    "of one row": lambda x: x.mean(2, keepdim=True),
    "spread from one place": lambda x: nn.functional.interpolate(x.mean((2, 3), keepdim=True), (4, 6)),
}


# Those that hold the maps of the convolution in another order: which of its channels, and from which pixels on.
TURNED = {"channels last": slice(8), "channels last, as large as maps": slice(4), "transposed": slice(8)}
ROWS: dict[str, Step] = {
    "tokens": lambda x: x.flatten(2).mT,
    "tokens last": lambda x: x.flatten(2),
    "tokens first": lambda x: x.flatten(2).permute(2, 0, 1),
    "tokens by columns": lambda x: x.mT.flatten(2).mT,
    "behind a class token": lambda x: torch.cat([torch.ones(len(x), 1, 8), x.flatten(2).mT], 1),
    "between tokens": lambda x: torch.cat(
        [torch.ones(len(x), 2, 8), torch.cat([x.flatten(2).mT, torch.ones(len(x), 3, 8)], dim=1)], 1
    ),
}
NO_ROWS: dict[str, tuple[Step, str]] = {
    "windows": (lambda x: windows(x).flatten(2).mT, "windows of the image, with another first axis"),
    "windows in a row": (lambda x: windows_behind_the_channels(x).flatten(1, 2), "without height and width"),
    "mixed after windows": (
        lambda x: (lambda y: torch.ones(1, 24, 24) @ (y @ torch.eye(8)))(windows_behind_the_channels(x).flatten(1, 2)),
        "without height and width",
    ),
    "one row": (lambda x: x.mean(2), "without height and width"),
    "two numbers": (lambda x: x.mean(3).mean(2), "without height and width"),
    "constant": (lambda x: torch.ones(len(x), 24, 8), "does not depend"),
    "two images in a row": (lambda x: torch.cat([x.flatten(2).mT] * 2, 1), "without height and width"),
    "many unseen beside": (lambda x: nn.functional.pad(x.flatten(2).mT @ torch.eye(8), (0, 0, 9, 0)), "without height"),
}


@pytest.mark.parametrize("way", TURNED)
def test_turned_maps_are_turned_back(way: str) -> None:
    net, x = Steps(NOT_MAPS[way][0]), torch.rand(2, 3, 4, 6)
    layout = followed_layouts(net, x).of("seen", 0, tuple(net(x).shape))
    torch.testing.assert_close(layout.maps(net(x)), net.conv(x)[:, TURNED[way]])


@pytest.mark.parametrize("way", ROWS)
def test_tokens_are_laid_out(way: str) -> None:
    net, x = Steps(ROWS[way]), torch.rand(2, 3, 4, 6)
    layouts_ = followed_layouts(net, x)
    layout = layouts_.of("seen", 0, tuple(net(x).shape))
    assert (layout.mapped, layout.spatial, layouts_.has_tokens) == (True, False, True)
    maps = layout.maps(net(x))
    torch.testing.assert_close(maps, net.conv(x))
    assert layout.form is not None
    torch.testing.assert_close(layout.form.put(maps, net(x)), net(x))
    doubled = layout.form.put(2 * maps, net(x))
    torch.testing.assert_close(layout.maps(doubled), 2 * net.conv(x))
    assert int((doubled != net(x)).sum()) == maps.numel()


@pytest.mark.parametrize("way", NO_ROWS)
def test_other_outputs_of_three_axes_say_why(way: str) -> None:
    step, why = NO_ROWS[way]
    net, x = Steps(step), torch.rand(1, 3, 4, 6)
    layout = followed_layouts(net, x).of("seen", 0, tuple(net(x).shape))
    assert why in str(layout.why_not)
    assert (layout.mapped, layout.form) == (False, None)


@pytest.mark.parametrize("way", NOT_MAPS)
@pytest.mark.parametrize("batch", [1, 2])
def test_four_axes_are_not_always_maps(way: str, batch: int) -> None:
    step, why = NOT_MAPS[way]
    net, x = Steps(step), torch.rand(batch, 3, 4, 6)
    shape = tuple(net(x).shape)
    assert len(shape) == 4
    layout = followed_layouts(net, x).of("seen", 0, shape)
    assert why in str(layout.why_not)
    assert (layout.shape, layout.spatial, layout.mapped) == (shape, False, way in TURNED)
    assert not trace(net, x).find("seen").spatial


@pytest.mark.parametrize("way", MAPS)
def test_maps_stay_maps(way: str) -> None:
    net, x = Steps(MAPS[way]), torch.rand(2, 3, 4, 6)
    layout = followed_layouts(net, x).of("seen", 0, tuple(net(x).shape))
    assert (layout.why_not, layout.sure, layout.spatial) == (None, True, True)
    assert trace(net, x).find("seen").spatial


class Scrambled(nn.Module):
    """The axes are lost on the way; ``twin`` has the same shape as what comes out."""

    def __init__(self, twin: Step | None) -> None:
        super().__init__()
        self.conv, self.seen, self.other, self.twin = nn.Conv2d(3, 8, 1), nn.Identity(), nn.Identity(), twin

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        y = self.seen((x.flatten(1) @ torch.eye(192)).reshape(len(x), 4, 6, 8))
        return y if self.twin is None else y + self.other(self.twin(x))


def test_what_cannot_be_followed_is_as_its_equals_are() -> None:
    x = torch.rand(1, 3, 4, 6)
    alone = followed_layouts(Scrambled(None), x).of("seen", 0, (1, 4, 6, 8))
    assert (alone.why_not, alone.sure, alone.spatial) == (None, False, True)
    as_other = followed_layouts(Scrambled(lambda x: x.permute(0, 2, 3, 1)), x).of("seen", 0, (1, 4, 6, 8))
    assert (as_other.why_not, as_other.sure) == ("channels last", True)


def test_another_shape_than_followed_is_not_sure() -> None:
    x = torch.rand(1, 3, 4, 6)
    known = followed_layouts(Steps(lambda x: x), x)
    assert known.of("seen", 0, (1, 8, 4, 6)).sure
    assert not known.of("seen", 0, (1, 8, 2, 3)).sure
    assert not known.of("seen", 1, (1, 8, 4, 6)).sure


def test_calls_of_one_layer_are_told_apart() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(self.act(self.act(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))

    known = followed_layouts(Shared(), torch.rand(2, 3, 4, 6))
    found = [known.of("act", 0, (2, 3, 4, 6)), known.of("act", 1, (2, 4, 6, 3)), known.of("act", 2, (2, 3, 4, 6))]
    assert [layout.spatial for layout in found] == [True, False, True]


def test_no_layer_of_swin_but_two_has_maps_as_they_are() -> None:
    torchvision = importlib.import_module("torchvision")
    architecture = trace(torchvision.models.swin_t(weights=None), torch.zeros(1, 3, 64, 64))
    everything = [*architecture.layers, *architecture.containers]
    # Each attention opens into mul, matmul, add, softmax of windows, also where there is but one window.
    assert {(1, 24, 49, 49), (9, 3, 49, 49)} <= {layer.output_shape for layer in everything if layer.functional}
    assert [layer.name for layer in everything if layer.spatial] == ["features.0.0", "permute"]
