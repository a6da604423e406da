"""A model as a function of edits: of its input, or of what a layer returns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import attached
from cnnwidgets.core.errors import NotSpatial
from cnnwidgets.core.forward import run as forward
from cnnwidgets.core.names import find_layer, unwrapped
from cnnwidgets.core.recording import never_compiled

from .belongings import kept_clean
from .run import Run
from .value import Edits, untouched
from .windows import laid


class Model:
    """Runs the model on pictures, or on edits.

    Attributes:
        start: (1, C, H, W), what is edited: the image, or the layer's output for it.
    """

    def __init__(self, model: nn.Module, image: torch.Tensor, layer: str | nn.Module | None, call: int) -> None:
        self.module = model
        self.start = self._image = laid(image)
        self._base = unwrapped(model)
        self._layer, self._call, self._calls = None, call, 0
        if layer is not None:
            self.name, self._layer = find_layer(model, layer)

    def stamp(self) -> Any:
        """Changes when the model's weights do."""
        tensors = [*self._base.parameters(), *self._base.buffers()]
        return [(id(value), value.data_ptr(), _version(value)) for value in tensors]

    def find_start(self) -> None:
        """The layer's output for the image."""
        if self._layer is None:
            return
        seen: list[torch.Tensor] = []

        def leave(_: nn.Module, __: Any, output: Any) -> None:
            seen.append(output.clone() if isinstance(output, torch.Tensor) else output)

        with attached([self._layer], leave=leave), never_compiled():
            forward(self._base, self._image.clone())
        index = self._call if self._call >= 0 else len(seen) + self._call
        if not 0 <= index < len(seen):
            raise NotSpatial(f"Layer {self.name!r} was called {len(seen)} times; there is no call {self._call}.")
        self._calls = index
        if not isinstance(seen[index], torch.Tensor) or seen[index].dim() != 4:
            raise NotSpatial(f"Layer {self.name!r} returns no maps (N, C, H, W), which edits could be made of.")
        self.start = laid(seen[index])

    def on_pictures(self, pictures: torch.Tensor) -> Any:
        """What the model returns for edited images, or layer outputs, (B, C, H, W)."""
        if self._layer is None:
            with never_compiled():
                return forward(self._base, pictures)
        image = self._image.repeat(len(pictures), 1, 1, 1)
        with self._replacing(lambda output: pictures.to(output.dtype)), never_compiled():
            return forward(self._base, image)

    def on_edits(self, run: Run, start: Edits) -> Any:
        """The same for edits."""
        with kept_clean(self._base), never_compiled():
            if self._layer is None:
                return self._base(start)
            with self._replacing(lambda _: start):
                return self._base(untouched(run, self._image))

    def _replacing(self, by: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        if self._layer is None:
            return nullcontext()
        calls = iter(range(1 << 30))

        def leave(_: nn.Module, __: Any, output: Any) -> Any:
            return by(output) if next(calls) == self._calls else None

        return attached([self._layer], leave=leave)


def plain(value: Any) -> Any:
    """What a model returned, with ordinary tensors in it."""
    if isinstance(value, Edits):
        return value.whole()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(plain, value))
    if isinstance(value, tuple | list):
        return type(value)(map(plain, value))
    if isinstance(value, Mapping):
        try:
            return type(value)({key: plain(item) for key, item in value.items()})  # type: ignore[call-arg]
        except TypeError:
            return {key: plain(item) for key, item in value.items()}
    if isinstance(getattr(value, "logits", None), Edits):
        value = copy.copy(value)
        value.logits = value.logits.whole()
    return value


def _version(value: torch.Tensor) -> int:
    return -1 if value.is_inference() else value._version  # noqa: SLF001
