"""Which part of a photograph a network sees, against the arithmetic of resizing and cropping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.models import ResNet18_Weights

from cnnwidgets.pictures.frame import frame_of, whole_photograph
from cnnwidgets.pictures.transform import Preprocess


@pytest.mark.parametrize(
    "transform", [Preprocess(), ResNet18_Weights.DEFAULT.transforms()], ids=["ours", "torchvision"]
)
@pytest.mark.parametrize(("width", "height"), [(1600, 300), (451, 300), (300, 451), (224, 224), (4000, 3000)])
def test_the_shorter_side_to_256_then_a_centre_square_of_224(transform: Any, width: int, height: int) -> None:
    side = 224 / 256 * min(width, height)
    expected = ((height - side) / 2 / height, (width - side) / 2 / width)
    top, left, bottom, right = frame_of(transform, width, height) or (0, 0, 0, 0)
    np.testing.assert_allclose((top, left), expected, atol=0.006)
    np.testing.assert_allclose((bottom, right), 1 - np.array(expected), atol=0.006)


def test_a_network_of_grey_images_and_one_that_takes_all() -> None:
    grey = Preprocess(size=(28, 28), resize=(28, 28), mean=(0.1,), std=(0.3,), channels=1)
    np.testing.assert_allclose(frame_of(grey, 84, 28) or (), (0, 1 / 3, 1, 2 / 3), atol=0.02)
    squash = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
    assert frame_of(squash, 300, 200) == (0, 0, 1, 1)
    assert whole_photograph(Image.new("RGB", (300, 200)), squash) is None


def test_where_nobody_can_tell_nothing_is_said() -> None:
    calls = []

    def own(image: Image.Image) -> torch.Tensor:
        calls.append(image)
        return torch.zeros(3, 8, 8)

    random = transforms.Compose([transforms.RandomCrop(20), transforms.ToTensor()])
    photograph = Image.new("RGB", (60, 40))
    assert whole_photograph(photograph, own) is None
    assert calls == [], "a function of the reader's is not called behind their back"
    assert whole_photograph(photograph, random) is None
    assert whole_photograph(torch.zeros(1, 3, 40, 60), Preprocess()) is None


def test_all_of_the_photograph_is_there_small() -> None:
    photograph = np.zeros((1200, 2400, 3), np.uint8)
    photograph[:, 1200:] = 200
    whole = whole_photograph(photograph, Preprocess())
    assert whole is not None
    assert whole.pixels.shape == (280, 560, 3)
    assert whole.pixels[140, 100].tolist() == [0, 0, 0]
    assert whole.pixels[140, 460].tolist() == [200, 200, 200]
    assert whole.share == pytest.approx(0.875**2 / 2, abs=0.01)
