"""The errors a caller can meet.

    CnnWidgetsError
    ├── LayerNotFound   no such layer; also a KeyError
    ├── NotSpatial      the layer's output has no height and width
    ├── TargetError     the target does not fit the model's output
    ├── InputError      the image or tensor cannot be used
    └── Cancelled       stopped by the caller

Every message says what arrived, what was expected, and what to do. A notebook shows it with the reader's own lines and
the cause; ``%tb`` below it, ``%xmode Verbose`` or the environment's ``CNNWIDGETS_TRACEBACK=full`` show the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .short_traceback import rendered


class CnnWidgetsError(Exception):
    """Root of all errors raised on purpose by cnnwidgets."""

    def _render_traceback_(self, *_: Any, **__: Any) -> list[str]:
        """What IPython shows in place of a screen of our own lines; some of its versions pass arguments."""
        return rendered(self)


class LayerNotFound(CnnWidgetsError, KeyError):
    """No layer has this name; the message lists the closest ones."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""


class NotSpatial(CnnWidgetsError):
    """The layer's output is not a stack of maps (N, C, H, W)."""


class TargetError(CnnWidgetsError):
    """The target does not fit what the model returned."""


class InputError(CnnWidgetsError):
    """The image or the model's input cannot be used."""


class Cancelled(CnnWidgetsError):
    """The caller asked for the computation to stop."""


def message_of(error: BaseException) -> str:
    """What ``error`` says; the name of its class where it says nothing, or cannot.

    Example:
        >>> message_of(ValueError("too dark")), message_of(ValueError())
        ('too dark', 'ValueError')
    """
    try:
        return str(error) or type(error).__name__
    except Exception:  # its own __str__ raised
        return type(error).__name__


def as_sentence(note: str, names: Collection[str] = ()) -> str:
    """A note as the page and errors have them: with a capital, unless it begins with one of ``names``, and an end.

    >>> as_sentence("layer called twice, showing the last call"), as_sentence("bn2 is frozen", ["bn2"])
    ('Layer called twice, showing the last call.', 'bn2 is frozen.')
    """
    first = note.split(" ", 1)[0].rstrip(":,.")
    text = note if first in names or not first.isalpha() else note[:1].upper() + note[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch might have worked."""
    import torch  # which the package does without until it is needed

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory")
    )
