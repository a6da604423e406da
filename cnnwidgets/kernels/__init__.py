"""The kernels of a layer: their numbers, what is odd about them, and how they make one number of a map."""

from __future__ import annotations

from .arithmetic import ArithmeticStep, CellArithmetic, Surroundings, arithmetic
from .layer_weights import Kernels, weights
from .summary import KernelSummary, summary

__all__ = [
    "ArithmeticStep",
    "CellArithmetic",
    "KernelSummary",
    "Kernels",
    "Surroundings",
    "arithmetic",
    "summary",
    "weights",
]


def __dir__() -> list[str]:
    return list(__all__)
