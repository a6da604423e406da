"""The patches of a data set that excite the channels of a network most."""

from __future__ import annotations

from .crops import Crop
from .demo_crops import demo_crops
from .directions import direction_crops
from .exemplars import Exemplars
from .images import Images, ItemError
from .qualities import Qualities, qualities
from .search import find

__all__ = [
    "Crop",
    "Exemplars",
    "Images",
    "ItemError",
    "Qualities",
    "demo_crops",
    "direction_crops",
    "find",
    "qualities",
]


def __dir__() -> list[str]:
    return list(__all__)
