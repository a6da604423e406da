"""The sum behind a cell of the large feature map."""

from __future__ import annotations

import threading

from cnnwidgets.core.errors import InputError, as_sentence
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job, refuse_stopped
from cnnwidgets.kernels import arithmetic
from cnnwidgets.widgets.cell_sum import CellSum

from .host import PanelHost
from .panel import Panel


class CellPanel(Panel):
    """Takes the number of a cell apart when it is clicked."""

    widget: CellSum

    def __init__(self, host: PanelHost, widget: CellSum) -> None:
        super().__init__(host)
        self.widget = widget
        self._cell: tuple[str, int, int, int] | None = None
        widget.on_close = self._leave

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
        self._cell = None

    def _prepared(self) -> Job | None:
        if self._cell is None:
            return None
        layer, channel, row, column = self._cell
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
            _, *after = cell.steps  # the first is the sum
            self.apply(
                stop,
                lambda: self.widget.show(
                    layer,
                    channel,
                    row,
                    column,
                    patch=cell.patch,
                    kernel=cell.kernel,
                    bias=cell.bias,
                    value=cell.value,
                    inputs=cell.channels.sort().values.tolist(),
                    steps=[(f"{step.operation} ({step.layer or 'the network'})", step.value) for step in after],
                    convolution=cell.convolution,
                    notes=[as_sentence(note) for note in cell.notes],
                ),
            )

        return work
