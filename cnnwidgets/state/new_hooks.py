"""Hooks that a model's own forward registers on its modules, and leaves there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

_TABLES = tuple(name for name, value in vars(nn.Module()).items() if "hooks" in name and isinstance(value, dict))


class NewHooks:
    """Which hooks ``modules`` have, so that those that come later can be removed.

    A forward that fails, as it may without gradients, does not come to removing its own.
    """

    def __init__(self, modules: Iterable[nn.Module], stays: Callable[[Any], bool]) -> None:
        """``stays(hook)``: it is registered from outside, by somebody who will remove it."""
        self._stays = stays
        self._before = [
            (module, {key for name in _TABLES for key in vars(module).get(name, ())}, _kind_of(module))
            for module in modules
        ]

    def remove(self) -> None:
        """Remove them."""
        for module, before, kind in self._before:
            tables = [table for name in _TABLES if (table := vars(module).get(name))]
            new = {
                key
                for table in tables
                for key, hook in table.items()
                if key not in before and callable(hook) and not self._stays(hook)
            }
            for table in tables if new else ():
                for key in new & table.keys():
                    del table[key]
            if not module._backward_hooks and _kind_of(module) is not kind:  # noqa: SLF001
                module._is_full_backward_hook = kind  # noqa: SLF001


def _kind_of(module: nn.Module) -> bool | None:
    return vars(module).get("_is_full_backward_hook")
