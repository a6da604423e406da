"""The grid of a layer's kernels."""

from .widget import KernelGrid as KernelGrid
