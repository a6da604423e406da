"""A class by its name, as somebody writes it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from cnnwidgets.core.errors import TargetError

_MOST_CLOSE = 5


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
