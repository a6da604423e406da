"""Input, kernel and output as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.maps import number, painted

_SIDE = 180
_MOST = 3
_WORDS = {"conv": "Convolution", "max": "Max pooling", "avg": "Average pooling"}


def stepper_still(widget: Any) -> parts.Block:
    """The channel on show of ``widget``, a :class:`ConvolutionStepper`, its kernel, and the whole output."""
    channel, pooling = widget.channel, widget.operation != "conv"
    output = widget.output[channel] if pooling else widget.output
    row, column = divmod(widget.position, output.shape[1])
    tiles = [("input", widget.image[channel]), ("kernel", np.array(widget.kernel)[channel]), ("output", output)]
    if pooling:
        del tiles[1]
    blocks = [
        parts.column([parts.remark(f"{name}, {' × '.join(map(str, values.shape))}", width=_SIDE), _tile(values)], 2)
        for name, values in tiles
    ]
    facts = (
        f"{_WORDS[widget.operation]}, stride {widget.stride}, padding {widget.padding}, dilation {widget.dilation}; "
        f"channel {widget.channels[channel]}; output row {row}, column {column}: {number(float(output[row, column]))}"
    )
    return parts.column([parts.remark(facts), parts.row(blocks), *map(parts.remark, widget.notes[:_MOST])])


def _tile(values: Any) -> parts.Block:
    """Grey from 0 where nothing is negative, else blue to red."""
    largest = float(np.abs(values).max()) or 1.0
    signed = bool((values < 0).any())
    pixels = painted((values / largest + 1) / 2 if signed else values / largest, "blue-red" if signed else "gray")
    factor = _SIDE / max(values.shape)
    size = (max(1, round(values.shape[1] * factor)), max(1, round(values.shape[0] * factor)))
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
