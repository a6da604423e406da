"""Images that excite channels, classes or directions of a network as much as they get."""

from __future__ import annotations

from .alikeness import alikeness
from .maximize import maximize
from .result import Synthesis

__all__ = ["Synthesis", "alikeness", "maximize"]


def __dir__() -> list[str]:
    return list(__all__)
