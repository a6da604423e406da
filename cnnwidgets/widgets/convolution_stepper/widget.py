"""A kernel moves over its input: patch, products and sum of each output cell, as numbers and colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.arguments import is_number
from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget
from cnnwidgets.widgets._maps.arrays import Doubles
from cnnwidgets.widgets._messages import command, one_of, whole_number
from cnnwidgets.widgets._still.publish import title

from .numbers import LONGEST_SIDE, StepperInput, kernel_channels, read_input, read_kernel
from .samples import SAMPLES, sample
from .sliding import OPERATIONS, Sliding
from .still import stepper_still

_SLIDING = ("stride", "padding", "dilation", "operation")
_VERTICAL_EDGES = ((1.0, 0.0, -1.0),) * 3
SPEEDS = ("slow", "normal", "fast")


class ConvolutionStepper(CnnWidget, folder="convolution_stepper"):
    """Shows how a convolution, or a pooling, makes its output, one cell at a time.

    The window moves over the input by buttons, slider, keys, or by itself; beside it are the patch under it, the
    kernel, their products and the sum, and the output as far as it is known. Kernel, bias, stride, padding and dilation
    are edited by hand, the input is drawn with the mouse, and the output follows. What the page computes is what
    torch's ``conv2d``, ``max_pool2d`` and ``avg_pool2d`` compute, and :attr:`output` says it in Python.

    Args:
        image: a picture (PIL image, path, uint8 array (H, W), (H, W, 3)), which becomes grey, or three channels where
            the kernel has them, from 0 to 1; or numbers as they are, an array or tensor (H, W), (C, H, W) or
            (1, C, H, W). No side is longer than 32: what is larger is shrunk, and said. None: a drawn digit.
        kernel: weights (kh, kw), (C, kh, kw) or (1, C, kh, kw) of one filter; of a pooling the sides of its window, an
            int or two. None: a filter of vertical edges, or a window of 2 × 2.
        bias: is added to each sum of a convolution.
        stride, padding, dilation: ints, the same both ways, as torch has them. Outside the input are zeros; for max
            pooling nothing, which is never the largest.
        operation: ``"conv"``, or for each channel by itself ``"max"`` or ``"avg"``.
        channels: names of the input channels.
        **traits: any trait, by name.

    Raises:
        InputError: the kernel is larger than the padded input, has other channels, or there is NaN somewhere.

    Example:
        >>> stepper = ConvolutionStepper([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1.0, -1.0]], bias=0.5)
        >>> stepper.output.tolist()
        [[-0.5, -0.5], [-0.5, -0.5]]
        >>> stepper.operation, stepper.stride = "max", 2
        >>> stepper.output.tolist()
        [[[2.0]]]
    """

    heading = traitlets.Unicode("", help="What is on show, for titles; may be empty.")
    kernel: traitlets.Any = traitlets.Any(
        [[[1.0]]],
        help="Weights [C][kh][kw] of the filter, nested lists; arrays are taken, too. A pooling has its sides alone.",
    )
    bias = traitlets.Float(0.0, help="Is added to each sum of a convolution.")
    stride = traitlets.Int(1, min=1, max=LONGEST_SIDE, help="Cells that the window moves at a time, both ways.")
    padding = traitlets.Int(0, min=0, max=LONGEST_SIDE, help="Cells around the input, on each side.")
    dilation = traitlets.Int(1, min=1, max=LONGEST_SIDE, help="Cells from one weight's to the next, both ways.")
    operation = traitlets.Enum(OPERATIONS, "conv", help="Convolution, max pooling or average pooling.")
    position = traitlets.Int(0, min=0, help="The output cell on show, counted row by row from 0.")
    channel = traitlets.Int(0, min=0, help="The input channel on show, 0 to C - 1.")
    channels = traitlets.List(traitlets.Unicode(), help="Names of the input channels.")
    speed = traitlets.Enum(SPEEDS, "normal", help="How fast Play moves: 1, 4 or 16 steps a second.")
    notes = traitlets.List(traitlets.Unicode(), help="What to know about the input.")
    samples = traitlets.List(traitlets.Unicode(), list(SAMPLES), help="Names of the inputs to begin with.")

    _values: Doubles = np.zeros((1, 1, 1))
    _first: StepperInput

    def __init__(
        self,
        image: Any = None,
        kernel: Any = None,
        *,
        bias: float = 0.0,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        operation: str = "conv",
        channels: Sequence[str] | None = None,
        **traits: Any,
    ) -> None:
        selected = {name: traits.pop(name) for name in ("position", "channel") if name in traits}
        super().__init__(**traits)
        self.show(
            image,
            kernel,
            bias=bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            operation=operation,
            channels=channels,
        )
        for name, value in selected.items():
            setattr(self, name, value)

    def show(
        self,
        image: Any = None,
        kernel: Any = None,
        *,
        bias: float = 0.0,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        operation: str = "conv",
        channels: Sequence[str] | None = None,
    ) -> None:
        """Show another input and filter, from its first cell on; arguments as for the class.

        Raises:
            InputError: they do not fit; what is on show stays.
        """
        if operation not in OPERATIONS:
            raise InputError(f"operation is {operation!r}; expected one of {', '.join(OPERATIONS)}.")
        first = read_input(sample(SAMPLES[0]) if image is None else image, kernel_channels(kernel, operation))
        if kernel is None:
            kernel = [_VERTICAL_EDGES] * len(first.values) if operation == "conv" else 2
        if channels is not None:
            first = first._replace(names=_channel_names(channels, len(first.values)))
        weights = read_kernel(kernel, len(first.values), operation)
        sliding = Sliding(
            _checked("stride", stride, 1), _checked("padding", padding, 0), _checked("dilation", dilation, 1), operation
        )
        _check_window(sliding, first.values, weights)
        lists, bias = weights.tolist(), _finite_bias(bias)
        with self.hold_sync(), self.hold_trait_notifications():
            self._first, self._values = first, first.values
            self.kernel, self.bias = lists, bias
            self.stride, self.padding, self.dilation = sliding.stride, sliding.padding, sliding.dilation
            self.operation, self.position, self.channel = operation, 0, 0
            self.channels, self.notes = list(first.names), list(first.notes)
        self._push_input(kernel=lists)

    @property
    def image(self) -> Doubles:
        """(C, H, W) what the window slides over, as it is on show."""
        return self._values.copy()

    @property
    def output(self) -> Doubles:
        """(h, w) of a convolution, (C, h, w) of a pooling: the whole output, as torch has it in float64."""
        return self._sliding.output(self._values, np.array(self.kernel), self.bias)

    @property
    def _sliding(self) -> Sliding:
        return Sliding(self.stride, self.padding, self.dilation, self.operation)

    _still = stepper_still

    def _still_title(self) -> str:
        return title("Stepper", self.heading, self)

    def _push_input(self, **content: Any) -> None:
        """``kernel``: the one that was passed; without it the page keeps the one that it has."""
        self.push("input", arrays={"values": self._values}, **content)

    @traitlets.validate("kernel")
    def _kernel_fits(self, proposal: dict[str, Any]) -> list[Any]:
        weights = read_kernel(proposal["value"], len(self._values), self.operation)
        _check_window(self._sliding, self._values, weights)
        return list(weights.tolist())

    @traitlets.validate(*_SLIDING)
    def _slides(self, proposal: dict[str, Any]) -> Any:
        if self.kernel is not None:
            sliding = replace(self._sliding, **{proposal["trait"].name: proposal["value"]})
            _check_window(sliding, self._values, np.array(self.kernel))
        return proposal["value"]

    @traitlets.validate("bias")
    def _bias_is_finite(self, proposal: dict[str, Any]) -> float:
        return _finite_bias(proposal["value"])

    @traitlets.validate("channel")
    def _channel_exists(self, proposal: dict[str, Any]) -> int:
        if proposal["value"] >= len(self._values):
            raise InputError(f"channel is {proposal['value']}; the input has channels 0 to {len(self._values) - 1}.")
        return int(proposal["value"])

    @traitlets.validate("position")
    def _within_output(self, proposal: dict[str, Any]) -> int:
        """The last cell, where there is none so far: the page may not know yet that the output is smaller."""
        return min(int(proposal["value"]), self._cells - 1)

    @traitlets.observe(*_SLIDING, "kernel")
    def _output_resized(self, _: Any) -> None:
        self.position = min(self.position, self._cells - 1)

    @property
    def _cells(self) -> int:
        if self.kernel is None:
            return 1
        rows, columns = self._sliding.output_sides(self._values.shape[1:], np.array(self.kernel).shape[1:])
        return rows * columns

    @command("sample", name=one_of("", *SAMPLES))
    def _sample_chosen(self, name: str) -> None:
        """Show a sample in each channel; without a name what was there at first."""
        values = self._first.values if not name else np.repeat(sample(name)[None], len(self._values), 0)
        _check_window(self._sliding, values, np.array(self.kernel))
        self._values = values
        with self.hold_sync():
            self.notes = list(self._first.notes) if not name else []
            self.position = 0
        self._push_input()

    @command("draw", buffers=1, rows=whole_number(1, LONGEST_SIDE), columns=whole_number(1, LONGEST_SIDE))
    def _drawn(self, rows: int, columns: int, buffers: list[memoryview]) -> None:
        """The page has drawn on the input: (C, rows, columns) float64."""
        shape = (len(self._values), rows, columns)
        if shape != self._values.shape or memoryview(buffers[0]).nbytes != 8 * math.prod(shape):
            raise InputError(f"A drawing of {rows} × {columns} came for an input of {self._values.shape}: draw again.")
        values = np.frombuffer(buffers[0], np.float64).reshape(shape)
        if not np.isfinite(values).all():
            raise InputError("The drawing holds numbers that are not finite: draw again.")
        self._values = values.copy()
        self._push_input()


def _check_window(sliding: Sliding, values: Doubles, weights: Doubles) -> None:
    height, width = values.shape[1:]
    problem = sliding.problem((height, width), (weights.shape[1], weights.shape[2]))
    if problem:
        raise InputError(problem)


def _checked(name: str, value: Any, least: int) -> int:
    if isinstance(value, tuple | list) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= LONGEST_SIDE:
        raise InputError(f"{name} is {value!r}; expected an int from {least} to {LONGEST_SIDE}, the same both ways.")
    return int(value)


def _finite_bias(bias: Any) -> float:
    number = bias.item() if hasattr(bias, "item") and getattr(bias, "size", None) != 0 else bias
    if not is_number(number) or not math.isfinite(number):
        raise InputError(f"bias is {bias!r}; expected one finite number.")
    return float(number)


def _channel_names(channels: Sequence[str], count: int) -> tuple[str, ...]:
    if isinstance(channels, str) or len(channels) != count:
        raise InputError(f"There are {len(channels)} names of channels for {count} channels; expected as many.")
    return tuple(str(name) for name in channels)
