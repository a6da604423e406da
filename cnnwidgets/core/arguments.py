"""Numbers that callers pass: which are refused, in sentences that say what was expected."""

from __future__ import annotations

from typing import Any, TypeGuard

from .errors import CnnWidgetsError, InputError


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether ``value`` is an int; True and False count as none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether ``value`` is an int or a float; True and False count as none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def checked_count(
    value: Any,
    name: str,
    *,
    least: int = 1,
    most: int | None = None,
    alternative: str = "",
    error: type[CnnWidgetsError] = InputError,
) -> int:
    """``value`` if it is an int from ``least`` to ``most``; ``alternative`` ends the sentence that says so.

    Raises:
        InputError, or what ``error`` says: it is not.

    Example:
        >>> checked_count(3, "steps")
        3
    """
    if not is_whole(value) or value < least:
        raise error(f"{name} is {value!r}; expected an int of at least {least}{alternative}.")
    if most is not None and value > most:
        raise error(f"{name} is {value:,}; expected at most {most:,}.")
    return value


def checked_batch(batch: Any) -> int | None:
    """``batch``, how many images or edits at a time, or None.

    Raises:
        InputError: no int of at least 1.
    """
    return None if batch is None else checked_count(batch, "batch", alternative=", or None")
