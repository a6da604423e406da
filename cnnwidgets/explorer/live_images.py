"""Images that change while they are explored: those of an ImageInput."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.plain import is_tensor
from cnnwidgets.widgets.image_input import ImageInput

from .panels.host import PanelHost
from .ties import close_widget, guarded
from .view import ExplorerView

LIVE_NAME = "image input"
EDITED_NAME = "edited image"


class LiveImages:
    """Hands each change of an :class:`ImageInput` to the Explorer; one of its own edits the photograph on show.

    Args:
        show: explores an image under a name, in place of the one that has it.
    """

    def __init__(self, host: PanelHost, view: ExplorerView, show: Callable[[Any, str], None]) -> None:
        self._host, self._view, self._show = host, view, show
        self._followed: list[tuple[ImageInput, Any]] = []

    def follow(self, image_input: ImageInput, name: str = LIVE_NAME) -> None:
        """Explore what ``image_input`` holds after each change."""
        listener = guarded(lambda change: self._show(change["new"], name), self._view.bar.show_error)
        image_input.observe(listener, "image")
        self._followed.append((image_input, listener))

    def edit(self) -> None:
        """Show an ImageInput of the photograph on show over the panels; where there is one, take it away."""
        if self._view.image_input is not None:
            self._take_away()
            return
        scene, images = self._host.scene, self._host.session.images
        image = images[scene.name]
        if is_tensor(image):  # prepared for the network already: what is seen of it
            image = scene.picture.pixels
        image_input = self._view.image_input = ImageInput(image, network="")
        image_input.name = scene.name
        self.follow(image_input, EDITED_NAME)

    def close(self) -> None:
        """Listen to none of them any more; those of others stay open."""
        for image_input, listener in self._followed:
            image_input.unobserve(listener, "image")
        self._followed.clear()
        if self._view.image_input is not None:
            self._take_away()

    def _take_away(self) -> None:
        own, self._view.image_input = self._view.image_input, None
        self._followed = [pair for pair in self._followed if pair[0] is not own]
        close_widget(own)


def image_held_by(image_input: ImageInput) -> Any:
    """The image that it holds.

    Raises:
        InputError: none yet.
    """
    if image_input.image is None:
        raise InputError("The ImageInput holds no image yet: set its image, or choose a sample.")
    return image_input.image
