"""The whole: arguments, what is returned, what is left alone, and networks of odd kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.progress import Step
from cnnwidgets.synthesis import Synthesis, maximize


def small(channels: int = 3, activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, stride=2), nn.BatchNorm2d(6), activation(), nn.Conv2d(6, 8, 3), activation()
    )


def trained(net: nn.Sequential) -> nn.Sequential:
    with torch.no_grad():
        for _ in range(5):
            net.train()(torch.rand(8, 3, 24, 24))
    return net


RECIPES = {"fourier": 16, "maco": 16, "keras": 64, "pixels": 16}


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_excites_each_channel(recipe: str) -> None:
    net = trained(small())
    size = RECIPES[recipe]
    steps = {"keras": 8}.get(recipe, 100)
    result = maximize(net, "4", recipe=recipe, size=size, steps=steps, value_range=(0.0, 1.0))
    noise = net.eval()(torch.rand(20, 3, size, size)).mean((0, 2, 3))
    assert bool((result.values > noise)[~result.dead].all())
    assert int(result.dead.sum()) <= 1
    assert float(result.images.min()) >= 0
    assert float(result.images.max()) <= 1
    assert result.activations.shape == (8, steps)
    assert result.channels == tuple(range(8))
    assert (result.layer, result.recipe, result.size) == ("4", recipe, (size, size))


def test_an_image_does_not_depend_on_its_neighbours_or_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    net = trained(small()).double()
    together = maximize(net, "3", [1, 5, 7], size=16, steps=6, seed=2)
    alone = maximize(net, "3", [5], size=16, steps=6, seed=2)
    torch.testing.assert_close(together.images[1], alone.images[0], atol=1e-5, rtol=0)
    monkeypatch.setattr("cnnwidgets.synthesis.maximization.estimated_batch", lambda *_: 1)
    split = maximize(net, "3", [1, 5, 7], size=16, steps=6, seed=2)
    torch.testing.assert_close(together.images, split.images, atol=1e-5, rtol=0)
    other = maximize(net, "3", [5], size=16, steps=6, seed=3)
    assert float((other.images - alone.images).abs().max()) > 0.01


def test_memory_that_is_short_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    class Narrow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = trained(small())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return self.net(x)

    result = maximize(Narrow(), "net.3", size=16, steps=3)
    assert bool(result.activations.isfinite().all())


def test_a_network_for_one_image_at_a_time() -> None:
    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = trained(small())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x.view(1, 3, 16, 16))

    result = maximize(Single(), "net.3", size=16, steps=3)
    assert bool(result.activations.isfinite().all())


def test_nothing_is_left_behind() -> None:
    net = trained(small()).train()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(5)
    before = torch.get_rng_state()

    def cancel(step: Step) -> None:
        if step.done > 20:
            raise cw.Cancelled("enough")

    maximize(net, "3", size=16, steps=3)
    with pytest.raises(cw.Cancelled) as cancelled:
        maximize(net, "3", size=16, steps=30, progress=cancel)
    assert cancelled.value.partial.activations.isfinite().sum() == 24  # three steps of eight images
    with pytest.raises(cw.InputError):
        maximize(net, "3", 99, size=16, steps=30)
    assert torch.equal(torch.get_rng_state(), before)
    assert net.training
    assert all(module.training for module in net.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert not any("forward" in vars(module) for module in net.modules())
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())


def test_what_is_there_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnwidgets.synthesis.maximization._OFTEN", 0.0)
    steps: list[Step] = []
    result = maximize(trained(small()), "3", [0, 1], size=16, steps=5, progress=steps.append)
    assert [step.done for step in steps] == [2, 4, 6, 8, 10, 10]
    assert all(step.total == 10 for step in steps)
    partial = steps[1].partial
    assert isinstance(partial, Synthesis)
    assert partial.images.shape == result.images.shape
    assert int(partial.activations.isfinite().sum()) == 4
    assert "not finished yet" in partial.notes
    assert steps[-1].partial is result


def test_converged_images_leave() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Hardtanh())
    with torch.no_grad():
        net[0].weight.fill_(3.0)
        net[0].bias.fill_(-0.5)
    seen: list[Step] = []
    result = maximize(net, "1", size=16, steps=400, progress=seen.append)
    steps = result.activations.isfinite().sum(1)
    assert bool((steps < 300).all())
    assert bool((steps >= 64).all())
    assert seen[-1].done == seen[-1].total == 800
    assert bool((result.values > 0.9).all())


def test_directions_signs_and_cells() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False)).eval()
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(3)[:, :, None, None])
    common: dict[str, Any] = {"recipe": "pixels", "size": 16, "steps": 60, "value_range": (0.0, 1.0)}
    red = maximize(net, "0", 0, **common).images[0].mean((1, 2))
    assert float(red[0]) > 0.8
    dark = maximize(net, "0", 0, sign=-1, **common)
    assert float(dark.images[0].mean((1, 2))[0]) < 0.2
    assert float(dark.peaks[0]) == pytest.approx(float(dark.images[0, 0].min()), abs=1e-5)
    both = maximize(net, "0", direction=[1.0, 0.0, -1.0], **common)
    means = both.images[0].mean((1, 2))
    assert float(means[0]) > 0.7 > 0.3 > float(means[2])
    assert both.channels == (-1,)
    assert float(both.values[0]) == pytest.approx(float(means[0] - means[2]), abs=1e-4)
    cell = maximize(net, "0", 1, unit=(2, 12), **common)
    assert float(cell.values[0]) == pytest.approx(float(cell.images[0, 1, 2, 12]), abs=1e-5)
    assert float(cell.values[0]) > 0.6
    centre = maximize(net, "0", 1, objective="center", **common)
    assert float(centre.values[0]) == pytest.approx(float(centre.images[0, 1, 8, 8]), abs=1e-5)


def test_variants_are_unlike() -> None:
    net = trained(small())
    result = maximize(net, "4", [2, 3], variants=3, size=24, steps=40)
    assert result.channels == (2, 2, 2, 3, 3, 3)
    assert result.label(4) == "3 · variant 1"
    assert float((result.images[0] - result.images[1]).abs().mean()) > 0.05


def test_likeness_is_the_cosine_of_gram_matrices() -> None:
    from cnnwidgets.synthesis.diversity import likeness

    maps = torch.randn(3, 2, 4, 5)
    grams = [torch.einsum("ahw,bhw->ab", one, one) for one in maps]
    expected = sum(float((grams[i] * grams[j]).sum() / grams[i].norm() / grams[j].norm()) for i, j in ((0, 1),))
    assert float(likeness(maps, [0, 0, 1])) == pytest.approx(expected, rel=1e-5)


def test_ratios_to_natural_activations() -> None:
    class Natural:
        def largest(self, layer: str) -> torch.Tensor:
            assert layer == "3"
            return torch.tensor([2.0, -1.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0])

    net = trained(small())
    result = maximize(net, "3", [2, 1], size=16, steps=5, exemplars=Natural())
    x = with_imagenet_colours(net, result.images)
    peaks = net[:4].eval()(x).amax((2, 3))
    assert float(result.ratios[0]) == pytest.approx(peaks[0, 2].item() / 4, rel=1e-3)
    assert bool(result.ratios[1].isnan())
    assert bool(maximize(net, "3", 2, size=16, steps=2).ratios.isnan().all())


def with_imagenet_colours(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """With ImageNet's mean and deviation, which is what an unknown network is taken for."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)


