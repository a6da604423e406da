"""Which operation is followed by which rule.

A rule is a function ``rule(run, function, *args, **kwargs)`` for ATen operations: ``run`` is the
:class:`~cnnwidgets.incremental.run.EditRun`, ``function`` the very overload that was called, and among ``args`` there
is at least one :class:`~cnnwidgets.incremental.values.edits.Edits`. It returns what the operation returns, made with
``untouched``, ``windowed`` or ``whole`` of the same module, or ``NotImplemented``: the values then become whole and the
operation runs as usual. Rules never change the tensors that they are given. In-place operations are taken care of:
``relu_`` asks the rule of ``relu``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Rule = Callable[..., Any]

OPERATIONS: dict[Any, Rule] = {}
"""ATen operation (all of its overloads) -> rule."""
ELEMENTWISE: set[Rule] = set()
"""Rules of operations that look at one place of one edit at a time."""
FUNCTIONS: dict[Any, Rule] = {}
"""Python function, such as ``torch.nn.functional.linear``, that ATen would split into parts without rules -> rule."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Make a function the rule of the ATen operations called ``names``.

    Example:
        >>> @rule("negative")
        ... def negative(run, function, x):
        ...     return NotImplemented
        >>> OPERATIONS.pop(torch.ops.aten.negative).__name__
        'negative'
    """

    def decorate(function: Rule) -> Rule:
        for name in names:
            if hasattr(torch.ops.aten, name):  # not in every version of torch
                OPERATIONS[getattr(torch.ops.aten, name)] = function
        return function

    return decorate


def function_rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Make a function the rule of Python functions of torch."""

    def decorate(follow: Rule) -> Rule:
        FUNCTIONS.update(dict.fromkeys(functions, follow))
        return follow

    return decorate
