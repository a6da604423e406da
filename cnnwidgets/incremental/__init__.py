"""Recompute only what an edit of the image changes."""

from __future__ import annotations

from .edited import Edited
from .rules import (  # noqa: F401  # each adds its rules
    by_image,
    channels,
    pointwise,
    resampling,
    shapes,
    sliding,
)
from .rules.registry import function_rule, rule

__all__ = ["Edited", "function_rule", "rule"]
