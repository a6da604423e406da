"""The scores of a network's classes, before a softmax or sigmoid at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnnwidgets.core.errors import CnnWidgetsError, TargetError
from cnnwidgets.explainers.engine.values import precise
from cnnwidgets.outputs.readout import current
from cnnwidgets.outputs.scores import class_scores, kind_of
from cnnwidgets.running.forward import again, run

from .layer_maps import wrong_size

_SQUASHED = frozenset({"softmax", "log_softmax", "sigmoid", "log_sigmoid"})
_CALLS = frozenset({"softmax", "log_softmax", "sigmoid", "logsigmoid", "expit", "hardsigmoid"})


class ClassOutputs:
    """A network's class scores as maps (n, K, 1, 1) of a single cell; to be used within one readout.

    Attributes and errors as of :class:`~.layer_maps.LayerMaps`; TargetError where the network has no row of scores.
    """

    name = ""
    grid = (1, 1)

    def __init__(self, model: nn.Module, probe: torch.Tensor) -> None:
        self._model, self._is_squashed, self.notes = model, False, tuple[str, ...]()
        try:
            with torch.no_grad():
                table, logits = again(lambda: self._tables(probe))
        except TargetError as error:
            arrived = str(error).partition(". ")[0]  # what follows is of an argument that explainers have
            raise TargetError(f"{arrived}. Say with layer= which layer's channels are meant.") from error
        except CnnWidgetsError as error:
            raise wrong_size(probe, error) from error
        self.channels = table.shape[1]
        if self._is_squashed and logits is None:
            closed = f"the network ends in a {current().kind} that could not be opened: its result is maximised, which "
            self.notes = (closed + "hardly changes where it is near its bounds",)
        self.notes += current().notes

    def _tables(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The scores, and what they were before they were squashed, if they were and that was seen."""
        with _Squashings() as squashings:
            outputs = run(self._model, x)
        table = class_scores(outputs, batch=len(x))
        self._is_squashed = kind_of(outputs, batch=len(x)) in _SQUASHED
        return table, squashings.before(table) if self._is_squashed else None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The scores (n, K, 1, 1) of ``x`` (n, C, H, W)."""
        table, logits = self._tables(x)
        table = table if logits is None else logits
        if x.requires_grad and not table.requires_grad:
            raise CnnWidgetsError(
                "No gradient reaches the input: the model detaches, rounds, or runs part of its forward under "
                "torch.no_grad(). Choose an earlier layer with layer=."
            )
        return precise(table)[:, :, None, None]


class _Squashings(TorchFunctionMode):
    """Keeps what each softmax and sigmoid of a pass was given, and what it made."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").removeprefix("special_")
        x = args[0] if args else kwargs.get("input")
        if name.rstrip("_") not in _CALLS or not isinstance(x, torch.Tensor):
            return func(*args, **kwargs)
        before = x.clone() if name.endswith("_") or kwargs.get("inplace") else x
        result = func(*args, **kwargs)
        if isinstance(result, torch.Tensor):
            self._calls.append((before, result))
        return result

    def before(self, table: torch.Tensor) -> torch.Tensor | None:
        """What the numbers in ``table`` (N, K), a view of what such a call made, were made of."""
        for before, result in reversed(self._calls):
            same_memory = result.untyped_storage().data_ptr() == table.untyped_storage().data_ptr()
            if same_memory and result.numel() == table.numel() and torch.equal(result.reshape(table.shape), table):
                return before.reshape(table.shape)
        return None
