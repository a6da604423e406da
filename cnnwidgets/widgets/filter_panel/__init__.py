"""What one filter of a network looks for."""

from .widget import FilterPanel as FilterPanel
