"""What every layer can do: compute forward, and send a gradient backward."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError

Array = npt.NDArray[Any]


class Layer:
    """A step of a network. Those below fill in :meth:`forward` and :meth:`backward`.

    Attributes:
        parameters: name -> the numbers that are learned, as ``{"weight": ..., "bias": ...}``; empty where none are.
        gradients: name -> how the loss changes with each of them, from the last :meth:`backward`.
    """

    def __init__(self) -> None:
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self._output_shape: tuple[int, ...] | None = None
        self._memory: tuple[Any, ...] = ()

    def forward(self, x: Array) -> Array:
        """What the layer makes of ``x``, which it remembers for :meth:`backward`."""
        raise NotImplementedError

    def backward(self, grad: Array) -> Array:
        """The chain rule: from the gradient of the loss by the last output to its gradient by the last input.

        The gradients of the parameters are in :attr:`gradients` afterwards.

        Args:
            grad: of the shape that :meth:`forward` returned.

        Raises:
            InputError: another shape, or nothing went forward yet.
        """
        raise NotImplementedError

    def _remember(self, output: Array, *values: Any) -> Array:
        self._output_shape, self._memory = output.shape, values
        return output

    def _recall(self, grad: Array) -> tuple[Any, ...]:
        """What was remembered, if ``grad`` fits the output that was computed from it."""
        if self._output_shape is None:
            raise InputError(f"{type(self).__name__}.backward needs what went forward: call forward(x) first.")
        if np.shape(grad) != self._output_shape:
            raise InputError(
                f"The gradient has shape {np.shape(grad)}; expected {self._output_shape}, that of the output of "
                f"{type(self).__name__}.forward."
            )
        return self._memory


def floats(values: Any, subject: str, axes: str) -> Array:
    """``values`` as an array of floats with the axes that ``axes`` names, one letter each, as "NCHW".

    Whole numbers become float64, so that the uint8 pixels of a photograph do not wrap around.

    Raises:
        InputError: another number of axes, or no numbers.

    Example:
        >>> floats([[1, 2]], "x", "NK").dtype
        dtype('float64')
    """
    try:
        array = np.asarray(values)
        array = array if array.dtype.kind == "f" else array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{subject} is no regular array of numbers: {error}.") from error
    if array.ndim != len(axes):
        raise InputError(
            f"{subject} has shape {array.shape}; expected {len(axes)} axes, ({', '.join(axes)}). Add an axis of "
            f"length 1 with {subject}[None] where one is missing."
        )
    return array
