"""Models that take more than one image, or take it in another way: what is said can be copied, and works."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets import explainers
from cnnwidgets.core.errors import InputError
from cnnwidgets.running.forward import run

X = torch.rand(1, 3, 8, 8)


class Fusing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, picture: torch.Tensor, depth: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return scale * self.conv(picture * depth).mean((2, 3))


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, *, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.conv(pixel_values).mean((2, 3))


class AndName(ByName):
    def forward(self, image: torch.Tensor, *, age: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.conv(image).mean((2, 3)) + age


class OfMapping(ByName):
    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:  # type: ignore[override]
        return self.conv(batch["image"]).mean((2, 3))


def _copied(message: str) -> Any:
    """The class in the message, run as somebody would who copies it."""
    code = message.split("\n\n")[1]
    names: dict[str, Any] = {"nn": nn}
    exec("\n".join(line[4:] for line in code.split("\n")), names)  # noqa: S102
    return names["OneInput"]


@pytest.mark.parametrize(
    ("make", "others", "says"),
    [
        (Fusing, (torch.ones(1, 1, 8, 8),), "Fusing.forward takes more than an image: picture and depth"),
        (AndName, (torch.ones(1),), "image and age"),
        (ByName, (), "by name only, as pixel_values="),
        (OfMapping, (), "takes a mapping"),
    ],
)
@pytest.mark.parametrize("door", ["explore", "trace", "grad_cam"])
def test_the_lines_said_wrap_the_model(make: Any, others: tuple[Any, ...], says: str, door: str) -> None:
    torch.manual_seed(0)
    net = make().eval()
    call = {
        "explore": lambda: cw.explore(net, X),
        "trace": lambda: cw.trace(net, X),
        "grad_cam": lambda: explainers.grad_cam(net, X),
    }[door]
    with pytest.raises(cw.InputError) as error:
        call()
    assert says in str(error.value)
    wrapped = _copied(str(error.value))(net, *others).eval()
    e = cw.explore(wrapped, X)
    with torch.no_grad():
        expected = wrapped(X)[0]
    assert e.layer == "model.conv"
    assert e.target == int(expected.argmax())


def test_a_type_error_inside_is_the_models_own() -> None:
    class Broken(nn.Module):
        def forward(self, image: torch.Tensor) -> Any:
            return image + "text"  # type: ignore[operator]

    with pytest.raises(cw.CnnWidgetsError, match="The model raised TypeError"):
        cw.trace(Broken(), X)


def test_an_input_that_may_be_left_out_and_then_fails() -> None:
    class Optional(nn.Module):
        def forward(self, x: torch.Tensor, meta: torch.Tensor | None = None) -> torch.Tensor:
            return x.mean((2, 3)) + meta

    with pytest.raises(InputError, match=r"takes more than an image: x and meta(?s:.)*self\.model\(x, self\.meta\)"):
        run(Optional(), torch.zeros(1, 3, 8, 8))
