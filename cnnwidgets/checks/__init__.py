"""Checks on a map: would it look so without what the network has learned, and does the score need what it marks?"""

from __future__ import annotations

from .cascade import Randomisation, Stage
from .curves import Curves, insertion_deletion
from .randomisation import randomised
from .verdict import Reading, read, sentence

__all__ = ["Curves", "Randomisation", "Reading", "Stage", "insertion_deletion", "randomised", "read", "sentence"]


def __dir__() -> list[str]:
    return list(__all__)
