"""Weights that were made in ``torch.inference_mode()``: ordinary ones take their place while a model is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

Table = dict[str, Any]


class OrdinaryWeights:
    """Copies in place of the parameters and buffers of ``modules`` that autograd refuses, until :meth:`restore`.

    torch keeps no version of such tensors and saves none of them for a backward pass. A copy is made again where the
    original's values have changed, and lives as long as it.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._swapped: list[tuple[Table, str, torch.Tensor, torch.Tensor]] = []
        tables: Iterable[Table] = (
            table
            for module in modules
            for table in (module._parameters, module._buffers)  # noqa: SLF001
        )
        for table in tables:
            for name, value in table.items():
                if value is not None and value.is_inference():
                    self._swapped.append((table, name, value, _copy_of(value)))

    def swap(self) -> None:
        """Put the copies in their place."""
        for table, name, _, copy in self._swapped:
            table[name] = copy

    def restore(self) -> None:
        """Put the originals back, but for what somebody has exchanged meanwhile."""
        for table, name, original, copy in self._swapped:
            if table.get(name) is copy:
                table[name] = original


# Where many calls follow one another, what is computed with the copies of the first stays valid.
_copies: WeakIdKeyDictionary = WeakIdKeyDictionary()


def _copy_of(value: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode(False), torch.no_grad():
        plain = value.detach()
        copy: torch.Tensor | None = _copies.get(value)  # type: ignore[no-untyped-call]
        if copy is not None and copy.shape == value.shape and torch.equal(copy, plain):
            return copy
        copy = plain.clone()
        if isinstance(value, nn.Parameter):
            copy = nn.Parameter(copy, requires_grad=value.requires_grad)
        _copies[value] = copy
        return copy
