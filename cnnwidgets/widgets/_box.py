"""A widget made of several: a box that speaks through one of them."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets

from ._base import CnnWidget
from ._page_state import PageState
from ._still.publish import StillPicture


class WidgetBox(PageState, StillPicture, ipywidgets.VBox):
    """A column of widgets, of which ``speaker`` shows what must be said to the reader."""

    network = traitlets.Unicode("", help="Name of the network, for titles; may be empty.")
    photograph = traitlets.Unicode("", help="Name of the photograph, for titles; may be empty.")

    def __init__(self, name: str, speaker: CnnWidget, **traits: Any) -> None:
        self._speaker = speaker
        super().__init__(**traits)
        for css_class in ("cnnw", f"cnnw-{name}"):
            self.add_class(css_class)

    def say_dropped(self, reason: str) -> None:
        """Tell the reader that something from the page was not used."""
        self._speaker.say_dropped(reason)

    def say_failed(self, error: Exception) -> None:
        """Show what went wrong in the answer to the page."""
        self._speaker.say_failed(error)
