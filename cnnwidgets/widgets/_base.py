"""What every widget has in common: its bundle, its error, its busy state, and bulk data to the browser."""

from __future__ import annotations

import difflib
import itertools
import traceback
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets

from cnnwidgets.core.errors import message_of

STATIC = Path(__file__).parent.parent / "static"
_DTYPES = {"uint8", "int32", "float32"}

# A reply under 36 KB waits 40 ms for the server's Nagle timer; a padded one does not.
_LEAST_BYTES = 40_000


class CnnWidget(anywidget.AnyWidget):
    """Base of the widgets. A subclass sets ``_esm`` and ``_css`` with :func:`bundle` and adds its traits.

    Small state is in traits. Bulk data goes with :meth:`push`; the newest push of a kind is kept, so that a view
    which appears later can ask for it. Commands from the browser arrive in ``_commands[op]``.
    """

    busy = traitlets.Bool(False, help="Something is being computed for this widget.").tag(sync=True)
    error = traitlets.Unicode("", help="One sentence for the reader; empty when all is well.").tag(sync=True)
    error_details = traitlets.Unicode("", help="The traceback behind ``error``.").tag(sync=True)

    _ids: ClassVar[itertools.count[int]] = itertools.count(1)

    def __init__(self, **traits: Any) -> None:
        self._pushed: dict[str, tuple[dict[str, Any], list[memoryview]]] = {}
        unknown = [name for name in traits if not self.has_trait(name)]
        if unknown:
            raise TypeError(_unknown_keyword(type(self).__name__, unknown[0], self.trait_names()))
        super().__init__(**traits)
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def push(self, kind: str, *, arrays: dict[str, npt.NDArray[Any]] | None = None, **content: Any) -> None:
        """Send ``content`` (JSON) and ``arrays`` (uint8, int32 or float32, as binary) to every view."""
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

    def show_error(self, error: BaseException) -> None:
        """Show ``error`` in the widget, with its traceback folded under it."""
        self.error_details = "".join(traceback.format_exception(error))
        self.error = message_of(error)

    def clear_error(self) -> None:
        """Take the error away."""
        self.error = self.error_details = ""

    def close(self) -> None:
        """Free what is kept for the views, and close them."""
        self._pushed.clear()
        super().close()

    def _receive(self, _: Any, content: dict[str, Any], buffers: list[Any]) -> None:
        try:
            self._on_command(content, buffers)
        except Exception as error:  # shown in the widget: in a message handler nobody else would see it
            self.show_error(error)

    def _on_command(self, content: dict[str, Any], buffers: list[Any]) -> None:  # noqa: ARG002
        """Answer a message from the browser; subclasses extend it for their own commands."""
        if content.get("op") == "pull" and content.get("kind") in self._pushed:
            message, kept = self._pushed[content["kind"]]
            self.send(message, buffers=kept)


def bundle(folder: str) -> dict[str, Path]:
    """Paths of a widget's built JavaScript and CSS: ``_esm, _css = bundle("feature_maps").values()``."""
    return {"esm": STATIC / f"{folder}.js", "css": STATIC / f"{folder}.css"}


def _unknown_keyword(owner: str, name: str, known: list[str]) -> str:
    public = [trait for trait in known if not trait.startswith("_")]
    close = difflib.get_close_matches(name, public, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else f" It takes: {', '.join(sorted(public))}."
    return f"{owner} got an unexpected keyword {name!r}.{hint}"
