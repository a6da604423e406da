from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.explorer.wrong_size import only_size
from tests.explorer import nets

PHOTOGRAPH = np.full((30, 45, 3), 99, np.uint8)


def of_64_pixels(channels: int = 3) -> nn.Sequential:
    """The linear layer fits 64 x 64 pixels only."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(2 * 16 * 16, 5)
    ).train()


def failure(image: Any, model: nn.Module | None = None, **options: Any) -> InputError:
    with pytest.raises(InputError) as raised:
        cw.explore(model or of_64_pixels(), image, **options)
    return raised.value


def test_a_photograph_for_a_network_of_another_size(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.fromarray(PHOTOGRAPH).save(path)
    for image in (PHOTOGRAPH, path, Image.fromarray(PHOTOGRAPH)):
        error = failure(image)
        assert "in layer '4' (Linear), which got input of shape (1, 98)" in str(error)
        assert "The picture has 30 × 45 pixels, of which the Explorer made 30 × 30 pixels" in str(error)
        assert "It runs on 64 × 64 pixels, and on no other usual size" in str(error)
        assert "preprocess=torchvision.transforms.Compose([Resize(64), CenterCrop(64), ToTensor()])" in str(error)
        assert type(error.__cause__) is CnnWidgetsError
        assert isinstance(error.__cause__.__cause__, RuntimeError)


def test_what_it_says_to_do_works() -> None:
    from torchvision.transforms import Compose, Resize, ToTensor

    e = cw.explore(of_64_pixels(), Image.fromarray(PHOTOGRAPH), preprocess=Compose([Resize((64, 64)), ToTensor()]))
    assert e.status == "ready"
    e.close()


def test_the_size_is_that_of_the_callers_own_preprocessing() -> None:
    error = str(failure(PHOTOGRAPH, preprocess=lambda _: torch.zeros(3, 20, 24)))
    assert "The picture has 30 × 45 pixels, of which preprocess= made 20 × 24 pixels" in error


def test_a_tensor_is_told_its_size() -> None:
    error = str(failure(torch.rand(1, 3, 40, 48)))
    assert "The tensor has 40 × 48 pixels (height × width)" in error
    assert "pass a tensor (1, 3, 64, 64)" in error


def test_a_grey_network() -> None:
    assert "Compose([Grayscale(), Resize(64), CenterCrop(64), ToTensor()])" in str(failure(PHOTOGRAPH, of_64_pixels(1)))


def test_a_network_that_fails_on_every_size_is_told_no_size() -> None:
    error = str(failure(PHOTOGRAPH, nets.Broken()))
    assert "too dark for me" in error
    assert "If it takes another size: pass preprocess=" in error
    assert "Resize((H, W))" in error


def test_the_size_is_named_only_where_it_is_the_only_one() -> None:
    images = torch.zeros(1, 3, 30, 30)
    assert only_size(of_64_pixels(), images) == 64
    assert only_size(nets.plain(), images) is None
    assert only_size(nets.Broken(), images) is None


def test_the_model_is_as_before() -> None:
    model = of_64_pixels()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    failure(PHOTOGRAPH, model)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_second_photograph_of_another_size_is_told_in_the_view() -> None:
    e = cw.explore(of_64_pixels(), {"right": torch.rand(1, 3, 64, 64), "wrong": torch.rand(1, 3, 32, 32)})
    e.picture = "wrong"
    e.wait(20)
    assert "The tensor has 32 × 32 pixels (height × width). It runs on 64 × 64 pixels" in e._view.bar.error
    e.close()
