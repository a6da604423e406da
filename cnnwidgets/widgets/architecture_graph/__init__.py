"""The architecture graph: a network's layers, to look at and to choose from."""

from .widget import ArchitectureGraph as ArchitectureGraph
