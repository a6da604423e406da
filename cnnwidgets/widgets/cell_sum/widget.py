"""The sum that made one number of a feature map: patch times kernel, input channel by input channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._maps.arrays import doubles
from cnnwidgets.widgets._messages import command
from cnnwidgets.widgets._still.publish import title

_MOST = 8


class CellSum(CnnWidget, folder="cell_sum"):
    """What each input channel adds to one cell of a map, and how: its patch, the kernel, and their products.

    Example:
        >>> cell = CellSum()
        >>> cell.show("conv1", 17, 2, 3, patch=[[[2.0]], [[1.0]]], kernel=[[[0.5]], [[-1.0]]], bias=0.25, value=0.25)
        >>> cell.heading
        'Filter 17 of conv1 at row 2, column 3'
    """

    heading = traitlets.Unicode("", help="Which cell is on show; empty when none is.")
    hint = traitlets.Unicode("", help="A sentence in place of the sum: why it cannot be taken apart.")

    steppable = traitlets.Bool(False, help="Somebody answers when the cell is to be opened in the stepper.")

    on_step: Callable[[], object] = nobody_listens
    on_close: Callable[[], object] = nobody_listens

    def show(
        self,
        layer: str,
        channel: int,
        row: int,
        column: int,
        *,
        patch: Any,
        kernel: Any,
        bias: float = 0.0,
        value: float,
        inputs: Sequence[int] | None = None,
        convolution: str = "",
        steps: Sequence[tuple[str, float]] = (),
        notes: Sequence[str] = (),
    ) -> None:
        """Show the sum of a cell.

        Args:
            layer: the layer of the map.
            channel: the map.
            row: of the cell.
            column: of the cell.
            patch: (C, kh, kw) what the convolution is given there; 0 in the padding.
            kernel: (C, kh, kw).
            bias: is added.
            value: what the cell says.
            inputs: (C,) numbers of the input channels; None: 0 to C - 1.
            convolution: the layer whose kernel it is; empty: ``layer`` itself.
            steps: what follows the convolution, each with the value after it: ("ReLU", 0.0).
            notes: sentences to be read beside it.

        Raises:
            InputError: patch and kernel have other shapes.
        """
        patches, kernels = doubles(patch), doubles(kernel)
        if patches.ndim != 3 or patches.shape != kernels.shape or not patches.size:
            raise InputError(
                f"The patch has shape {patches.shape} and the kernel {kernels.shape}; expected (C, kh, kw) of both."
            )
        numbers = list(range(len(patches))) if inputs is None else [int(number) for number in inputs]
        if len(numbers) != len(patches):
            raise InputError(f"There are {len(patches)} patches and {len(numbers)} input channels; expected as many.")
        added = (patches * kernels).sum((1, 2))
        strongest = np.argsort(-np.abs(added), kind="stable")[:_MOST]
        with self.hold_sync():
            self.hint = ""
            self.heading = f"Filter {channel} of {layer} at row {row}, column {column}"
        self.push(
            "cell",
            arrays={
                "patches": patches[strongest].astype(np.float32),
                "kernels": kernels[strongest].astype(np.float32),
                "added": added[strongest].astype(np.float32),
                "inputs": np.array(numbers, np.int32)[strongest],
            },
            others=len(patches) - len(strongest),
            rest=float(added.sum() - added[strongest].sum()),
            bias=float(bias),
            value=float(value),
            convolution=convolution or layer,
            steps=[[name, float(after)] for name, after in steps],
            notes=list(notes),
        )

    def say(self, heading: str, hint: str) -> None:
        """Say why the sum of a cell cannot be shown, or that it is on its way."""
        self.take_back("cell")
        with self.hold_sync():
            self.heading, self.hint, self.steppable = heading, hint, False

    def clear(self) -> None:
        """Show nothing."""
        self.say("", "")

    def _still_title(self) -> str:
        return title("Sum of a cell", self.heading, self)

    @command("step")
    def _step_asked_for(self) -> None:
        self.on_step()

    @command("close")
    def _closed(self) -> None:
        self.clear()
        self.on_close()
