"""One name a class, from whatever holds them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Set
from typing import Any

from cnnwidgets.core.errors import InputError

_MOST = 1_000_000


def class_names(labels: Any) -> list[str]:
    """``labels`` as a list, in the order of the classes.

    Args:
        labels: a sequence, an array, a pandas Index or Series, or a generator of names; or a mapping, index -> name,
            of all classes from 0 on.

    Raises:
        InputError: their order is not known (a set), or they are no names.

    Example:
        >>> class_names({1: "dog", 0: "cat"}), class_names(("cat", "dog"))
        (['cat', 'dog'], ['cat', 'dog'])
    """
    if isinstance(labels, Set) and not isinstance(labels, Mapping):
        raise InputError(
            f"labels is a {type(labels).__name__}, which has no order: which name is of which class cannot be told. "
            "Pass a list, class 0 first."
        )
    if isinstance(labels, Mapping):
        return _of_mapping(labels)
    if isinstance(labels, str | bytes) or not hasattr(labels, "__iter__"):
        raise InputError(f"labels is {str(labels)[:60]!r}; expected a sequence with one name a class.")
    try:
        names = list(itertools.islice(labels, _MOST + 1))
    except Exception as error:  # an iterator of the caller's, an array without axes
        raise InputError(f"labels is a {type(labels).__name__} that cannot be read: {str(error)[:200]}") from error
    if len(names) > _MOST:
        raise InputError(f"There are more than {_MOST:,} labels; expected one name a class.")
    return [_name_text(name) for name in names]


def _of_mapping(labels: Mapping[Any, Any]) -> list[str]:
    by_index = {_class_index(key): value for key, value in labels.items()}
    if len(by_index) == len(labels) and set(by_index) == set(range(len(labels))):
        return [_name_text(by_index[index]) for index in range(len(labels))]
    turned = " Turn it round: {index: name}." if all(isinstance(value, int) for value in labels.values()) else ""
    raise InputError(
        f"labels is a mapping of {str(list(labels)[:4])[:100]}…; expected the classes 0, 1, 2, … as its keys.{turned}"
    )


def _class_index(key: Any) -> Any:
    """``"3"``, which is what JSON makes of 3, is a class; True is none."""
    if isinstance(key, str) and key.isdecimal() and key.isascii() and len(key) < 8:
        return int(key)
    return key if isinstance(key, str) or not isinstance(key, bool) else None


def _name_text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
