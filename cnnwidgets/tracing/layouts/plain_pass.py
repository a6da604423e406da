"""A forward pass of a network whose maps are all (N, C, H, W), read while it runs, without a recording of its own."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch

from cnnwidgets.core.nested import tensors
from cnnwidgets.tracing.pathway import Pathway
from cnnwidgets.tracing.placement import placement_of
from cnnwidgets.tracing.receptive.all_rules import output_field
from cnnwidgets.tracing.receptive.call import RuleCall, words
from cnnwidgets.tracing.receptive.field import Field, of_input
from cnnwidgets.tracing.recorded import Op
from cnnwidgets.tracing.torch_calls import plain_name

from .grids import Grids
from .layouts import Layout
from .rules import layout_reading

_NO_TENSOR = words("size dim item numel stride is_floating_point is_complex is_inference tolist __get__ backward")


class PlainPass(Pathway):
    """Carries receptive fields along with the tensors of one pass.

    Attributes:
        odd: something was met that only a recording can follow: other axes, moved positions, a layer that does not
            depend on the image or does so by ways that are not seen.
    """

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.odd = False
        self._image = tuple(image.shape)
        self._fields: dict[int, tuple[weakref.ref[torch.Tensor], Field]] = {}
        self._layouts: dict[tuple[int, tuple[int, ...]], tuple[Field, Layout]] = {}
        self._know(image, of_input(self._image))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        output = super().__torch_function__(func, types, args, kwargs)
        raw = getattr(func, "__name__", "")
        if not self.busy and not self.odd and raw not in _NO_TENSOR:
            self.busy = True
            try:
                self._follow(raw, args, kwargs, output)
            except Exception:  # whatever a model hands to a function must not stop the pass that it belongs to
                self.odd = True
            finally:
                self.busy = False
        return output

    def same(self, tensor: torch.Tensor, other: torch.Tensor) -> None:
        """``tensor`` holds what ``other`` holds."""
        field = self._field(other)
        if field is not None:
            self._know(tensor, field)

    def layout(self, tensor: torch.Tensor) -> Layout:
        """What the axes of a layer's output are; to be believed if the pass turns out not to be odd."""
        shape = tuple(tensor.shape)
        field = self._field(tensor)
        if field is None:
            self.odd |= tensor.ndim > 2
            return Layout(shape)
        entry = self._layouts.get((id(field), shape))
        if entry is None or entry[0] is not field:
            entry = self._layouts[id(field), shape] = field, self._judged(field, shape)
        return entry[1]

    def _judged(self, field: Field, shape: tuple[int, ...]) -> Layout:
        if len(shape) == 3:
            # Tokens, or what came of them: beside a token for the class nothing is left of where they lie.
            self.odd |= min(shape[1:]) > 1 or any(reach is not None for dim in field.dims for _, reach in dim)
        if len(shape) != 4:
            return Layout(shape)
        event = Op(0, "", None, (), output_shape=shape, field=field)
        self.odd |= layout_reading(event, self._image, Grids()) != (None, None)
        return Layout(shape, placement=placement_of(field, (shape[2], shape[3]), self._image))

    def _follow(self, raw: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        read = tensors((args, kwargs))
        fields = [field for field in map(self._field, read) if field is not None]
        if not fields:
            return
        name = plain_name(raw)
        results = [output] if isinstance(output, torch.Tensor) else tensors(output)
        if name == "setitem" or raw == "__set__" or "out" in kwargs:
            self.odd = True
            return
        for result in results:
            field = output_field(RuleCall(name, args, kwargs, result, self._field), fields)
            before = self._field(result)
            if before is not None and before != field and any(result is tensor for tensor in read):
                self.odd = True  # written in place: what else looks at its memory has changed as well
            self._know(
                result, before if before == field else next((other for other in fields if other == field), field)
            )

    def _field(self, value: Any) -> Field | None:
        entry = self._fields.get(id(value))
        return entry[1] if entry is not None and entry[0]() is value else None

    def _know(self, tensor: torch.Tensor, field: Field) -> None:
        self._fields[id(tensor)] = weakref.ref(tensor), field
