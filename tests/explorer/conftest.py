"""An Explorer of a small network, and explainers registered for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import cnnwidgets as cw
from tests.explorer import nets


@pytest.fixture(autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture
def pictures() -> dict[str, torch.Tensor]:
    """Two preprocessed images, one dark, one bright."""
    torch.manual_seed(1)
    return {"dark": torch.rand(1, 3, 24, 24) - 1, "bright": torch.rand(1, 3, 24, 24)}


@pytest.fixture
def e(pictures: dict[str, torch.Tensor]) -> Iterator[cw.Explorer]:
    explorer = cw.explore(nets.plain(), pictures, labels=["ant", "bee", "cat", "dog", "eel"])
    yield explorer
    explorer.wait(20)
    explorer.close()


@pytest.fixture
def registered() -> Iterator[Callable[[str, Callable[..., Any]], None]]:
    """Registers an explainer until the test ends."""
    names: list[str] = []

    def register(name: str, function: Callable[..., Any]) -> None:
        cw.explainers.register(name, family="test")(function)
        names.append(name)

    yield register
    for name in names:
        cw.explainers.unregister(name)
