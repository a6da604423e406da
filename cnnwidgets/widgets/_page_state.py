"""State that arrives from the page: kept only where it fits its trait."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets

from cnnwidgets.core.errors import CnnWidgetsError, InputError

from ._messages import bounded, brief

_METHODS = ("update", "request_state", "custom")
_OF_IPYWIDGETS = ("_view_count", "_dom_classes")


class PageState(ipywidgets.Widget):  # type: ignore[misc, unused-ignore]
    """A widget that keeps nothing of a wrong type from the page.

    traitlets alone is not enough: a value that a validator refuses with an error of ours stays stored when several
    values arrive together, ``True`` is an int, NaN is within all bounds, and what is refused ends in the kernel's log.
    What there is to say of it is said by ``speaker``, if there is one.
    """

    speaker: PageState | None = None

    def set_state(self, sync_data: Any) -> None:
        """Take state from the page. What does not fit is dropped, set back there, and said."""
        if not isinstance(sync_data, dict):
            self.say_dropped(f"state that is no mapping but {type(sync_data).__name__}")
            return
        fitting = {}
        for name, value in sync_data.items():
            try:
                if self._is_new(name, value):
                    fitting[name] = value
            except InputError as error:
                self.say_dropped(str(error))
                if name in self.keys:
                    self.send_state(name)
        try:
            super().set_state(fitting)
        except Exception as error:  # of an observer: nobody reads the kernel's log
            self.say_failed(error)

    def say_dropped(self, reason: str) -> None:
        """Tell the reader that something from the page was not used; ``reason`` is no whole sentence."""
        if self.speaker is not None:
            self.speaker.say_dropped(reason)

    def say_failed(self, error: Exception) -> None:
        """Tell the reader that the answer to a message from the page failed."""
        if self.speaker is not None:
            self.speaker.say_failed(error)

    def _handle_msg(self, msg: Any) -> None:
        reason = malformed(msg)
        if reason:
            self.say_dropped(reason)
            return
        super()._handle_msg(msg)

    def _is_new(self, name: Any, value: Any) -> bool:
        """Whether the value fits its trait and differs from what is there.

        Raises:
            InputError: it does not fit.
        """
        if not isinstance(name, str) or name not in self.keys:
            raise InputError(f"{brief(name)}, which is none of its traits")
        try:
            bounded(value)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        if name.startswith("_") and name not in _OF_IPYWIDGETS:
            if value == getattr(self, name):
                return False
            raise InputError(f"{name}, which the page may not set")
        trait = self.traits()[name]
        try:
            read = self.trait_metadata(name, "from_json", self._trait_from_json)(value, self)
            trait._validate(self, read)  # noqa: SLF001 (the only check that stores nothing)
        except (CnnWidgetsError, traitlets.TraitError) as error:
            own = str(error) if isinstance(error, CnnWidgetsError) else f"{brief(value)}, not {trait.info()}"
            raise InputError(f"{name}: {own}") from None
        except Exception as error:  # whatever a deserialiser of ipywidgets or bqplot meets
            raise InputError(f"{name}: {brief(value)} ({type(error).__name__})") from None
        if is_another_kind(trait, read):
            raise InputError(f"{name}: {brief(value)}, not {trait.info()}")
        return True


def is_another_kind(trait: Any, value: Any) -> bool:
    """Whether ``value`` is True or False where its trait wants a number, or 1 or 0 for those: traitlets takes both."""
    if isinstance(trait, traitlets.Int | traitlets.Float):
        return isinstance(value, bool)
    if isinstance(trait, traitlets.Bool):
        return not isinstance(value, bool) and value is not None
    if isinstance(value, list | tuple) and isinstance(trait, traitlets.Container):
        inner = getattr(trait, "_trait", None)
        return inner is not None and any(is_another_kind(inner, element) for element in value)
    return False


def malformed(msg: Any) -> str:
    """Why a message of the widgets' protocol cannot be read; empty where it can.

    >>> malformed({"content": {"data": {"method": "update", "state": []}}})
    'state that is no mapping but list'
    """
    content = msg.get("content") if isinstance(msg, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict):
        return "a message without data"
    method = data.get("method")
    if not isinstance(method, str) or method not in _METHODS:
        return f"a message of the method {brief(method)}"
    if method == "update":
        state = data.get("state", {})
        if not isinstance(state, dict):
            return f"state that is no mapping but {type(state).__name__}"
        return _misplaced(state, data.get("buffer_paths", []), msg.get("buffers", []))
    return ""


def _misplaced(state: dict[str, Any], paths: Any, buffers: Any) -> str:
    """Where ipywidgets would fail to put buffers into ``state``."""
    if not isinstance(paths, list) or not isinstance(buffers, list | tuple) or len(paths) != len(buffers):
        return "binary data that does not say where it belongs"
    for path in paths:
        if not isinstance(path, list) or not path:
            return "binary data that does not say where it belongs"
        holder: Any = state
        for depth, key in enumerate(path, start=1):
            named = isinstance(holder, dict) and isinstance(key, str) and (key in holder or depth == len(path))
            listed = isinstance(holder, list) and type(key) is int and 0 <= key < len(holder)
            if not named and not listed:
                return "binary data for a place that is not there"
            holder = holder[key] if listed or key in holder else None
    return ""
