"""The bar on top of the Explorer: which network, which photograph, and how far long work is."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._messages import command, maybe, text


class ExplorerBar(CnnWidget, folder="explorer_bar"):
    """Shows what is explored and what is being computed; lays the Explorer's panels out.

    ``on_cancel`` is called when Cancel is pressed, ``on_upload`` with a file's name and its bytes, ``on_edit`` when the
    photograph is to be edited, ``on_code`` for the Python of what is on show.
    """

    title = traitlets.Unicode("", help="The network's name.")
    summary = traitlets.Unicode("", help="Its size, for a reader.")
    pictures = traitlets.List(traitlets.Unicode(), help="Names of the photographs to choose from.")
    picture = traitlets.Unicode("", help="The name of the photograph shown.")
    progress = traitlets.Float(
        None, allow_none=True, help="Share of the long work done, 0 to 1; None when there is none."
    )
    progress_text = traitlets.Unicode("", help="The work, its share, the time left.")
    notes = traitlets.List(traitlets.Unicode(), help="What the reader must know of the input.")

    on_cancel: Callable[[], object] = nobody_listens
    on_upload: Callable[[str, bytes], object] = nobody_listens

    on_edit: Callable[[], object] = nobody_listens
    on_code: Callable[[], object] = nobody_listens

    @command("edit")
    def _edit_asked_for(self) -> None:
        self.on_edit()

    @command("code")
    def _code_wanted(self) -> None:
        self.push("code", text=self.on_code())
        self.forget("code")  # a view that comes later has not asked

    @command("cancel")
    def _cancelled(self) -> None:
        self.on_cancel()

    @command("upload", buffers=1, name=maybe(text(), "upload"))
    def _uploaded(self, name: str, buffers: list[memoryview]) -> None:
        self.on_upload(name or "upload", bytes(buffers[0]))
