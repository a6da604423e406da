"""What an attribution's method is called, and what the numbers of its map measure."""

from __future__ import annotations

from typing import Any


def map_label(attribution: Any) -> str:
    """The name of the method that made ``attribution``, as menus and headings show it.

    >>> from types import SimpleNamespace
    >>> map_label(SimpleNamespace(method="grad_cam", label="Grad-CAM")), map_label(SimpleNamespace(method="my_method"))
    ('Grad-CAM', 'My method')
    """
    label: str = getattr(attribution, "label", "")
    return label or str(attribution.method).replace("_", " ").capitalize()


def map_unit(attribution: Any) -> str:
    """What the numbers of ``attribution`` measure; empty for an explainer of the reader's own."""
    unit: str = getattr(attribution, "unit", "")
    return unit
