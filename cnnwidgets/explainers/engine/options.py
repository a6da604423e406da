"""Options that every explainer takes, whoever wrote it: how the model's outputs are read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

READING = {
    "outputs": "what the model's outputs are, one of ``core.output_kinds.KINDS``; None: found out",
    "output": "which of several outputs holds the scores: an index, a name, or a function ``raw -> (N, K)``; None: "
    "found out, and said where it is not plain",
}


def describe(explain: Callable[..., Any], function: Callable[..., Any]) -> tuple[str, ...]:
    """Put the options into the signature and the docstring of ``explain``, which wraps ``function``.

    Returns:
        Their names, without those that ``function`` has for something of its own.
    """
    signature = inspect.signature(function)
    names = tuple(name for name in READING if name not in signature.parameters)
    there = list(signature.parameters.values())
    end = next((place for place, one in enumerate(there) if one.kind is one.VAR_KEYWORD), len(there))
    more = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in names]
    explain.__signature__ = signature.replace(parameters=[*there[:end], *more, *there[end:]])  # type: ignore[attr-defined]
    lines = [f"    {name}: {READING[name]}." for name in names]
    explain.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Every explainer takes:", *lines])
    return names
