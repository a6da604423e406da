"""What readers call the explainers, and what the numbers of their maps measure, as each says when it registers."""

from __future__ import annotations

_NOTHING = ("", "", True)
described: dict[str, tuple[str, str, bool]] = {}
"""Method -> its label, empty where that is made of its name; its unit; whether its maps depend on the class."""


def label_of(method: str) -> str:
    """An explainer's name as menus and headings show it; made of ``method`` where nobody gave it another.

    Example:
        >>> label_of("my_method")
        'My method'
    """
    return described.get(method, _NOTHING)[0] or method.replace("_", " ").capitalize()


def unit_of(method: str) -> str:
    """What the numbers of ``method``'s maps measure; empty where nobody said it."""
    return described.get(method, _NOTHING)[1]


def depends_on_class(method: str) -> bool:
    """Whether ``method``'s maps depend on the class explained; yes where nobody said otherwise."""
    return described.get(method, _NOTHING)[2]