@pytest.mark.parametrize("channels", [1, 2, 3, 12])
def test_input_channels(channels: int) -> None:
    net = small(channels, nn.SiLU).eval()
    result = maximize(net, "3", [0, 1], size=16, steps=4)
    assert result.images.shape == (2, channels, 16, 16)
    assert result.notes  # what was assumed of their range
    assert result.grid().width > 100


def test_value_range_mean_and_std() -> None:
    seen: list[torch.Tensor] = []

    class Watch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.detach())
            return self.conv(x)

    result = maximize(Watch(), "conv", value_range=(0.0, 255.0), mean=[100.0, 0.0], std=[50.0, 1.0], size=8, steps=1)
    expected = (result.images * 255 - torch.tensor([100.0, 0.0]).view(2, 1, 1)) / torch.tensor([50.0, 1.0]).view(
        2, 1, 1
    )
    torch.testing.assert_close(seen[-1], expected)
    assert not any("assumed" in note for note in result.notes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    net = trained(small(3, nn.SiLU)).eval().to(dtype)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    result = maximize(net, "3", [0, 1], size=16, steps=30)
    assert bool(result.activations.isfinite().all())
    assert bool((result.activations[:, -5:].mean(1) > result.activations[:, :5].mean(1)).all())


def test_small_images() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    for recipe in ("fourier", "pixels"):
        assert maximize(net, recipe=recipe, size=8, steps=3).images.shape == (3, 1, 8, 8)


def test_inference_mode_and_frozen() -> None:
    net = trained(small()).requires_grad_(False)
    with torch.inference_mode():
        result = maximize(net, "3", 0, size=16, steps=3)
    assert bool(result.activations.isfinite().all())


def test_a_layer_before_a_crop() -> None:
    class Crop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.conv(x)[:, :, 4:-4, 4:-4].mean((2, 3)))

    assert maximize(Crop(), "conv", 1, size=24, steps=3).images.shape == (1, 3, 24, 24)


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "channel": ({"channels": 8}, cw.InputError, "channel 8 is out of range: layer '3' has 8 channels, 0 to 7"),
    "negative channel": ({"channels": [-1]}, cw.InputError, "out of range"),
    "no channel": ({"channels": []}, cw.InputError, "expected an int"),
    "true": ({"channels": True}, cw.InputError, "expected an int"),
    "recipe": ({"recipe": "lucid"}, cw.InputError, "'fourier', 'maco', 'keras', 'pixels'"),
    "size for keras": ({"recipe": "keras", "size": 50}, cw.InputError, "at least 52"),
    "map for keras": ({"recipe": "keras", "size": (52, 52), "layer": "5"}, cw.LayerNotFound, "Closest"),
    "size": ({"size": 0}, cw.InputError, "size is 0"),
    "too small": ({"size": 4}, cw.InputError, "at least 8"),
    "steps": ({"steps": 0}, cw.InputError, "steps is 0"),
    "variants": ({"variants": 0}, cw.InputError, "variants"),
    "seed": ({"seed": -1}, cw.InputError, "seed"),
    "sign": ({"sign": 2}, cw.InputError, "sign"),
    "objective": ({"objective": "max"}, cw.InputError, "objective"),
    "unit": ({"unit": (99, 0)}, cw.InputError, "out of range: the maps of layer '3' are 4 × 4"),
    "unit of what": ({"unit": 3}, cw.InputError, "row, column"),
    "direction": ({"direction": [1.0, 2.0]}, cw.InputError, "expected (8,)"),
    "both": ({"direction": [1.0] * 8, "channels": 1}, cw.InputError, "exclude"),
    "no direction": ({"direction": [0.0] * 8}, cw.InputError, "zeros"),
    "mean": ({"mean": [0.5, 0.5]}, cw.InputError, "2 channels"),
    "std": ({"std": 0.0}, cw.InputError, "above 0"),
    "range": ({"value_range": (1.0, 0.0)}, cw.InputError, "value_range"),
    "layer": ({"layer": "conv"}, cw.LayerNotFound, "No layer 'conv'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    options, kind, message = BAD[name]
    with pytest.raises(kind) as caught:
        maximize(small(), **{"layer": "3", "size": 16, "steps": 2} | options)
    assert message in str(caught.value)


def test_a_map_too_small_for_the_border() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 9, stride=16))
    with pytest.raises(cw.InputError, match="nothing remains"):
        maximize(net, "0", recipe="keras", size=64, steps=2)


