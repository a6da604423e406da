"""The part of the check that is no chart: the button, the progress, the maps, the sentence and the numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from cnnwidgets.widgets._base import CnnWidget, bundle
from cnnwidgets.widgets._messages import command

STATES = ("empty", "idle", "running", "done", "stopped")
LEVELS = ("ok", "info", "warn")


class MapCheckPanel(CnnWidget):
    """What stands above the charts of a :class:`~.widget.MapCheck`."""

    _esm = bundle("map_check")["esm"]
    _css = bundle("map_check")["css"]

    state = traitlets.Enum(
        STATES, "empty", help="Nothing to check, ready, at work, finished, or stopped before the end."
    ).tag(sync=True)
    hint = traitlets.Unicode("", help="Why there is nothing to check, or what to know before; empty: nothing.").tag(
        sync=True
    )
    progress = traitlets.Float(None, min=0, max=1, allow_none=True, help="Share of the work done; None: none.").tag(
        sync=True
    )
    progress_text = traitlets.Unicode("", help="What is being done, and the time left.").tag(sync=True)
    sentence = traitlets.Unicode("", help="One sentence on how to read the results; empty before there are any.").tag(
        sync=True
    )
    badge = traitlets.Unicode("", help="The result in a few words; empty before there is one.").tag(sync=True)
    level = traitlets.Enum(
        LEVELS, "info", help="Whether nothing speaks against the map, one cannot tell, or it should not be trusted."
    ).tag(sync=True)
    notes = traitlets.List(traitlets.Unicode(), help="What else to know.").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self.on_check: Callable[[], None] = _nothing
        self.on_cancel: Callable[[], None] = _nothing
        super().__init__(**traits)

    @command("check")
    def _check(self) -> None:
        self.clear_error()
        self.on_check()

    @command("cancel")
    def _cancelled(self) -> None:
        self.on_cancel()


def _nothing() -> None:
    """What a click does when nobody listens."""
