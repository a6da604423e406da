"""Run only what comes after a layer, for many versions of the layer's output.

The model's own forward runs, unchanged, for each batch; what does not depend on the layer's output was computed once,
see :mod:`._retold`. So branches that go round the layer are right, whatever the model's Python code does with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import attached, with_replaced
from cnnwidgets.core.errors import Cancelled
from cnnwidgets.core.forward import is_out_of_memory, run
from cnnwidgets.core.layouts import Layouts
from cnnwidgets.core.names import unwrapped
from cnnwidgets.core.recording import never_compiled
from cnnwidgets.core.tokens import AnyForm

from ._layers import Functions
from ._outputs import layer_tensor
from ._retold import Retold, Story, Told
from ._watch import Watch

Replace = Callable[[torch.Tensor], torch.Tensor]
"""The layer's output as it is -> what the rest of the model is to see."""


class AfterLayer:
    """A model as a function of the output of one call of one layer, for one image.

    Args:
        image: (1, C, H, W).
        name: the layer's dotted name, or that of a torch call.
        index: which of its calls, from 0.
        functions: the model's function layers, if the layer may be one of them.
        form: how the layer's output holds the maps, if not as they are.

    Attributes:
        shortened: whether what precedes the layer is not computed again. A caller that finds the scores to be others
            than those of the whole model sets it to False.
    """

    def __init__(
        self,
        model: nn.Module,
        image: torch.Tensor,
        name: str,
        index: int,
        functions: Functions,
        form: AnyForm | None = None,
    ) -> None:
        self._model, self._image, self._form = model, image, form
        self._name, self._index, self._functions = name, index, functions
        self._module = dict(unwrapped(model).named_modules()).get(name)
        self.shortened = True
        try:
            story = Told(model, image)
            self._run(story.given, torch.Tensor.clone, story)
            self._events = story.events
        except Exception as error:
            if is_out_of_memory(error) or isinstance(error, Cancelled):
                raise
            self.shortened = False

    def __call__(self, maps: torch.Tensor) -> Any:
        """What the model returns where the layer returns ``maps`` (B, K, h, w), which it may write to.

        Raises:
            CnnWidgetsError: the model failed, or, if ``shortened``, cannot be run this way.
        """
        if not self.shortened:
            return self.whole(maps)
        story = Retold(self._model, self._image, self._events, len(maps))
        outputs = self._run(story.given, self._edited(maps), story)
        story.finish()
        return outputs

    def whole(self, maps: torch.Tensor) -> Any:
        """The same by running all of the model."""
        return self._run(self._image.repeat(len(maps), 1, 1, 1), self._edited(maps), None)

    def _edited(self, maps: torch.Tensor) -> Replace:
        form = self._form
        if form is None:
            return lambda old: maps.to(old.dtype)
        return lambda old: form.put(maps.to(old.dtype), old)

    def _run(self, x: torch.Tensor, replace: Replace, story: Story | None) -> Any:
        with torch.no_grad(), never_compiled(), story or nullcontext(), self._replacing(replace, story):
            return run(self._model, x)

    def _replacing(self, replace: Replace, story: Story | None) -> Any:
        calls = itertools.count()
        unseen = story.unseen if story is not None else nullcontext

        def leave(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
            tensor = layer_tensor(output)
            if next(calls) != self._index or tensor is None:
                return None
            with unseen():
                return with_replaced(output, tensor, replace(tensor))

        def called(name: str, tensor: torch.Tensor) -> None:
            if name == self._name and next(calls) == self._index:
                with unseen():
                    tensor.set_(replace(tensor))  # type: ignore[call-overload]
                if story is not None:
                    story.diverges(tensor)

        if self._module is not None:
            return attached([self._module], leave=leave)
        return _Calls(self._model, self._functions, called).following()


class _Calls(Watch):
    """Tells ``called`` of the torch calls that are layers, with the very tensor."""

    def __init__(self, model: nn.Module, functions: Functions, called: Callable[[str, torch.Tensor], None]) -> None:
        super().__init__(model, lambda _: None, lambda *_: False, Layouts(1), functions)
        self._tell = called

    def _called(self, name: str, output: torch.Tensor) -> None:
        self._tell(name, output)