def test_the_size_of_a_network_that_takes_only_its_own() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 38 * 38, 3))
    with pytest.raises(cw.InputError, match="Pass size="):
        maximize(net, steps=2)
    net.pretrained_cfg = {"input_size": (3, 40, 40), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    assert maximize(net, steps=2).size == (40, 40)


def test_the_sheet_says_what_it_is(tmp_path: Any) -> None:
    from PIL import Image

    net = trained(small())
    result = maximize(net, "3", [2, 5], size=16, steps=3, seed=4)
    result.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        text = sheet.text
    assert text["layer"] == "3"
    assert text["channels"] == "2, 5"
    assert text["seed"] == "4"
    assert "lowest to the highest" in text["scale"]
    result.save(tmp_path / "alone.png", 1)
    with Image.open(tmp_path / "alone.png") as alone:
        assert alone.text["channels"] == "5"
        colours = {pixel for _, pixel in alone.convert("RGB").getcolors(10**6)}
    corner = tuple((result.images[1, :, 0, 0] * 255).round().int().tolist())
    assert corner in colours
    with pytest.raises(cw.InputError, match="index"):
        result.save(tmp_path / "no.png", 2)
    with pytest.raises(cw.InputError, match="Cannot write"):
        result.save(tmp_path / "nowhere" / "no.png")
    assert result._repr_png_()[:4] == b"\x89PNG"


def test_a_network_that_rounds_its_input_is_told_from_one_with_a_dead_unit() -> None:
    class Rounds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x.round()).mean((2, 3))

    result = maximize(Rounds(), "conv", size=16, steps=2)
    assert result.dead.all()
    assert any("may round" in note for note in result.notes)
    assert any("run in evaluation mode" in note for note in maximize(small().train(), "3", 0, size=16, steps=1).notes)


def test_ratios_to_the_exemplars_of_real_images() -> None:
    net = trained(small()).eval()
    images = with_imagenet_colours(net, torch.rand(40, 3, 24, 24))
    exemplars = cw.exemplars.find(net, "4", images)
    with torch.no_grad():
        largest = torch.stack([net(image[None])[0].amax((1, 2)) for image in images]).amax(0)
    # a channel that no image excites has no ratio
    channels = [int(largest.argmax()), int(largest.argmin()), *largest.argsort()[3:5].tolist()]
    result = maximize(net, "4", channels, size=24, steps=20, exemplars=exemplars)
    with torch.no_grad():
        peaks = net(with_imagenet_colours(net, result.images)).amax((2, 3))
    for row, channel in enumerate(channels):
        expected = peaks[row, channel] / largest[channel] if largest[channel] > 0 else torch.nan
        assert float(result.ratios[row]) == pytest.approx(float(expected), rel=1e-3, nan_ok=True)
    assert int(result.ratios.isfinite().sum()) >= 3
