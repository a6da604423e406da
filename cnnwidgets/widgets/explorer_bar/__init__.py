"""The bar on top of the Explorer."""

from .widget import ExplorerBar

__all__ = ["ExplorerBar"]
