"""State that arrives from the page: kept only where it fits its trait."""

from __future__ import annotations

import copy
from typing import Any

import ipywidgets
import traitlets
from ipywidgets.widgets.widget import _put_buffers

from cnnwidgets.core.errors import CnnWidgetsError, InputError

from ._messages import bounded, brief

_OF_IPYWIDGETS = ("_view_count", "_dom_classes")


class PageState(ipywidgets.Widget):  # type: ignore[misc, unused-ignore]
    """A widget that keeps nothing of a wrong type from the page.

    traitlets alone is not enough: a value that a validator refuses with an error of ours stays stored when several
    values arrive together, ``True`` is an int, NaN is within all bounds, and what is refused ends in the kernel's log.
    """

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
        raise NotImplementedError

    def say_failed(self, error: Exception) -> None:
        """Tell the reader that the answer to a message from the page failed."""
        raise NotImplementedError

    def _handle_msg(self, msg: Any) -> None:
        # What ipywidgets will do with it, tried on a copy: its own errors end in the kernel's log.
        try:
            data = msg["content"]["data"]
            readable = data["method"] in ("update", "request_state", "custom")
            _put_buffers(copy.deepcopy(data.get("state", {})), data.get("buffer_paths", []), msg["buffers"])
        except Exception:
            readable = False
        if readable:
            super()._handle_msg(msg)
        else:
            self.say_dropped("a message that cannot be read")

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
        except Exception as error:  # whatever a deserialiser of ipywidgets meets
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
