"""Hide parts of an image, and see what the scores do."""

from .patches import Move, SweepWish
from .widget import Occluder

__all__ = ["Move", "Occluder", "SweepWish"]
