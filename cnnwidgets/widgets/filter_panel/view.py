"""The part of a filter panel that lives in the page."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._messages import command, one_of

JOBS = ("places", "image")


class FilterView(CnnWidget, folder="filter_panel"):
    """The places that excite a filter, the image that maximises it, and what is said of both."""

    layer = traitlets.Unicode("", help="Dotted name of the filter's layer; empty when none is on show.")
    channel = traitlets.Int(None, allow_none=True, help="The filter's number; None: none is on show.")
    hint = traitlets.Unicode("", help="A sentence in place of the filter: why there is none.")
    no_kernel = traitlets.Unicode("There is no kernel yet.", help="Why the filter has no kernel; empty: it has one.")
    job = traitlets.Enum(("", *JOBS), "", help="What is being computed: the places, or the image; empty: nothing.")
    progress = traitlets.Float(None, min=0, max=1, allow_none=True, help="Share of the work done; None: none runs.")
    progress_text = traitlets.Unicode("", help="The same in words, with the time left.")
    source = traitlets.Unicode("", help="Where the patches come from.")
    sentence = traitlets.Unicode("", help="Whether the filter answers to colour or to shape.")
    activation = traitlets.Bool(True, help="The activation is drawn over the patches.")
    makes = traitlets.Bool(False, help="Images can be made: somebody listens to `on_make`.")

    on_search: Callable[[], object] = nobody_listens
    on_make: Callable[[], object] = nobody_listens
    on_cancel: Callable[[], object] = nobody_listens

    @command("start", job=one_of(*JOBS))
    def _started(self, job: str) -> None:
        (self.on_search if job == "places" else self.on_make)()

    @command("cancel")
    def _cancelled(self) -> None:
        self.on_cancel()
