"""A map over the photograph: where did the network look?"""

from __future__ import annotations

from .widget import HeatmapOverlay

__all__ = ["HeatmapOverlay"]
