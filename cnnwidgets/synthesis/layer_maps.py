"""The maps of one layer, from a forward pass that ends where the layer returns."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import nn

from cnnwidgets.core.capture import LayerReached
from cnnwidgets.core.errors import CnnWidgetsError, InputError, NotSpatial
from cnnwidgets.core.network import Network
from cnnwidgets.explainers.engine.forward_pass import ForwardPass, Question
from cnnwidgets.explainers.engine.layer_notes import call_notes, layout_notes, no_gradient, preferred, refusal
from cnnwidgets.explainers.engine.values import precise, real_channels
from cnnwidgets.incremental.layer_call import calls_of
from cnnwidgets.running.forward import again, run
from cnnwidgets.tracing.layouts.layouts import Layout


class LayerMaps:
    """What a layer returns, as maps (n, K, h, w).

    Args:
        layer: dotted name, module, or name of a torch call.
        probe: (1, C, H, W), such an image as will be passed.
        advice: what to say to those whose layer makes no maps.

    Attributes:
        name: the layer's dotted name.
        channels, grid: K, and (h, w).
        notes: which call of the layer it is, and how its output was read.

    Raises:
        LayerNotFound, NotSpatial: there is no such layer, or it makes no maps.
        InputError: the network does not run on such images.
        CnnWidgetsError: the layer does not run.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str | nn.Module,
        probe: torch.Tensor,
        advice: str = " For the scores of classes leave layer out.",
    ) -> None:
        self._model, self._advice = model, advice
        question = Question(model, probe, None, "logit", [layer], None)
        self.name = (question.names or [""])[0]
        self._functions, modules = question.functions, dict(Network.of(model).layers)
        self._layer: nn.Module | str = self.name if self._functions else modules[self.name]
        self._index, self._layout, self.notes = 0, Layout((), "without height and width"), tuple[str, ...]()
        try:
            with torch.no_grad():
                again(lambda: self._settle(question))
        except NotSpatial:
            raise
        except CnnWidgetsError as error:
            self._read_alone(probe, error)
        self._format = torch.channels_last
        with torch.no_grad():
            try:
                shape = again(lambda: self(probe)).shape
            except CnnWidgetsError:  # a view of its maps, say, that needs them in torch's usual order
                self._format = torch.contiguous_format
                shape = again(lambda: self(probe)).shape
        self.channels, self.grid = int(shape[1]), (int(shape[2]), int(shape[3]))

    def _settle(self, question: Question) -> None:
        """Which call is to be read, and how."""
        forward_pass = question.settled(lambda: self._whole_pass(question))
        calls = [call for call in forward_pass.watch.calls.values() if call.name == self.name]
        if not calls:
            raise CnnWidgetsError(f"Layer {self.name!r} did not run in this forward pass.")
        layouts = [call.output.layout for call in calls]
        self._index = preferred(layouts)
        self._layout = layouts[self._index]
        if not self._layout.stacked:
            raise NotSpatial(refusal(self.name, self._layout, forward_pass.watch.spatial) + self._advice)
        self.notes = (
            *call_notes(self.name, self._index, layouts),
            *layout_notes(self.name, self._layout, question.memory.layouts),
        )

    def _whole_pass(self, question: Question) -> ForwardPass:
        return question.watched(lambda call: (call.name, call.index), lambda *_: False)

    def _read_alone(self, probe: torch.Tensor, error: CnnWidgetsError) -> None:
        """The first call's output as it is: what comes behind it does not run on images of this size."""
        try:
            with torch.no_grad():
                tensor = self._returned(probe)
        except CnnWidgetsError:
            raise wrong_size(probe, error) from error
        if tensor is None or tensor.ndim != 4:
            raise wrong_size(probe, error) from error
        self._layout = Layout(tuple(tensor.shape))
        sides = f"{probe.shape[-2]} × {probe.shape[-1]}"
        self.notes = (f"on images of {sides} pixels the network runs as far as layer {self.name!r}, not to its end",)

    def _returned(self, x: torch.Tensor) -> torch.Tensor | None:
        captured: list[torch.Tensor] = []

        def see(index: int, tensor: torch.Tensor | None) -> None:
            if index == self._index and tensor is not None:
                captured.append(tensor)
                raise LayerReached

        with calls_of(self._model, self._layer, self._functions, see), suppress(LayerReached):
            run(self._model, x)
        return captured[0] if captured else None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The maps (n, K, h, w) for ``x`` (n, C, H, W), in at least float32; of complex ones both parts.

        Raises:
            CnnWidgetsError: the model failed, or no gradient reaches the layer though ``x`` asks for one.
        """
        # Convolutions on a CPU take a quarter less time so.
        tensor = self._returned(x.contiguous(memory_format=self._format))
        if tensor is None:
            raise CnnWidgetsError(f"Layer {self.name!r} did not run in this forward pass.")
        if x.requires_grad and not tensor.requires_grad:
            raise CnnWidgetsError(no_gradient(self.name))
        maps = self._layout.maps(tensor)
        if maps.ndim != 4 or len(maps) != len(x):
            raise CnnWidgetsError(
                f"Layer {self.name!r} returned {tuple(tensor.shape)} for {len(x)} images: the network takes one image "
                "at a time."
            )
        return real_channels(precise(maps))


def wrong_size(probe: torch.Tensor, error: CnnWidgetsError) -> InputError:
    """What to say where the network does not take images of this size."""
    sides = f"{probe.shape[-2]} × {probe.shape[-1]}"
    return InputError(
        f"The network does not run on images of {sides} pixels and {probe.shape[1]} channels: {error} Pass size=, the "
        "side or (height, width) of the images that it was trained on; mean=, a number a channel, if it has others."
    )
