"""Messages from the page: which there are, what each holds, and the one place where they are checked.

The browser is another program, maybe an older one, and maybe not ours: whatever it sends is read as data. A widget
declares its commands with :func:`command`; what has another form is an :class:`~cnnwidgets.core.errors.InputError`
before the command's method is called.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cnnwidgets.core.arguments import is_number
from cnnwidgets.core.errors import InputError

MOST_TEXT = 100_000
"""Characters in one text."""
MOST_VALUES = 100_000
"""Values in one message, those in lists and mappings included."""
MOST_DEPTH = 8
"""Lists and mappings within one another."""
MOST_NUMBER = 2**53
"""JavaScript counts no further."""
MOST_BYTES = 256_000_000
"""Bytes in one message's buffers."""

Check = Callable[[Any], Any]
F = TypeVar("F", bound=Callable[..., None])
_MARK = "_cnnw_command"


@dataclass(frozen=True)
class Command:
    """What one kind of message holds.

    Attributes:
        op: the kind.
        fields: name -> what its value must be.
        buffers: how many binary buffers come with it.
    """

    op: str
    fields: Mapping[str, Check]
    buffers: int


def command(op: str, *, buffers: int = 0, **fields: Check) -> Callable[[F], F]:
    """Mark a method of a widget as the answer to messages ``{op, ...}``.

    The method is called with the checked ``fields`` as keywords, and with ``buffers`` if there are to be any.
    """

    def mark(method: F) -> F:
        setattr(method, _MARK, Command(op, fields, buffers))
        return method

    return mark


def commands(widget: type) -> dict[str, tuple[str, Command]]:
    """op -> (name of the method, what the message holds) of a class and those that it comes from."""
    table = {}
    for ancestor in reversed(widget.__mro__):
        for name, method in vars(ancestor).items():
            declared = getattr(method, _MARK, None)
            if isinstance(declared, Command):
                table[declared.op] = (name, declared)
    return table


def answer(widget: Any, content: Any, buffers: Any) -> Callable[[], None]:
    """What to do about a message.

    Raises:
        InputError: it is none of the widget's, or does not hold what it must.
    """
    bounded(content)
    if not isinstance(content, dict):
        raise InputError(f"{_in_brief(content)} instead of a mapping with an op")
    op = content.get("op")
    if not isinstance(op, str) or op not in commands(type(widget)):
        raise InputError(f"the command {brief(op)} is not known; this front end may be of another version: reload it")
    name, declared = commands(type(widget))[op]
    parts = list(buffers or ())
    if len(parts) != declared.buffers:
        raise InputError(f"{op!r} came with {len(parts)} buffers instead of {declared.buffers}: send it again")
    if sum(memoryview(part).nbytes for part in parts) > MOST_BYTES:
        raise InputError(f"{op!r} came with more than {MOST_BYTES / 1e6:.0f} MB: send less")
    values: dict[str, Any] = {"buffers": parts} if declared.buffers else {}
    for field, check in declared.fields.items():
        try:
            values[field] = check(content.get(field))
        except InputError as error:
            raise InputError(f"{field} of {op!r}: {error}") from None
    return functools.partial(getattr(widget, name), **values)


def bounded(value: Any) -> None:
    """Refuse what JSON can hold and no widget needs: NaN, numbers and texts without bound, endless nesting.

    Raises:
        InputError: says which.
    """
    # A walk with a stack of its own: what is nested too deeply must not end in a RecursionError.
    rest, count = [(value, 0)], 0
    while rest:
        element, depth = rest.pop()
        count += 1
        if count > MOST_VALUES:
            raise InputError(f"more than {MOST_VALUES:,} values")
        if isinstance(element, str):
            if len(element) > MOST_TEXT:
                raise InputError(f"a text of {len(element):,} characters; at most {MOST_TEXT:,} are read")
        elif isinstance(element, float):
            if not math.isfinite(element):
                raise InputError(f"{element} instead of a finite number")
        elif isinstance(element, int):
            if abs(element) > MOST_NUMBER:
                raise InputError("a number beyond 2 ** 53")
        elif isinstance(element, dict | list | tuple):
            if depth >= MOST_DEPTH:
                raise InputError(f"lists nested more than {MOST_DEPTH} deep")
            if isinstance(element, dict):
                if not all(isinstance(key, str) and len(key) <= MOST_TEXT for key in element):
                    raise InputError("a mapping whose keys are no texts")
                element = list(element.values())
            if count + len(rest) + len(element) > MOST_VALUES:
                raise InputError(f"more than {MOST_VALUES:,} values")
            rest.extend((inner, depth + 1) for inner in element)
        elif element is not None and not isinstance(element, bytes | bytearray | memoryview):
            raise InputError(f"a {type(element).__name__}, which is no JSON")


def _expecting(expected: str, holds: Callable[[Any], bool]) -> Check:
    def check(value: Any) -> Any:
        if not holds(value):
            raise InputError(f"{_in_brief(value)}; expected {expected}")
        return value

    return check


def text(most: int = 1_000) -> Check:
    """A text of at most ``most`` characters."""
    expected = f"a text of at most {most:,} characters"
    return _expecting(expected, lambda value: isinstance(value, str) and len(value) <= most)


def whole_number(low: int, high: int) -> Check:
    """A whole number from ``low`` to ``high``."""
    expected = f"a whole number from {low:,} to {high:,}"
    check = _expecting(expected, lambda number: type(number) is int and low <= number <= high)
    # JavaScript has one type of number
    return lambda value: check(int(value) if isinstance(value, float) and value.is_integer() else value)


def number_between(low: float, high: float) -> Check:
    """A number from ``low`` to ``high``."""
    return _expecting(f"a number from {low:g} to {high:g}", lambda value: is_number(value) and low <= value <= high)


def one_of(*choices: str) -> Check:
    """One of a few texts."""
    return _expecting(f"one of {', '.join(choices)}", lambda value: isinstance(value, str) and value in choices)


def list_of(each: Check, most: int = 10_000) -> Check:
    """A list of at most ``most`` values."""
    check = _expecting(
        f"a list of at most {most:,}", lambda value: isinstance(value, list | tuple) and len(value) <= most
    )
    return lambda value: [each(element) for element in check(value)]


def maybe(each: Check, default: Any = None) -> Check:
    """What may be missing."""
    return lambda value: default if value is None else each(value)


def as_sent(value: Any) -> Any:
    """Whatever JSON it is: the method itself checks it."""
    return value


def brief(value: Any, most: int = 60) -> str:
    """``value`` for a sentence, however large it is.

    >>> brief("x" * 100, 8)
    "'xxxxxxx…"
    """
    if isinstance(value, str):
        quoted = repr(value[:most])
        return quoted if len(value) <= most and len(quoted) <= most else quoted[:most] + "…"
    if isinstance(value, int) and abs(value) > MOST_NUMBER:
        return "a number beyond 2 ** 53"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return f"a mapping of {len(value):,}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return f"a list of {len(value):,}"
    return f"a {type(value).__name__}"


def _in_brief(value: Any) -> str:
    is_long = isinstance(value, str) and len(value) > 60
    return f"a text of {len(value):,} characters" if is_long else brief(value, 1_000)
