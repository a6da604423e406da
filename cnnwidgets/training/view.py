"""One line in a training loop: curves, and a layer that changes as it learns."""

from __future__ import annotations

from typing import Any

from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.network import Network
from cnnwidgets.widgets.training_board import TrainingBoard

from .images import MOST_IMAGES, watched_pictures
from .watched_layer import WatchedLayer


class TrainingView(TrainingBoard):
    """Watch a network learn: live curves, and the feature maps and kernels of one of its layers as they change.

    Your own loop calls :meth:`step` once an epoch, or once a batch. Above are the curves, what is held out dashed
    beside what is learned from, and the same numbers as a table. Below are the layer's maps of your images and its
    kernels; a slider goes back through what they were. It keeps at most 60 snapshots or 64 MB of them: of a long
    training every second is dropped, and it says so. Pause, Resume and Stop are looked at in :meth:`step`.

    The network is only looked at, in evaluation mode and on your own thread, and is afterwards as it was: training
    flags, parameters, gradients, buffers, hooks, and all random numbers.

    Arguments:
        model: the network that learns.
        layer: dotted name, as in ``named_modules()``, or the module, of a layer that makes maps.
        images: whose maps are shown, at most the first 8. A batch as in training, a float tensor or array (N, C, H, W),
            or one image of it; a batch with its labels, as a loader gives it; images of :mod:`cnnwidgets.learn`; or
            PIL images, paths and uint8 arrays, one, a list, or a mapping of names to them.
        preprocess: for PIL images, paths and uint8 arrays: a function from a PIL image to a tensor, as for
            :func:`cnnwidgets.explore`.
        **traits: any trait by name.

    Attributes:
        feature_maps, kernel_grid: the widgets with the layer's maps and kernels.
        controls: the widget with the buttons, the slider and the table.
        snapshots: the maps and kernels that can be looked back at, ``snapshots.all``.

    Raises:
        LayerNotFound: no such layer; names the closest.
        NotSpatial: the layer's output is not maps.
        InputError: an image cannot be read, or the network does not run on it.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 2))
        >>> view = TrainingView(net, "0", images=torch.rand(2, 1, 8, 8))
        >>> for epoch in range(1, 4):
        ...     # ... train, and measure
        ...     if not view.step(epoch=epoch, loss=1 / epoch):
        ...         break  # Stop was clicked
        >>> view.rows[-1].values, view.stopped
        ({'loss': 0.3333333333333333}, False)
    """

    def __init__(
        self, model: nn.Module, layer: str | nn.Module, images: Any = None, *, preprocess: Any = None, **traits: Any
    ) -> None:
        network = Network.of(model)
        if images is None:
            raise InputError("There is no image to watch. Pass images=, a few of those that the network learns from.")
        pictures, count = watched_pictures(images, model, preprocess)
        self._watched = WatchedLayer(model, layer, list(pictures.values()))
        super().__init__(
            self._watched.name,
            {name: picture.pixels for name, picture in pictures.items()},
            [self._watched.about(image) for image in range(len(pictures))],
            **{"network": type(network.base).__name__, **traits},
        )
        if count > MOST_IMAGES:
            self.more_notes = [f"The first {MOST_IMAGES} of {count} images are watched."]
        self._take_snapshot()
        self.draw()

    def step(
        self,
        *,
        loss: Any = None,
        accuracy: Any = None,
        epoch: Any = None,
        held_out_loss: Any = None,
        held_out_accuracy: Any = None,
        **others: Any,
    ) -> bool:
        """Add the numbers of a step, show what the layer has become, and wait while the reader pauses.

        A click on Pause or Stop takes effect here, also while a cell runs; a loop with long epochs can look at
        :attr:`stopped` in between. Where neither ipykernel nor a thread of your own runs the loop, clicks arrive once
        the cell has ended. Should a look at the layer fail, the widget says so and the training goes on.

        Args:
            loss, accuracy: of what is learned from; numbers, or tensors of one element.
            epoch: how many epochs have been made; None: steps are counted.
            held_out_loss, held_out_accuracy: of what is held out.
            **others: further numbers, each with a curve; ``held_out_NAME`` is drawn beside ``NAME``.

        Returns:
            False once Stop was clicked: leave the loop. True else.

        Raises:
            InputError: one of them is no number; nothing was added.
        """
        numbers = {"loss": loss, "held_out_loss": held_out_loss, "accuracy": accuracy}
        self.record({**numbers, "held_out_accuracy": held_out_accuracy, **others}, epoch)
        if self.wants_snapshot():
            self._take_snapshot()
            self.draw()
        else:
            self.draw_later()
        self.wait_while_paused()
        return not self.stopped

    def close(self) -> None:
        """Close the parts and let go of the network."""
        self.__dict__.pop("_watched", None)
        super().close()

    def _take_snapshot(self) -> None:
        try:
            self.show_layer(self._watched.maps(), self._watched.kernels())
        except Exception as error:  # the training must not end for want of a picture
            self.controls.show_error(error)
        else:
            if self.controls.error:
                self.controls.clear_error()
