"""Many maps of one photograph beside each other: methods by layers, or methods by classes."""

from __future__ import annotations

from .widget import Comparison, Wanted

__all__ = ["Comparison", "Wanted"]
