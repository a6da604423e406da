"""Explorers whose cell has been run again: closed where no variable of the notebook leads to them any more."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

_runs: weakref.WeakKeyDictionary[Any, dict[str, str]] = weakref.WeakKeyDictionary()
"""Explorer -> cell -> the run of it that put the Explorer on show."""


def on_show(explorer: Any) -> None:
    """``explorer`` is put on show by the cell that runs; those that only earlier runs of it had shown are let go of.

    ipywidgets and IPython's history keep every widget for ever: without this each run of a cell would add its network's
    maps to what the kernel holds. An Explorer that a variable leads to stays, as does one that another cell shows. Does
    nothing where the front end does not say which cell runs.
    """
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cell, run = _running_cell(shell)
    if not cell:
        return
    for other, cells in list(_runs.items()):
        replaced = other is not explorer and set(cells) == {cell} and cells[cell] != run
        if replaced and not any(value is other for value in _reachable(shell.user_ns)):
            del _runs[other]
            other.close()
    _runs.setdefault(explorer, {})[cell] = run


def _running_cell(shell: Any) -> tuple[str, str]:
    """Its id, which it keeps, and that of this run; empty where they are not known."""
    parent: Any = getattr(shell, "get_parent", dict)()
    if not isinstance(parent, Mapping):
        return "", ""
    cell = (parent.get("metadata") or {}).get("cellId", "")
    return str(cell or ""), str((parent.get("header") or {}).get("msg_id", ""))


def _reachable(space: Mapping[str, Any]) -> Iterator[Any]:
    """What the reader's variables hold, and what lies in those; not what IPython keeps of outputs."""
    for name, value in list(space.items()):
        if name.startswith("_") or name in ("In", "Out") or isinstance(value, ModuleType):
            continue
        yield value
        if isinstance(value, Mapping):
            yield from list(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from list(value)
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            yield from list(vars(value).values())
