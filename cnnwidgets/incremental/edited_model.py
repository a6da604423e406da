"""A model as a function of edits: of its input, or of what a layer returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import never_compiled
from cnnwidgets.core.errors import NotSpatial
from cnnwidgets.core.nested import mapped, version
from cnnwidgets.core.network import Network
from cnnwidgets.running.forward import again, in_graph
from cnnwidgets.running.forward import run as forward
from cnnwidgets.tracing.layouts.token_layout import AnyForm

from .layer_call import Functions, calls_of
from .run import EditRun
from .values.edits import Edits, untouched, whole
from .values.sharing import strides_like
from .values.windows import channels_last

_OF_TORCH = frozenset(vars(nn.Module()))


class EditedModel:
    """Runs the model on pictures, or on edits.

    Args:
        model, image: the network, and one image (1, C, H, W).
        layer: what is edited is the output of this layer; None: the image.
        call: which call of the layer.
        functions: the model's torch calls that are layers, if ``layer`` is the name of one.
        form: how the layer's output holds its maps, if not as they are.

    Attributes:
        start: (1, C, H, W), what is edited: the image, or the layer's output for it once it has been looked for.
    """

    def __init__(
        self,
        model: nn.Module,
        image: torch.Tensor,
        layer: str | nn.Module | None = None,
        call: int = -1,
        *,
        functions: Functions | None = None,
        form: AnyForm | None = None,
    ) -> None:
        self.module = model
        self.start = self._image = channels_last(image)
        network = Network.of(model)
        self._base = network.base
        self._functions, self._form, self._call = functions or {}, form, call
        self._layer: nn.Module | str | None = None
        if isinstance(layer, str) and layer in {function_layer.name for function_layer in self._functions.values()}:
            self.name, self._layer = layer, layer
        elif layer is not None:
            self.name, self._layer = network.find(layer)

    def stamp(self) -> Any:
        """Changes when the model's weights do."""
        return [(id(value), value.data_ptr(), version(value)) for value in Network.of(self._base).tensors]

    def find_start(self) -> None:
        """The layer's output for the image."""
        layer = self._layer
        if layer is None:
            return
        outputs = again(lambda: self._returned(layer))
        index = self._call if self._call >= 0 else len(outputs) + self._call
        if not 0 <= index < len(outputs):
            raise NotSpatial(f"Layer {self.name!r} was called {len(outputs)} times; there is no call {self._call}.")
        self._call = index
        maps = outputs[index]
        if maps is not None and self._form is not None:
            maps = self._form.maps(maps)
        if maps is None or maps.dim() != 4:
            raise NotSpatial(f"Layer {self.name!r} returns no maps (N, C, H, W), which edits could be made of.")
        self.start = channels_last(maps)

    def _returned(self, layer: nn.Module | str) -> list[torch.Tensor | None]:
        """What each call of the layer returns for the image."""
        outputs: list[torch.Tensor | None] = []

        def see(_: int, output: torch.Tensor | None) -> None:
            outputs.append(None if output is None else output.detach().clone())

        with calls_of(self._base, layer, self._functions, see):
            forward(self._base, _usual(self._image))
        return outputs

    def on_pictures(self, pictures: torch.Tensor) -> Any:
        """What the model returns for edited images, or maps of the layer, (B, C, H, W); may write to them."""
        return again(lambda: self._in_full(pictures))

    def _in_full(self, pictures: torch.Tensor) -> Any:
        if self._layer is None:
            return forward(self._base, _usual(pictures))
        image = _usual(self._image).repeat(len(pictures), 1, 1, 1)

        def by(old: torch.Tensor) -> torch.Tensor:
            new = in_graph(pictures.to(old.dtype)) if old.requires_grad else pictures.to(old.dtype)
            if self._form is not None:
                return self._form.put(new, old)
            # Laid out as the model's own, of which it may take views.
            return new if new.stride() == old.stride() or new.shape != old.shape else torch.empty_like(old).copy_(new)

        with self._replacing(by):
            return forward(self._base, image)

    def otherwise_laid(self) -> Any:
        """What the model returns for the unedited image, laid out in memory as the engine's values are."""
        if self._layer is not None:
            return self.on_pictures(self.start.clone())
        with never_compiled():
            return forward(self._base, self.start.clone())

    def on_edits(self, run: EditRun, start: Edits) -> Any:
        """The same for edits."""
        if self._form is not None:
            return self.on_maps(run, start.whole())
        return self._edited(start if self._layer is None else untouched(run, self._image), lambda _: start)

    def on_maps(self, run: EditRun, maps: torch.Tensor) -> Any:
        """The same for maps (B, C, H, W) of the layer that may differ everywhere; may write to them."""

        def by(old: torch.Tensor) -> torch.Tensor:
            new = maps.to(old.dtype)
            if self._form is not None:
                new = self._form.put(new, old.whole() if isinstance(old, Edits) else old)
            strides = strides_like(old) if isinstance(old, Edits) and old.shape == new.shape else None
            return whole(run, channels_last(new), strides=strides)

        return self._edited(untouched(run, self._image), by)

    def _edited(self, image: Edits, by: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        with without_leftover_edits(self._base), self._replacing(by), never_compiled():
            return self._base(image)

    def _replacing(self, by: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        def see(index: int, old: torch.Tensor | None) -> torch.Tensor | None:
            return by(old) if index == self._call and old is not None else None

        return nullcontext() if self._layer is None else calls_of(self._base, self._layer, self._functions, see)


def _usual(image: torch.Tensor) -> torch.Tensor:
    """A copy laid out as images usually are: the engine's own is not, and a model may take views."""
    return image.clone(memory_format=torch.contiguous_format)


def ordinary(value: Any) -> Any:
    """What a model returned, with ordinary tensors in it."""
    return mapped(value, lambda item: item.whole() if isinstance(item, Edits) else item)


@contextmanager
def without_leftover_edits(model: nn.Module) -> Iterator[None]:
    """Put containers back that a forward filled with edits: a cache of positions, say, or a list of outputs."""
    attributes = (item for _, module in Network.of(model).layers for item in vars(module).items())
    containers = [value for name, value in attributes if name not in _OF_TORCH and isinstance(value, dict | list | set)]
    before = [(container, container.copy()) for container in containers]
    try:
        yield
    finally:
        for container, content in before:
            if _holds_edits(container):
                container.clear()
                (container.extend if isinstance(container, list) else container.update)(content)


def _holds_edits(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_edits, value.values()))
    return isinstance(value, Edits) or (isinstance(value, list | tuple | set) and any(map(_holds_edits, value)))
