"""The room that binds a model to the widgets."""

from .explore import explore
from .explorer import Explorer

__all__ = ["Explorer", "explore"]
