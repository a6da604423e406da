"""The recipes by name."""

from __future__ import annotations

from .fourier import Fourier
from .keras import Keras
from .maco import Maco
from .pixels import Pixels
from .recipe import ImageRecipe

RECIPES: dict[str, type[ImageRecipe]] = {kind.name: kind for kind in (Fourier, Maco, Keras, Pixels)}
