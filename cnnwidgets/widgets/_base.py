"""What every widget has in common: its bundle, its error, its busy state, and bulk data to the browser."""

from __future__ import annotations

import difflib
import functools
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import ipywidgets
import numpy as np
import numpy.typing as npt
import traitlets

from cnnwidgets.core.errors import CnnWidgetsError, InputError, message_of
from cnnwidgets.core.short_traceback import details as short_details

from ._messages import answer, command, text
from ._page_state import PageState
from ._still.publish import StillPicture

STATIC = Path(__file__).parent.parent / "static"
_DTYPES = {"uint8", "int32", "float32", "float64"}

# A reply under 36 KB waits 40 ms for the server's Nagle timer; a padded one does not.
_LEAST_BYTES = 40_000


class _FileText(traitlets.Unicode):  # type: ignore[type-arg]  # no type arguments before traitlets 5.10
    """The text of a file, read when it is needed. Of a path, anywidget would keep each widget for ever."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.tag(sync=True)

    def default(self, obj: Any = None) -> str:  # noqa: ARG002 (traitlets passes it)
        return _page_code(self._path)


def _keep_text(owner: type[CnnWidget], name: str, path: Path) -> None:
    """``path`` as what anywidget sends; where it watches files, as it is."""
    if os.environ.get("ANYWIDGET_HMR") == "1":
        setattr(owner, name, path)
        return
    trait = _FileText(path)
    setattr(owner, name, trait)
    trait.class_init(owner, name)


@functools.cache
def _page_code(path: Path) -> str:
    return path.read_text("utf-8")


class CnnWidget(PageState, StillPicture, anywidget.AnyWidget):
    """Base of the widgets. A subclass names its folder, ``class Occluder(CnnWidget, folder="occluder")``.

    Small state is in traits, which go to the page unless tagged ``sync=False``. Bulk data goes with :meth:`push`; the
    newest push of a kind is kept, so that a view which appears later can ask for it. Commands from the browser are
    methods marked with :func:`~._messages.command`; they and state from the page are checked before anything is done
    with them. Who listens stands in attributes ``on_...`` and ``_on_...``.
    """

    def __init_subclass__(cls, folder: str = "", **options: Any) -> None:
        if folder:
            for name, path in zip(("_esm", "_css"), bundle(folder).values(), strict=True):
                _keep_text(cls, name, path)
        if cls.__module__.startswith("cnnwidgets."):  # a reader's own subclass may hold anything
            for trait in vars(cls).values():
                if isinstance(trait, traitlets.TraitType) and "sync" not in trait.metadata:
                    trait.tag(sync=True)
        super().__init_subclass__(**options)

    busy = traitlets.Bool(False, help="Something is being computed for this widget.").tag(sync=True)
    error = traitlets.Unicode("", help="One sentence for the reader; empty when all is well.").tag(sync=True)
    error_details = traitlets.Unicode("", help="The reader's own lines and the cause behind ``error``, or empty.").tag(
        sync=True
    )

    network = traitlets.Unicode("", help="Name of the network that is looked into, for titles; may be empty.").tag(
        sync=True
    )
    photograph = traitlets.Unicode("", help="Name of the photograph on show, for titles; may be empty.").tag(sync=True)
    switched = traitlets.Unicode(
        "", help="A sentence on what is switched off in the network, with a button to switch all on; empty: nothing is."
    ).tag(sync=True)

    on_switch_all: Callable[[], object] | None = None
    """Called to switch on again all that is off in the network."""

    _ids: ClassVar[itertools.count[int]] = itertools.count(1)

    def __init__(self, **traits: Any) -> None:
        self._pushed: dict[str, tuple[dict[str, Any], list[memoryview]]] = {}
        self._dropped = ""
        unknown = [name for name in traits if not self.has_trait(name)]
        if unknown:
            raise TypeError(_unknown_keyword(type(self).__name__, unknown[0], self.trait_names()))
        super().__init__(**traits)
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def push(self, kind: str, *, arrays: dict[str, npt.NDArray[Any]] | None = None, **content: Any) -> None:
        """Send ``content`` (JSON) and ``arrays`` (uint8, int32, float32 or float64, as binary) to every view."""
        headers, buffers = [], []
        for name, array in (arrays or {}).items():
            if array.dtype.name not in _DTYPES:
                raise TypeError(f"array {name!r} is {array.dtype}; the browser takes {sorted(_DTYPES)}")
            headers.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape)})
            buffers.append(memoryview(np.ascontiguousarray(array).data).cast("B") if array.size else memoryview(b""))
        missing = _LEAST_BYTES - sum(buffer.nbytes for buffer in buffers)
        if missing > 0:
            buffers.append(memoryview(bytes(missing)))
        message = {"op": "data", "kind": kind, "id": next(self._ids), "arrays": headers, **content}
        self._pushed[kind] = (message, buffers)
        self.send(message, buffers=buffers)

    def forget(self, kind: str) -> None:
        """Free the kept copy of the newest push of ``kind``."""
        self._pushed.pop(kind, None)

    def take_back(self, kind: str) -> None:
        """Take what was pushed of ``kind`` away from the views, too."""
        if kind in self._pushed:
            self.push(kind)
            self.forget(kind)

    def show_error(self, error: BaseException) -> None:
        """Show ``error`` in the widget, with the reader's own lines and the cause folded under it."""
        self.error_details = short_details(error)
        self.error = message_of(error)

    def clear_error(self) -> None:
        """Take the error away."""
        self.error = self.error_details = ""

    def close(self) -> None:
        """Free what is kept for the views, let go of the callbacks, and close."""
        self._pushed.clear()
        # A callback holds whoever listens, an Explorer and its network maybe.
        for name in [name for name in vars(self) if name.startswith(("on_", "_on_"))]:
            delattr(self, name)
        super().close()

    def say_dropped(self, reason: str) -> None:
        """Tell the reader that something from the page was not used."""
        self._dropped = f"Something from the page was dropped: {reason.rstrip('.')}."
        self.error, self.error_details = self._dropped, ""

    def say_failed(self, error: Exception) -> None:
        """Show what went wrong in the answer to the page: a sentence of ours alone, others with their traceback."""
        if isinstance(error, CnnWidgetsError):
            self.error, self.error_details = str(error), ""
        else:
            self.show_error(error)

    def _receive(self, _: Any, content: Any, buffers: Any) -> None:
        try:
            act = answer(self, content, buffers)
        except InputError as error:
            self.say_dropped(str(error))
            return
        if self._dropped and self.error == self._dropped:
            self._dropped = ""
            self.clear_error()
        try:
            act()
        except Exception as error:  # shown in the widget: in a message handler nobody else would see it
            self.say_failed(error)

    @command("switch_all_on")
    def _switched_all_on(self) -> None:
        if self.on_switch_all is not None:
            self.on_switch_all()

    @command("pull", kind=text())
    def _pull(self, kind: str) -> None:
        """A view that has just appeared asks for the newest data."""
        if kind in self._pushed:
            message, buffers = self._pushed[kind]
            self.send(message, buffers=buffers)


