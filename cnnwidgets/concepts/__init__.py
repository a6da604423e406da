"""Groups of channels that a layer's maps are made of."""

from __future__ import annotations

from .concepts import Concepts, factor

__all__ = ["Concepts", "factor"]


def __dir__() -> list[str]:
    return list(__all__)
