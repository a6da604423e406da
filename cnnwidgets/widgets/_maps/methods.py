"""What a reader calls the method behind a map, and what the map's numbers measure, as its attribution says."""

from __future__ import annotations

from typing import Any


def map_label(attribution: Any) -> str:
    """The name of the method that made ``attribution``, as menus and headings show it.

    >>> from types import SimpleNamespace
    >>> map_label(SimpleNamespace(method="my_method"))
    'My method'
    """
    return getattr(attribution, "label", "") or str(attribution.method).replace("_", " ").capitalize()


def map_unit(attribution: Any) -> str:
    """What the numbers of ``attribution`` measure; empty for an explainer that does not say it.

    >>> from types import SimpleNamespace
    >>> map_unit(SimpleNamespace(unit="gradient of the score")), map_unit(SimpleNamespace(method="mine"))
    ('gradient of the score', '')
    """
    return getattr(attribution, "unit", "")
