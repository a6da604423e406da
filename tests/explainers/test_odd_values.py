"""Layers whose values are complex, or beyond float32: maps are what they should be, or it is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import InputError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.engine.all_layers import observe


class Fourier(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft2(x)


class Phase(nn.Module):
    """Turns and mixes complex maps, and gives scores of them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fourier = nn.Conv2d(3, 4, 3, padding=1), Fourier()
        self.turn = nn.Parameter(torch.randn(4, 6, 6, dtype=torch.complex64))
        self.fc = nn.Linear(4, 3)

    def head(self, z: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.fft.ifft2(z * self.turn).real.square().mean((2, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.fourier(self.conv(x)))


@pytest.fixture(scope="module")
def net() -> Phase:
    torch.manual_seed(0)
    return Phase().eval()


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def by_parts(net: Phase, image: torch.Tensor, target: int) -> tuple[np.ndarray, np.ndarray]:
    """Grad-CAM and each channel's contribution, with real and imaginary parts as two real inputs of the head."""
    with torch.no_grad():
        z = net.fourier(net.conv(image))
    re, im = z.real.clone().requires_grad_(), z.imag.clone().requires_grad_()
    slope_re, slope_im = torch.autograd.grad(net.head(torch.complex(re, im))[0, target], [re, im])
    parts = [(slope_re[0].numpy(), re.detach()[0].numpy()), (slope_im[0].numpy(), im.detach()[0].numpy())]
    cam = sum((slope.mean((1, 2))[:, None, None] * part).sum(0) for slope, part in parts)
    return np.asarray(cam), np.asarray(sum((slope * part).sum((1, 2)) for slope, part in parts))


@pytest.mark.filterwarnings("error")
def test_grad_cam_of_a_complex_layer(net: Phase, image: torch.Tensor) -> None:
    cam, contribution = by_parts(net, image, 1)
    result = cw.explainers.grad_cam(net, image, 1, layer="fourier")
    np.testing.assert_allclose(result.values[0].numpy(), cam, rtol=1e-4, atol=1e-6)
    assert any("real and imaginary parts count as channels" in note for note in result.notes)
    seen = observe(net, image, 1)
    np.testing.assert_allclose(seen.cam["fourier"][0].numpy(), cam, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(seen.contribution["fourier"][0].numpy(), contribution, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["grad_cam_pp", "xgrad_cam", "hires_cam", "layer_cam", "eigen_cam", "score_cam"])
@pytest.mark.filterwarnings("error")
def test_the_other_methods_say_it_too(name: str, net: Phase, image: torch.Tensor) -> None:
    result = cw.explainers.get(name)(net, image, 1, layer="fourier")
    assert bool(result.values.isfinite().all())
    assert any("complex" in note for note in result.notes)


def test_ablation_says_what_it_cannot_do(net: Phase, image: torch.Tensor) -> None:
    with pytest.raises(InputError, match="complex maps"):
        cw.explainers.ablation_cam(net, image, 1, layer="fourier")


@pytest.mark.filterwarnings("error:Casting complex")
def test_the_explorer_shows_the_modulus_and_says_so(net: Phase, image: torch.Tensor) -> None:
    explorer = cw.explore(net, image, target=1)
    try:
        explorer.wait(30)
        explorer.layer = "fourier"
        message, buffers = explorer.feature_maps._pushed["maps"]
        assert any("the modulus is shown" in note for note in message["notes"])
        arrays = {header["name"]: buffer for header, buffer in zip(message["arrays"], buffers, strict=False)}
        with torch.no_grad():
            modulus = net.fourier(net.conv(image))[0].abs().flatten(1).amax(1).numpy()
        np.testing.assert_allclose(np.frombuffer(arrays["maximum"], np.float32), modulus, rtol=1e-5)
    finally:
        explorer.close()


class Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


@pytest.mark.parametrize(("factor", "words"), [(1e-300, "they are 0 in it"), (1e300, "they are infinite in it")])
def test_gradients_beyond_float32_are_told(factor: float, words: str) -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), Scaled(factor), nn.Flatten(), nn.Linear(16, 1)).double().eval()
    image = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    for result in (cw.explainers.saliency(net, image), cw.explainers.grad_cam(net, image, layer="0")):
        assert any(words in note for note in result.notes), result.notes


def test_maps_beyond_float32_are_scaled_and_that_is_said() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), Scaled(1e-300), Scaled(1e300), nn.Flatten(), nn.Linear(16, 2))
    net = net.double().eval()
    with torch.no_grad():
        net[0].weight.fill_(2.0)
    image = torch.arange(16.0).view(1, 1, 4, 4)
    seen = observe(net, image)
    assert seen.maps["1"][0, 0].flatten().tolist() == pytest.approx([0.2 * n for n in range(16)], rel=1e-5)
    assert seen.changes["1"] == "The values reach 3e-299, which 32 bits cannot hold: they are shown divided by 1e-299."


@pytest.mark.parametrize("size", [1e-40, 1e-45, 1e-20, 1e38])
def test_a_map_of_tiny_numbers_is_as_bright_as_any(size: float) -> None:
    maps = torch.tensor([[[0.0, size]]])
    assert Attribution(maps, "m", (0,), None, torch.zeros(1)).heatmap().tolist() == [[[0.0, 1.0]]]


def notes_of(widget: Any, kind: str) -> list[str]:
    if kind == "maps":
        return list(widget._pushed["maps"][0]["notes"])
    return [note["text"] for note in widget.notes]


@pytest.mark.parametrize("kind", ["maps", "map"])
@pytest.mark.parametrize(
    ("values", "words", "largest"),
    [
        (np.array([[0.0, 3e-300]]), "shown divided by 1e-300", 3.0),
        (np.array([[2e300, 4e300]]), "shown divided by 1e300", 4.0),
        (np.array([[0.0, 3e-320]]), "shown divided by", 3.0),
        (np.array([[1.0, 1e300]]), "1 value is beyond 3.4e38: shown as infinite", None),
        (np.array([[0, 2**24 + 1]]), "rounded to 7 digits", 2.0**24),
        (np.array([[0, 2**24]]), "", 2.0**24),
        (np.array([[False, True]]), "", 1.0),
        (torch.tensor([[0.0, 1e-40]]).bfloat16(), "", 1e-40),
    ],
)
def test_widgets_show_values_right_or_say_it(kind: str, values: Any, words: str, largest: float | None) -> None:
    widget = cw.FeatureMaps(values[None]) if kind == "maps" else cw.HeatmapOverlay(None, values)
    told = notes_of(widget, kind)
    assert any(words in note for note in told) if words else told == []
    message, buffers = widget._pushed[kind]
    at = [header["name"] for header in message["arrays"]].index("maximum" if kind == "maps" else "values")
    shown = np.frombuffer(buffers[at], np.float32)
    assert largest is None or float(shown.max()) == pytest.approx(largest, rel=0.02)


@pytest.mark.filterwarnings("error")
def test_complex_values_are_refused_by_every_widget_however_they_come() -> None:
    for values in (np.array([[1j, 2.0]]), torch.tensor([[1j, 2.0]]), torch.tensor([[1j, 2.0]]).conj()):
        for take in (
            lambda v: cw.HeatmapOverlay(None, v),
            lambda v: cw.FeatureMaps(v[None]),
            lambda v: cw.ClassScores(v[0]),
            lambda v: cw.Occluder().show_heat(v),
            lambda v: cw.MapCheck().show_maps(v[None], [], []),
        ):
            with pytest.raises(InputError):
                take(values)
