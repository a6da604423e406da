"""What the modules of a model keep in lists, dicts and sets of their own, and how to take edits out of it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from cnnwidgets.core.network import Network

from .values.edits import Edits

_OF_TORCH = frozenset(vars(nn.Module()))


@contextmanager
def without_leftover_edits(model: nn.Module) -> Iterator[None]:
    """Put containers back that a forward filled with edits: a cache of positions, say, or a list of outputs."""
    before = [(container, container.copy()) for container in _containers(model)]
    try:
        yield
    finally:
        for container, content in before:
            if _holds_edits(container):
                container.clear()
                (container.extend if isinstance(container, list) else container.update)(content)


def _containers(model: nn.Module) -> Iterator[Any]:
    for _, module in Network.of(model).layers:
        for name, value in vars(module).items():
            if name not in _OF_TORCH and isinstance(value, dict | list | set):
                yield value


def _holds_edits(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_edits, value.values()))
    return isinstance(value, Edits) or (isinstance(value, list | tuple | set) and any(map(_holds_edits, value)))
