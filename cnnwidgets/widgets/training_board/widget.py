"""A training, live: its curves, and what a layer's maps and kernels become."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import WidgetBox
from cnnwidgets.widgets._still.publish import title
from cnnwidgets.widgets.feature_maps import FeatureMaps
from cnnwidgets.widgets.kernel_grid import KernelGrid

from .controls import TrainingControls
from .curves import TrainingCurves, training_curves
from .kernel_messages import kernel_here, read_messages
from .numbers import TrainingRow, checked_number, names_of, non_finite, number_name, number_table
from .snapshots import Snapshot, Snapshots
from .still import board_still

_SHARE = 9  # of the time, drawing takes one part in ten at most


class TrainingBoard(WidgetBox):
    """The curves of a training, and the maps and kernels of one layer, now and at the steps before.

    It takes numbers and arrays: :meth:`record` a step's numbers, :meth:`show_layer` the layer as it is. What was shown
    can be looked back at with the slider; of a long training every second snapshot is dropped when there are more than
    60 of them, or 64 MB, which it says.

    Arguments:
        layer: the layer's name.
        images: name -> (H, W, 3) uint8 of each image whose maps there are, or None where there is no picture.
        abouts: what else :meth:`FeatureMaps.show` is to be told of the maps of each.

    Attributes:
        controls: buttons, slider, table.
        feature_maps, kernel_grid: of the snapshot on show.
        rows: the numbers of every step.
        more_notes: sentences that stand above the slider.
        snapshots: what can be looked back at.

    Example:
        >>> board = TrainingBoard("conv1", {"a digit": None})
        >>> board.record({"loss": 2.3, "held_out_loss": 2.4}, epoch=1)
        >>> board.show_layer([np.zeros((4, 5, 5))])
        >>> board.draw()
        >>> board.controls.headline
        'epoch 1: loss 2.3, held-out loss 2.4'
    """

    def __init__(
        self,
        layer: str = "",
        images: Mapping[str, Any] | None = None,
        abouts: Sequence[Mapping[str, Any]] = (),
        **traits: Any,
    ) -> None:
        self._pixels, self._abouts = list((images or {}).values()), list(abouts)
        self._image_on_show: int | None = None
        self.controls = TrainingControls(layer=layer, images=list(images or {}))
        self.feature_maps, self.kernel_grid = FeatureMaps(), KernelGrid()
        self.more_notes: list[str] = []
        self.rows: list[TrainingRow] = []
        self.snapshots = Snapshots()
        self._lock = threading.RLock()
        self._drawn = 0
        self._next_drawing = 0.0
        self._waits_for_kernel = False
        super().__init__("training-view", self.controls, children=[self.controls], **traits)
        for name, method in (("on_pause", self.pause), ("on_resume", self.resume), ("on_stop", self.stop)):
            setattr(self.controls, name, method)
        self.controls.observe(self._look, ["at", "image"])
        for part in self._parts:
            traitlets.dlink((self, "network"), (part, "network"))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(layer={self.controls.layer!r}, steps={len(self.rows)})"

    @property
    def _parts(self) -> list[Any]:
        return [self.controls, self.feature_maps, self.kernel_grid]

    @property
    def curves(self) -> dict[str, TrainingCurves]:
        """Name -> the chart of it and of the same held out."""
        return training_curves(self.rows)

    @property
    def paused(self) -> bool:
        """Whether the training waits at its next step."""
        read_messages(self._parts)
        return bool(self.controls.state == "paused")

    @property
    def stopped(self) -> bool:
        """Whether Stop was clicked; :meth:`resume` takes it back."""
        read_messages(self._parts)
        return bool(self.controls.state == "stopped")

    def pause(self) -> None:
        """Let the training wait at its next step, as a click on Pause does."""
        if self.controls.state != "stopped":
            self.controls.state = "paused"

    def resume(self) -> None:
        """Go on, as a click on Resume does; also after Stop."""
        self.controls.state = "running" if self.rows else "ready"

    def stop(self) -> None:
        """End the training at its next step, as a click on Stop does."""
        self.controls.state = "stopped"

    def record(self, numbers: Mapping[str, Any], epoch: Any = None) -> None:
        """Add the numbers of a step; those that begin with "held_out_" are drawn beside their like.

        Args:
            numbers: name -> number, or a tensor of one element; None: there is none in this step.
            epoch: how many epochs that makes, a number; None: steps are counted instead.

        Raises:
            InputError: one of them is no number.
        """
        count = None if epoch is None else checked_number("epoch", epoch)
        if count is not None and not np.isfinite(count):
            raise InputError(f"epoch is {count}; expected a finite number, or None.")
        values = {name: checked_number(name, value) for name, value in numbers.items() if value is not None}
        with self._lock:
            self.rows.append(TrainingRow(len(self.rows) + 1, count, values))
            if self.controls.state == "ready":
                self.controls.state = "running"

    def wants_snapshot(self) -> bool:
        """Whether the layer should be shown now: it would stay to be looked back at, or there is time for it."""
        return self.snapshots.wants(len(self.rows)) or self.is_time()

    def is_time(self) -> bool:
        """Whether drawing now leaves nine tenths of the time to the training."""
        return time.perf_counter() >= self._next_drawing

    def show_layer(self, maps: Sequence[Any], kernels: Any = None) -> None:
        """Show the layer as it is after the steps so far, unless the reader looks at another step.

        Args:
            maps: (C, h, w) for each image.
            kernels: as :class:`KernelGrid` takes them; None: the layer has none.

        Raises:
            InputError: there are not as many as images, or an array has another shape.
        """
        arrays = tuple(as_array(stack, "The maps") for stack in maps)
        if len(arrays) != len(self.controls.images):
            raise InputError(f"There are {len(arrays)} stacks of maps for {len(self.controls.images)} images.")
        with self._lock:
            step = len(self.rows)
            label = self.rows[-1].label if self.rows else "before training"
            self.snapshots.add(Snapshot(step, label, arrays, kernels))
            everything = self.snapshots.all
            with self.controls.hold_sync():
                self.controls.steps = [each.step for each in everything]
                self.controls.labels = [each.label for each in everything]
                if self.controls.at is not None and self.controls.at not in self.controls.steps:
                    on_show = self.snapshots.at(self.controls.at)
                    self.controls.at = None if on_show is None else on_show.step
            if self.controls.at is None:
                self._look()

    def draw(self) -> None:
        """Bring curves, table and sentences up to the newest step."""
        with self._lock:
            began = time.perf_counter()
            if self.rows and self._drawn != len(self.rows):
                self._drawn = len(self.rows)
                self.controls.push("table", **number_table(self.rows))
                self.controls.push("charts", charts=[chart.sent() for chart in self.curves.values()])
                self.controls.headline = _headline(self.rows[-1])
            self.controls.notes = self._notes()
            now = time.perf_counter()
            self._next_drawing = now + _SHARE * (now - began)

    def draw_later(self) -> None:
        """Do so when the cell that runs has ended, where there is a kernel."""
        loop = getattr(kernel_here(), "io_loop", None)
        if loop is not None and not self._waits_for_kernel:
            self._waits_for_kernel = True
            loop.add_callback(self._catch_up)

    def wait_while_paused(self) -> None:
        """Return once the training may go on; at once where no click could reach a cell that waits."""
        while read_messages(self._parts) and self.controls.state == "paused":
            self.draw()
            time.sleep(0.05)

    _still = board_still

    def _still_title(self) -> str:
        return title("Training", self.controls.layer, self)

    def close(self) -> None:
        """Close the parts and let go of what is kept."""
        self.snapshots = Snapshots()
        super().close()

    def _catch_up(self) -> None:
        self._waits_for_kernel = False
        if self.comm is not None:
            self.draw()

    def _look(self, _: Any = None) -> None:
        """Show the snapshot that the slider is at."""
        with self._lock:
            snapshot = self.snapshots.at(self.controls.at)
            if snapshot is None or not snapshot.maps:
                return
            image = self.controls.image
            if image != self._image_on_show:
                self._image_on_show = image
                self.feature_maps.set_picture(self._pixels[image])
            about = self._abouts[image] if self._abouts else {}
            # So that a picture that is saved says of when it is.
            self.feature_maps.photograph = f"{self.controls.images[image]}, {snapshot.label}"
            self.kernel_grid.photograph = snapshot.label
            self.feature_maps.show(snapshot.maps[image], self.controls.layer, **about)
            if snapshot.kernels is not None:
                self.kernel_grid.show(snapshot.kernels, self.controls.layer)
            self._lay_out(kernels=snapshot.kernels is not None)

    def _lay_out(self, *, kernels: bool) -> None:
        # traitlets tells the page only where they differ
        self.children = [self.controls, self.feature_maps, *([self.kernel_grid] if kernels else [])]

    def _notes(self) -> list[str]:
        stride = self.snapshots.stride
        place = f"{stride}{'nd' if stride in (2, 32) else 'th'}"
        thinned = f"The slider keeps each {place} step and the newest, to save memory." if stride > 1 else ""
        return [note for note in (*self.more_notes, non_finite(self.rows), thinned) if note]


def _headline(row: TrainingRow) -> str:
    numbers = ", ".join(f"{number_name(name)} {row.values[name]:.4g}" for name in names_of([row]))
    return f"{row.label}: {numbers}" if numbers else row.label
