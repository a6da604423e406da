"""One filter that slides over its input, in plain numpy, as the page computes it; and where it does not fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnwidgets.widgets._maps.arrays import Doubles

OPERATIONS = ("conv", "max", "avg")


@dataclass(frozen=True)
class Sliding:
    """How a window moves over its input: as the arguments of torch's ``conv2d``, ``max_pool2d``, ``avg_pool2d``."""

    stride: int = 1
    padding: int = 0
    dilation: int = 1
    operation: str = "conv"

    def output_sides(self, sides: tuple[int, int], window: tuple[int, int]) -> tuple[int, int]:
        """(rows, columns) of the output; a number under 1 where the window does not fit."""
        extents = self.extents(window)
        return (
            (sides[0] + 2 * self.padding - extents[0]) // self.stride + 1,
            (sides[1] + 2 * self.padding - extents[1]) // self.stride + 1,
        )

    def extents(self, window: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns that a window reaches over, the gaps of a dilation included."""
        return self.dilation * (window[0] - 1) + 1, self.dilation * (window[1] - 1) + 1

    def problem(self, sides: tuple[int, int], window: tuple[int, int]) -> str:
        """Why a window cannot slide over an input of these sides; empty where it can."""
        if self.operation == "avg" and self.dilation > 1:
            return f"Average pooling has no dilation; it is {self.dilation}, expected 1."
        if self.operation != "conv" and self.padding > min(window) // 2:
            return (
                f"The padding is {self.padding}; a pooling takes at most half of its window of {window[0]} × "
                f"{window[1]}: {min(window) // 2}."
            )
        rows, columns = self.output_sides(sides, window)
        if min(rows, columns) > 0:
            return ""
        high, wide = self.extents(window)
        dilated = f", {high} × {wide} with its dilation" if self.dilation > 1 else ""
        padded = (sides[0] + 2 * self.padding, sides[1] + 2 * self.padding)
        around = f", {padded[0]} × {padded[1]} with its padding" if self.padding else ""
        return (
            f"The kernel of {window[0]} × {window[1]}{dilated} is larger than the input of {sides[0]} × "
            f"{sides[1]}{around}. Choose a smaller kernel or more padding."
        )

    def output(self, values: Doubles, kernel: Doubles, bias: float) -> Doubles:
        """(rows, columns) of a convolution, (C, rows, columns) of a pooling; ``values`` and ``kernel`` have C channels.

        Of a pooling only the kernel's sides count. The padding is 0, of max pooling -infinity; averages count it in.
        """
        fill = -np.inf if self.operation == "max" else 0.0
        around = (self.padding, self.padding)
        padded = np.pad(values, ((0, 0), around, around), constant_values=fill)
        window = (kernel.shape[1], kernel.shape[2])
        taps = np.lib.stride_tricks.sliding_window_view(padded, self.extents(window), (1, 2))
        taps = taps[:, :: self.stride, :: self.stride, :: self.dilation, :: self.dilation]
        if self.operation == "max":
            return np.asarray(taps.max((3, 4)))
        if self.operation == "avg":
            return np.asarray(taps.sum((3, 4)) / (window[0] * window[1]))
        return np.asarray(np.einsum("crsij,cij->rs", taps, kernel) + bias)
