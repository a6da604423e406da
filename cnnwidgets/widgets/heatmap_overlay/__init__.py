"""A map over the photograph: where did the network look?"""

from .widget import HeatmapOverlay as HeatmapOverlay
