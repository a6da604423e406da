"""What readers call the explainers, and what the numbers of their maps measure, as each says when it registers."""

from __future__ import annotations

_labels: dict[str, str] = {}
_units: dict[str, str] = {}


def label_of(method: str) -> str:
    """An explainer's name as menus and headings show it; made of ``method`` where nobody gave it another.

    Example:
        >>> label_of("my_method")
        'My method'
    """
    return _labels.get(method) or method.replace("_", " ").capitalize()


def unit_of(method: str) -> str:
    """What the numbers of ``method``'s maps measure; empty where nobody said it."""
    return _units.get(method, "")


def describe_method(method: str, label: str, unit: str) -> None:
    """From now on ``method`` has this label, by default made of its name, and this unit."""
    _labels[method], _units[method] = label, unit
