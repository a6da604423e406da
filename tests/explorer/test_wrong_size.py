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
from cnnwidgets.explorer.fitting.input_size import input_sizes
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


def opened(model: nn.Module, image: Any) -> tuple[tuple[int, ...], list[str]]:
    """Shape of what the network is given, and what is said of it."""
    e = cw.explore(model, image)
    shape, notes = tuple(e._scene.picture.tensor.shape), list(e._view.bar.notes)
    e.wait(60)  # networks of linear layers alone begin with another method than Grad-CAM
    assert e.status == "ready"
    e.close()
    return shape, notes


def test_a_photograph_is_brought_to_the_size_that_the_network_takes(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.fromarray(PHOTOGRAPH).save(path)
    for image in (PHOTOGRAPH, path, Image.fromarray(PHOTOGRAPH)):
        shape, notes = opened(of_64_pixels(), image)
        assert shape == (1, 3, 64, 64)
        takes = "This network takes 64 × 64 pixels (64 to 67 run)"
        assert notes[0] == f"{takes}: the photograph's centre was enlarged to that."


def digits(side: int, channels: int = 1) -> nn.Sequential:
    """Two convolutions and poolings, and as many weights as images of ``side`` pixels need."""
    left = ((side - 2) // 2 - 2) // 2
    return nn.Sequential(
        *(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(4 * left * left, 10)),
    )


class LeNet(nn.Module):
    """Its ``view`` fails, or makes several images of one, instead of its linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.linear = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5), nn.Linear(400, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv in (self.one, self.two):
            x = nn.functional.max_pool2d(conv(x).relu(), 2)
        return self.linear(x.view(-1, 400))


class Halves(nn.Module):
    """At 224 pixels its ``view`` makes 49 images of one, and nothing fails."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.Linear(16 * 16 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.conv(x).view(-1, 16 * 16 * 16))


SIZES: list[tuple[nn.Module, tuple[int, ...]]] = [
    (digits(28), (1, 1, 28, 28)),
    (digits(32, 3), (1, 3, 32, 32)),
    (digits(61, 3), (1, 3, 58, 58)),
    (LeNet(), (1, 3, 32, 32)),
    (Halves(), (1, 3, 32, 32)),
    (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (1, 1, 28, 28)),
    (nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10)), (1, 3, 32, 32)),
    (nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 59 * 59, 5)), (1, 3, 61, 61)),
    (nn.Sequential(nn.Conv2d(3, 2, 4, 4), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(2 * 32 * 32, 5)), (1, 3, 512, 512)),
    (
        nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.LayerNorm([2, 40, 40]), nn.Flatten(), nn.Linear(3200, 5)),
        (1, 3, 40, 40),
    ),
]


@pytest.mark.parametrize(("model", "shape"), SIZES)
def test_the_size_is_searched_for(model: nn.Module, shape: tuple[int, ...]) -> None:
    photograph = np.full((300, 450, 3), 99, np.uint8)
    found, notes = opened(model, photograph)
    assert found == shape
    change = "enlarged" if shape[2] > 300 else "shrunk"
    grey = " in grey" if shape[1] == 1 else ""
    assert notes[0].startswith(f"This network takes {shape[2]} × {shape[3]} pixels{grey}")
    assert notes[0].endswith(f"the photograph's centre was {change} to that.")
    assert ("divided by 255" in notes[1]) == (shape[1] == 1)


def test_a_network_of_many_sizes_is_given_224_where_the_photograph_is_too_small() -> None:
    convolutions = [layer for _ in range(5) for layer in (nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2))]
    model = nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5))
    shape, notes = opened(model, np.full((30, 30, 3), 9, np.uint8))
    assert shape == (1, 3, 224, 224)
    assert notes[0] == (
        "This network needs larger images than this one: the photograph was enlarged to 224 × 224 pixels."
    )
    assert opened(model, np.full((40, 40, 3), 9, np.uint8))[0] == (1, 3, 40, 40)


def test_a_size_that_is_no_square_is_said() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(2 * 12 * 16, 5))
    assert "It runs on 48 × 64 or 64 × 48 or " in str(failure(PHOTOGRAPH, model))
    assert "It runs on 48 × 64 or 64 × 48 or " in str(failure(torch.rand(1, 3, 30, 30), model))


def test_of_a_size_that_is_no_square_a_lopsided_network_leaves_one() -> None:
    """Its layer norm knows rows from columns."""
    model = nn.Sequential(
        nn.Conv2d(3, 2, 3, padding=1), nn.MaxPool2d(4), nn.LayerNorm([2, 12, 16]), nn.Flatten(), nn.Linear(384, 5)
    )
    assert isinstance(failure(PHOTOGRAPH, model), InputError)


def test_every_photograph_is_brought_to_it_and_tensors_are_not() -> None:
    e = cw.explore(of_64_pixels(), {"wide": PHOTOGRAPH, "ready": torch.rand(1, 3, 64, 64)})
    e.add_picture(np.full((200, 200, 3), 9, np.uint8), "large")
    e.wait(30)
    assert tuple(e._scene.picture.tensor.shape) == (1, 3, 64, 64)
    assert "the photograph was shrunk to that." in e._view.bar.notes[0]
    e.picture = "ready"
    e.wait(30)
    assert not any("This network takes" in note for note in e._view.bar.notes)
    e.close()


def test_what_it_says_to_do_works() -> None:
    from torchvision.transforms import Compose, Resize, ToTensor

    e = cw.explore(of_64_pixels(), Image.fromarray(PHOTOGRAPH), preprocess=Compose([Resize((64, 64)), ToTensor()]))
    e.wait(60)  # networks of linear layers alone begin with another method than Grad-CAM
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
    error = failure(PHOTOGRAPH, of_64_pixels(1), preprocess=lambda _: torch.zeros(1, 30, 30))
    assert "Compose([Grayscale(), Resize(64), CenterCrop(64), ToTensor()])" in str(error)
    assert type(error.__cause__) is CnnWidgetsError
    assert isinstance(error.__cause__.__cause__, RuntimeError)


def test_a_network_that_fails_on_every_size_is_told_no_size() -> None:
    error = str(failure(PHOTOGRAPH, nets.Broken()))
    assert "too dark for me" in error
    assert "If it takes another size: pass preprocess=" in error
    assert "Resize((H, W))" in error


def test_the_size_is_named_only_where_it_is_the_only_one() -> None:
    images = torch.zeros(1, 3, 30, 30)
    (size,) = input_sizes(of_64_pixels(), images)
    assert (size.height, size.width, size.channels, size.least, size.most) == (64, 64, 3, 64, 67)
    assert input_sizes(nets.plain(), images) == []
    assert input_sizes(nets.Broken(), images) == []


def test_the_model_is_as_before() -> None:
    model = of_64_pixels()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    opened(model, PHOTOGRAPH)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_second_photograph_of_another_size_is_told_in_the_view() -> None:
    e = cw.explore(of_64_pixels(), {"right": torch.rand(1, 3, 64, 64), "wrong": torch.rand(1, 3, 32, 32)})
    e.picture = "wrong"
    e.wait(20)
    assert "The tensor has 32 × 32 pixels (height × width). It runs on 64 × 64 pixels" in e._view.bar.error
    e.close()


def test_no_size_is_searched_for_where_none_matters() -> None:
    runs = []
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 9))
    net[0].register_forward_hook(lambda *_: runs.append(1))
    assert input_sizes(net, torch.rand(1, 3, 16, 16)) == []
    assert len(runs) <= 8
