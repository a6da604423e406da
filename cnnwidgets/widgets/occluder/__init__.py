"""Hide parts of an image, and see what the scores do."""

from .patches import Move as Move
from .patches import SweepWish as SweepWish
from .widget import Occluder as Occluder
