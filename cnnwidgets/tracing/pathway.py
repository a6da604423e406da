"""What a forward pass does that decides where positions lie, so that another one can be told to have done the same."""

from __future__ import annotations

from collections.abc import Mapping
from types import EllipsisType, NoneType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from .receptive.call import is_pointwise, words
from .torch_calls import plain_name

_NEVER_MOVES = words(
    "view_as detach clone contiguous to type type_as dim size stride numel item tolist is_floating_point get_device",
    "batch_norm layer_norm group_norm instance_norm linear softmax log_softmax dropout requires_grad is_contiguous",
    "is_complex is_inference element_size data_ptr storage_offset register_hook",
    "new_zeros new_ones new_empty new_full zeros ones",
)
_BY_CONTENT = words("getitem setitem index_select gather take_along_dim take index_put scatter index_add roll")
_AXES_TURNED = ("T", "mT", "H", "mH")
_LONGEST_INDEX = 1 << 16
_PLAIN = frozenset({int, float, str, bool, NoneType, EllipsisType})


class Pathway(TorchFunctionMode):
    """Sees the calls of a forward pass.

    Attributes:
        signature: the same for two passes that moved, cut, padded and resampled alike.
        busy: set by whoever wants its own torch calls unseen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.signature = 0
        self.busy = False
        self._moving_names: dict[Any, str] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self.busy:
            name = self._moving_names.get(func)
            if name is None:
                name = self._moving_names[func] = _moving_name(func)
            if name:
                by_content = name in _BY_CONTENT
                arguments = [_hashable(value, by_content) for value in (*args, *kwargs.values())]
                self.signature = hash((self.signature, name, *kwargs, *arguments))
        return func(*args, **kwargs)


def _moving_name(func: Any) -> str:
    """The function's name; empty if it leaves every position where it is."""
    raw = getattr(func, "__name__", "")
    if raw == "__get__":
        attribute = str(getattr(getattr(func, "__self__", None), "__name__", ""))
        return attribute if attribute in _AXES_TURNED else ""
    name = plain_name(raw)
    moves = not raw.startswith("__set__") and name not in _NEVER_MOVES
    return name if moves and (name in _BY_CONTENT or not is_pointwise(name)) else ""


def _hashable(value: Any, by_content: bool) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, torch.Tensor):
        counts = by_content and not value.is_floating_point() and not value.is_complex() and value.device.type != "meta"
        if counts and value.numel() <= _LONGEST_INDEX:
            return (*value.shape, *value.flatten().tolist())
        return tuple(value.shape)
    if isinstance(value, slice):
        value = (value.start, value.stop, value.step)
    if isinstance(value, list | tuple):
        return tuple([_hashable(part, by_content) for part in value])
    return value if isinstance(value, int | float | str) else type(value).__name__
