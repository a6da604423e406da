"""Conjugates and negatives that torch only notes down, complex numbers, and other things that a tensor carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.incremental import Edited

from . import nets
from .nets import Call

IMAGE = torch.randn(1, 2, 12, 12, generator=nets.seeded(3))
PATCH = torch.randn(2, 4, 4, generator=nets.seeded(4))
PLACES = [(0, 0), (5, 7), (8, 8), (-2, 3), (3, -3)]
TOPS, LEFTS = zip(*PLACES, strict=True)


def as_complex(x: torch.Tensor) -> torch.Tensor:
    return torch.complex(x, x.flip(-1) * 0.5 + 1)


def written_to_before(x: torch.Tensor) -> torch.Tensor:
    z = as_complex(x)
    conjugate = z.conj()
    z.mul_(1 + 1j)  # the conjugate is a view of it
    return conjugate.imag.relu()


def written_to_after(x: torch.Tensor) -> torch.Tensor:
    z = as_complex(x)
    z.conj().add_(2j)
    return z.imag.relu()


def through_a_view(x: torch.Tensor) -> torch.Tensor:
    negative = torch._neg_view(x)
    x[:, :1].add_(1)
    return negative.relu()


CONJUGATES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "imaginary part": lambda x: as_complex(x).conj().imag.relu(),
    "product": lambda x: (as_complex(x).conj() * as_complex(x).conj()).imag.relu(),
    "times itself": lambda x: (as_complex(x).conj() * as_complex(x) * (1 + 2j)).imag.relu(),
    "as real": lambda x: torch.view_as_real(as_complex(x).conj().resolve_conj())[..., 1].relu(),
    "fourier": lambda x: torch.fft.ifft2(torch.fft.fft2(x).conj() * torch.fft.fft2(x.flip(3))).real.relu(),
    "real fourier": lambda x: torch.fft.irfft2(torch.fft.rfft2(x).conj(), s=x.shape[-2:]).relu(),
    "hermitian": lambda x: (as_complex(x).mH @ as_complex(x)).imag.relu(),
    "a view of it": lambda x: as_complex(x).conj()[..., 1:].imag.relu(),
    "as it is laid": lambda x: as_complex(x).conj().permute(0, 2, 3, 1).reshape(len(x), -1, 2, 12).imag.relu(),
    "negative": lambda x: torch._neg_view(x).relu(),
    "negative part": lambda x: as_complex(x).conj().imag.neg().sigmoid(),
    "modulus": lambda x: as_complex(x).conj().abs(),
    "written to before": written_to_before,
    "written to after": written_to_after,
    "written through a view": through_a_view,
}


@pytest.mark.parametrize("first", [nn.Identity(), nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 12, padding="same")])
@pytest.mark.parametrize("middle", CONJUGATES.values(), ids=CONJUGATES)
def test_conjugates_and_negatives(middle: Callable[[torch.Tensor], torch.Tensor], first: nn.Module) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(first, Call(middle), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LazyLinear(3)).eval()
    with torch.no_grad():
        expected = model(IMAGE.clone())
    with Edited(model, IMAGE) as edited:
        torch.testing.assert_close(edited.base, expected, rtol=1e-5, atol=1e-5)
        scores = edited.scores(PATCH, TOPS, LEFTS)
        assert not any("differ" in note for note in edited.notes)  # the engine is right, or says at once that it cannot
    truth = nets.one_by_one(model, IMAGE, [[(PATCH, *place)] for place in PLACES])
    torch.testing.assert_close(scores, truth, rtol=1e-5, atol=1e-5)


def under_autocast(x: torch.Tensor) -> torch.Tensor:
    weight = torch.eye(12) * 0.7
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = functional.linear(x, weight)
    return y.float() + functional.linear(x, weight)


def doubled_half(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[..., :6].mul_(2)
    y[:, 0, 3] += 1
    return y


CARRIED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "autocast in a part": under_autocast,
    "channels last": lambda x: functional.relu_(x.contiguous(memory_format=torch.channels_last).add(0.5)),
    "half in a part": lambda x: (x.half().add(1).float() * x).relu_(),
    "bfloat16 in a part": lambda x: functional.max_pool2d(x.bfloat16(), 2).float(),
    "double in a part": lambda x: functional.avg_pool2d(x.double(), 2).float(),
    "in place on a slice": doubled_half,
    "whole numbers": lambda x: (x * 8).int().float().remainder(3),
    "sorted": lambda x: x.sort(3).values,
}


@pytest.mark.parametrize("middle", CARRIED.values(), ids=CARRIED)
def test_types_layouts_and_writing_in_a_part(middle: Callable[[torch.Tensor], torch.Tensor]) -> None:
    torch.manual_seed(0)
    steps: list[Any] = [nn.Conv2d(2, 2, 3, padding=1), Call(middle), nn.Flatten(), nn.LazyLinear(3)]
    model = nn.Sequential(*steps).eval()
    with torch.no_grad():
        expected = model(IMAGE.clone())
    with Edited(model, IMAGE) as edited:
        torch.testing.assert_close(edited.base, expected, rtol=1e-4, atol=1e-4)
        scores = edited.scores(PATCH, TOPS, LEFTS)
    truth = nets.one_by_one(model, IMAGE, [[(PATCH, *place)] for place in PLACES])
    torch.testing.assert_close(scores, truth, rtol=1e-4, atol=1e-4)
