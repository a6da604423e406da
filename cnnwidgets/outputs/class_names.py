"""One name a class, from whatever holds them; and a class by its name, as somebody writes it."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping, Sequence, Set
from typing import Any

from cnnwidgets.core.errors import InputError, TargetError

_MOST = 1_000_000
_MOST_CLOSE = 5


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


def class_by_name(name: str, labels: Sequence[str] | None) -> int:
    """The index of the class called ``name``, whatever its capitals; of a label with commas each part is a name.

    Args:
        name: as somebody wrote it.
        labels: one name a class; None: they have none.

    Raises:
        TargetError: no class is called so, or several are; says which are close.

    Example:
        >>> class_by_name("Tabby cat", ["tench, Tinca tinca", "tabby, tabby cat"])
        1
    """
    query = _plain(name)
    if labels is None:
        raise TargetError(f"There is no class {name!r}: the classes have no names. Pass labels=, or a class's number.")
    names = [{_plain(label), *map(_plain, label.split(","))} for label in labels]
    indices = [index for index, own in enumerate(names) if query in own]
    if len(indices) == 1:
        return indices[0]
    if indices:
        raise TargetError(
            f"Several classes are called {name!r}: {_close_labels(indices, labels)}. Pass the number of one."
        )
    parts = [index for index, own in enumerate(names) if query and any(query in _words(label) for label in own)]
    spelt = difflib.get_close_matches(query, [_plain(label) for label in labels], n=_MOST_CLOSE, cutoff=0.6)
    close = list(dict.fromkeys([*parts, *(k for word in spelt for k, own in enumerate(names) if word in own)]))
    hint = (
        f"Close: {_close_labels(close, labels)}." if close else "The names are those that labels= gave, or ImageNet's."
    )
    raise TargetError(f"No class is called {name!r}. {hint} Pass one of the {len(labels):,} names, or a number.")


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())


def _words(name: str) -> list[str]:
    return name.replace("-", " ").split()


def _close_labels(indices: Sequence[int], labels: Sequence[str]) -> str:
    more = f" and {len(indices) - _MOST_CLOSE} more" if len(indices) > _MOST_CLOSE else ""
    return ", ".join(f"{labels[index]!r} ({index})" for index in indices[:_MOST_CLOSE]) + more
