"""Which engine scores the next edit, and that nobody can tell."""

from __future__ import annotations

from itertools import chain, repeat

import torch
from torch import nn

from cnnwidgets.explorer.panels.fastest import Fastest
from tests.explorer import nets

PATCH = torch.zeros(3, 4, 4)


class Clock:
    """Says that the engines take these times, one after the other."""

    def __init__(self, *seconds: float) -> None:
        self._ticks = iter(chain.from_iterable(zip(repeat(0.0), seconds, strict=False)))

    def __call__(self) -> float:
        return next(self._ticks, 0.0)


def engines(fastest: Fastest, count: int) -> list[str]:
    used = []
    for _ in range(count):
        used.append(fastest.engine)
        fastest.scores_of([(PATCH, 2, 3)])
    return used


def test_both_are_tried_and_the_faster_goes_on() -> None:
    image = torch.rand(1, 3, 24, 24)
    tries = ["incremental"] * 3 + ["full"] * 3
    slow_start = Fastest(nets.plain(), image, clock=Clock(9, 2, 3, 4, 4, 4))
    assert engines(slow_start, 8) == [*tries, "incremental", "incremental"]
    assert engines(Fastest(nets.plain(), image, clock=Clock(9, 2, 3, 4, 4, 1)), 8) == [*tries, "full", "full"]


def test_either_scores_the_edited_image() -> None:
    net, image = nets.plain(), torch.rand(1, 3, 24, 24)
    edited = image.clone()
    edited[:, :, 2:6, 3:7] = 0
    edited[:, :, :2, 20:] = 1
    fastest = Fastest(net, image)
    with torch.no_grad():
        expected = net(edited)[0]
    for _ in range(7):
        found = fastest.scores_of([(PATCH, 2, 3), (torch.ones(3, 4, 4), -2, 20)])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    fastest.close()


class Stubborn(nn.Module):
    """Refuses anything but plain tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nets.plain()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if type(x) is not torch.Tensor:
            raise TypeError("plain tensors only")
        return self.inner(x)


def test_a_model_that_the_engine_cannot_run_is_run_in_full_and_it_is_said() -> None:
    net, image = Stubborn().eval(), torch.rand(1, 3, 24, 24)
    edited = image.clone()
    edited[:, :, 2:6, 3:7] = 0
    fastest = Fastest(net, image)
    with torch.no_grad():
        torch.testing.assert_close(fastest.scores_of([(PATCH, 2, 3)]), net(edited)[0])
    assert engines(fastest, 2) == ["full", "full"]
    assert any("plain tensors only" in note for note in fastest.notes)
