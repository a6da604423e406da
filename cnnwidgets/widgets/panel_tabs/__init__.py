"""Tabs between the panels of a box."""

from .widget import PanelTabs

__all__ = ["PanelTabs"]
