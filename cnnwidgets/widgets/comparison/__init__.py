"""Many maps of one photograph beside each other: methods by layers, or methods by classes."""

from .widget import Comparison as Comparison
from .widget import Wanted as Wanted
