"""The bar on top of the Explorer."""

from .widget import ExplorerBar as ExplorerBar
