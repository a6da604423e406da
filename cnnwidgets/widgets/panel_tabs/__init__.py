"""Tabs between the panels of a box."""

from .widget import PanelTabs as PanelTabs
