"""The sum behind a cell of the large feature map."""

from __future__ import annotations

import threading

from cnnwidgets.core.errors import InputError, as_sentence
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job, refuse_stopped
from cnnwidgets.kernels import CellArithmetic, arithmetic
from cnnwidgets.widgets.cell_sum import CellSum
from cnnwidgets.widgets.convolution_stepper import ConvolutionStepper
from cnnwidgets.widgets.filter_panel import FilterPanel

from .host import PanelHost
from .panel import Panel


class CellPanel(Panel):
    """Takes the number of a cell apart when it is clicked; its convolution can be stepped through."""

    widget: CellSum

    def __init__(self, host: PanelHost, panel: FilterPanel) -> None:
        super().__init__(host)
        self.widget, self._panel = panel.cell, panel
        self._cell: tuple[str, int, int, int] | None = None
        self._arithmetic: CellArithmetic | None = None
        self.widget.on_close, self.widget.on_step = self._leave, self._step

    def open(self, layer: str, channel: int, row: int, column: int) -> None:
        """Show how the number at a row and column of a channel of ``layer`` was made."""
        self._cell = (layer, channel, row, column)
        self.request(self._prepared)

    def scene_opened(self, scene: Scene) -> None:  # noqa: ARG002
        """The numbers are those of another photograph."""
        with self._lock:
            self.drop()
            if self._cell is not None:
                self._leave()
                self.widget.clear()

    def _leave(self) -> None:
        self._cell = self._arithmetic = None
        self._panel.show_stepper(None)

    def _step(self) -> None:
        cell = self._arithmetic
        if cell is None or cell.surroundings is None:
            return
        around = cell.surroundings
        stepper = ConvolutionStepper(
            around.input,
            cell.kernel,
            bias=cell.bias,
            stride=around.stride[0],  # the same both ways: see _can_step
            dilation=around.dilation[0],
            channels=[str(channel) for channel in cell.channels.sort().values.tolist()],
            heading=f"{cell.convolution} around the cell at row {cell.row}, column {cell.column}",
            network=self.widget.network,
            photograph=self.widget.photograph,
        )
        columns = stepper.output.shape[1]
        stepper.position = around.row * columns + around.column
        if around.has_padding:
            stepper.notes = [*stepper.notes, "Zeros at the edge are the layer's padding."]
        self._panel.show_stepper(stepper)

    def _prepared(self) -> Job | None:
        if self._cell is None:
            return None
        layer, channel, row, column = self._cell
        self._arithmetic = None
        self._panel.show_stepper(None)
        heading = f"Filter {channel} of {layer} at row {row}, column {column}"
        self.widget.say(heading, "Taking the number apart …")
        scene = self._host.scene

        def work(stop: threading.Event) -> None:
            refuse_stopped(stop)
            try:
                cell = arithmetic(self._host.model, scene.picture.tensor, layer, channel, row, column)
            except InputError as error:
                why = str(error)
                self.apply(stop, lambda: self.widget.say(heading, why))
                return
            self.apply(stop, lambda: self._show(cell))

        return work

    def _show(self, cell: CellArithmetic) -> None:
        self._arithmetic = cell
        _, *after = cell.steps  # the first is the sum
        self.widget.show(
            cell.layer,
            cell.channel,
            cell.row,
            cell.column,
            patch=cell.patch,
            kernel=cell.kernel,
            bias=cell.bias,
            value=cell.value,
            inputs=cell.channels.sort().values.tolist(),
            steps=[(f"{step.operation} ({step.layer or 'the network'})", step.value) for step in after],
            convolution=cell.convolution,
            notes=[as_sentence(note) for note in cell.notes],
        )
        self.widget.steppable = _can_step(cell)


def _can_step(cell: CellArithmetic) -> bool:
    """Whether its window moves in the same way down and across, as the stepper's does."""
    around = cell.surroundings
    return around is not None and around.stride[0] == around.stride[1] and around.dilation[0] == around.dilation[1]
