"""The part of the check that is no chart: the button, the progress, the maps, the sentence and the numbers."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._messages import command

STATES = ("empty", "idle", "running", "done", "stopped")
LEVELS = ("ok", "info", "warn")


class MapCheckPanel(CnnWidget, folder="map_check"):
    """What stands above the charts of a :class:`~.widget.MapCheck`."""

    state = traitlets.Enum(
        STATES, "empty", help="Nothing to check, ready, at work, finished, or stopped before the end."
    )
    hint = traitlets.Unicode("", help="Why there is nothing to check, or what to know before; empty: nothing.")
    progress = traitlets.Float(None, min=0, max=1, allow_none=True, help="Share of the work done; None: none.")
    progress_text = traitlets.Unicode("", help="What is being done, and the time left.")
    sentence = traitlets.Unicode("", help="One sentence on how to read the results; empty before there are any.")
    badge = traitlets.Unicode("", help="The result in a few words; empty before there is one.")
    level = traitlets.Enum(
        LEVELS, "info", help="Whether nothing speaks against the map, one cannot tell, or it should not be trusted."
    )
    notes = traitlets.List(traitlets.Unicode(), help="What else to know.")

    on_check: Callable[[], object] = nobody_listens
    on_cancel: Callable[[], object] = nobody_listens

    @command("check")
    def _check(self) -> None:
        self.clear_error()
        self.on_check()

    @command("cancel")
    def _cancelled(self) -> None:
        self.on_cancel()
