"""Whatever the network, the patch and the engine, the scores are those of the edited images run in full."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from torch import nn

from cnnwidgets.explainers.occlusion.explainer import occlusion

torch.set_num_threads(2)


def layers(draw: Any, channels: int) -> tuple[list[nn.Module], int]:
    """Some layers of a small network, and the number of channels that they end with."""
    found: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["conv", "strided", "dilated", "grouped", "max", "mean", "norm", "relu", "gelu"]))
        if kind in ("conv", "strided", "dilated"):
            width = draw(st.sampled_from([2, 4]))
            stride, dilation = 1 + (kind == "strided"), 1 + (kind == "dilated")
            found.append(nn.Conv2d(channels, width, 3, stride, draw(st.integers(1, 2)), dilation))
            channels = width
        elif kind == "grouped":
            found.append(nn.Conv2d(channels, channels, 3, padding=1, groups=channels))
        elif kind == "max":
            found.append(nn.MaxPool2d(2, ceil_mode=True))
        elif kind == "mean":
            found.append(nn.AvgPool2d(3, 1, 1))
        elif kind == "norm":
            found.append(nn.BatchNorm2d(channels))
        else:
            found.append(nn.ReLU(inplace=draw(st.booleans())) if kind == "relu" else nn.GELU())
    return found, channels


@st.composite
def cases(draw: Any) -> tuple[nn.Module, torch.Tensor, dict[str, Any]]:
    seed = draw(st.integers(0, 10_000))
    height, width = draw(st.integers(6, 17)), draw(st.integers(6, 17))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body, channels = layers(draw, 2)
        pooled = draw(st.sampled_from([1, 2]))
        net = nn.Sequential(*body, nn.AdaptiveAvgPool2d(pooled), nn.Flatten(), nn.Linear(channels * pooled**2, 3))
        images = torch.randn(draw(st.integers(1, 2)), 2, height, width)
        picture = torch.randn(2, height, width)
    patch = (draw(st.integers(1, height)), draw(st.integers(1, width)))
    mask = (torch.rand(patch, generator=torch.Generator().manual_seed(seed)) < 0.6).numpy()
    mask[0, 0] = True
    options = {
        "patch": patch,
        "stride": (draw(st.integers(2, 7)), draw(st.integers(2, 7))),
        "fill": draw(st.sampled_from([0.0, (0.5, -1.0), "mean", "blur", picture])),
        "shape": draw(st.sampled_from(["square", "disc", mask])),
        "batch": draw(st.sampled_from([None, 1, 3])),
    }
    return net.eval(), images, options


@given(cases())
@settings(max_examples=40, deadline=None)
def test_both_engines_say_what_each_edited_image_says(case: tuple[nn.Module, torch.Tensor, dict[str, Any]]) -> None:
    net, images, options = case
    try:
        with torch.no_grad():
            net(images)
    except RuntimeError:  # the maps have become too small for a layer
        reject()
    found = [occlusion(net, images, 1, score="logit", engine=name, **options) for name in ("full", "auto")]
    height, width = options["patch"]
    fill, shape = options["fill"], options["shape"]
    if not isinstance(fill, str) and not (isinstance(shape, str) and shape == "disc"):
        # Where what is shown is the package's own, the engines are only compared, below.
        mask = torch.ones(height, width, dtype=torch.bool) if isinstance(shape, str) else torch.tensor(shape)
        edits = []
        for image, (top, left) in itertools.product(images, found[0].positions):
            shown = fill if isinstance(fill, torch.Tensor) else torch.tensor(fill).view(-1, 1, 1).expand_as(image)
            window = (slice(None), slice(top, top + height), slice(left, left + width))
            edits.append(image.clone())
            edits[-1][window] = torch.where(mask, shown[window], image[window])
        with torch.no_grad():
            expected = torch.cat([net(edited[None]) for edited in edits])
        torch.testing.assert_close(found[1].scores_at.reshape(-1, 3), expected, atol=1e-5, rtol=1e-4)
    largest = float(found[0].scores_at.abs().max())
    torch.testing.assert_close(found[0].scores_at, found[1].scores_at, atol=1e-5 * max(1.0, largest), rtol=0)
    torch.testing.assert_close(found[0].values, found[1].values, atol=2e-5 * max(1.0, largest), rtol=0, equal_nan=True)


def test_these_networks_are_run_incrementally() -> None:
    net = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    images = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    assert occlusion(net, images, patch=3, engine="incremental").engine == "incremental"
    assert occlusion(net, images, patch=3).engine == "incremental"
    assert occlusion(net, images, patch=3, engine="full").engine == "full"


def test_a_function_as_target_in_both_engines() -> None:
    class Segments(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3, padding=1)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"out": self.conv(x).relu()}

    def corner(outputs: Any) -> torch.Tensor:
        total: torch.Tensor = outputs["out"][:, 1, :3, :3].sum((1, 2))
        return total

    with torch.random.fork_rng():
        torch.manual_seed(3)
        net, images = Segments().eval(), torch.randn(2, 1, 9, 9)
    full, fast = (occlusion(net, images, corner, patch=3, stride=2, engine=name) for name in ("full", "incremental"))
    torch.testing.assert_close(full.grid, fast.grid, atol=1e-6, rtol=0)
    assert float((full.grid - full.baseline[:, None, None]).abs().max()) > 1e-2
    assert torch.equal(full.grid[:, 2:, :], full.baseline[:, None, None].expand_as(full.grid[:, 2:, :]))
