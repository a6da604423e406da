"""Whether a map stands up to being checked."""

from .widget import MapCheck

__all__ = ["MapCheck"]