def _no_answer(*_: object) -> None:
    """What a button does while nobody has asked to be called."""


# Static, so that it can stand in a class until an instance is given a callback of its own.
nobody_listens: Callable[..., None] = staticmethod(_no_answer)


def bundle(folder: str) -> dict[str, Path]:
    """Paths of a widget's built JavaScript and CSS, "esm" and "css"."""
    return {"esm": STATIC / f"{folder}.js", "css": STATIC / f"{folder}.css"}


def _unknown_keyword(owner: str, name: str, traits: list[str]) -> str:
    public = [trait for trait in traits if not trait.startswith("_")]
    close = difflib.get_close_matches(name, public, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else f" It takes: {', '.join(sorted(public))}."
    return f"{owner} got an unexpected keyword {name!r}.{hint}"


class WidgetBox(PageState, StillPicture, ipywidgets.VBox):
    """A column of widgets, of which ``speaker`` shows what must be said to the reader."""

    network = traitlets.Unicode("", help="Name of the network, for titles; may be empty.")
    photograph = traitlets.Unicode("", help="Name of the photograph, for titles; may be empty.")

    def __init__(self, name: str, speaker: CnnWidget, **traits: Any) -> None:
        self.speaker = speaker
        super().__init__(**traits)
        for css_class in ("cnnw", f"cnnw-{name}"):
            self.add_class(css_class)

    def say_dropped(self, reason: str) -> None:
        """Tell the reader that something from the page was not used; ``reason`` is no whole sentence."""
        self.speaker.say_dropped(reason)

    def say_failed(self, error: Exception) -> None:
        """Tell the reader that the answer to a message from the page failed."""
        self.speaker.say_failed(error)

    @property
    def _parts(self) -> list[Any]:
        """The widgets that it closes with itself, on show or not."""
        return list(self.children)

    def close(self) -> None:
        """Close the parts."""
        if "speaker" not in self.__dict__:  # its making failed, and ipywidgets closes what is left of it
            return
        for part in self._parts:
            part.unobserve_all()
            part.layout.close()
            part.close()
        super().close()
