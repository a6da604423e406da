"""Recompute only what an edit of the image changes."""

from __future__ import annotations

from . import (  # noqa: F401  # each adds its rules
    by_image,
    channels,
    pointwise,
    reductions,
    remapping,
    resampling,
    shapes,
    sliding,
)
from .edited import Edited
from .registry import function_rule, rule

__all__ = ["Edited", "function_rule", "rule"]
