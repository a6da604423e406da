"""The arithmetic behind one number of a feature map."""

from .widget import CellSum as CellSum
