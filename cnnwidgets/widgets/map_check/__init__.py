"""Whether a map stands up to being checked."""

from .widget import MapCheck as MapCheck
