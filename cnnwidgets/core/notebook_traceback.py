"""What IPython is given to show for an error of ours."""

from __future__ import annotations

import sys
from typing import Any

from .short_traceback import is_full, short_traceback

_REST = "%tb shows the whole traceback, %debug opens it."


def rendered(error: BaseException) -> list[str]:
    """Lines of text, with the colours of a terminal: short at first, whole when it is shown again (``%tb``).

    Whole also where ``%xmode Verbose`` or ``CNNWIDGETS_TRACEBACK=full`` asks for it; only the message in the mode
    "Minimal".
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    tracer: Any = getattr(shell, "InteractiveTB", None)
    mode = getattr(tracer, "mode", "Context")
    colours = str(getattr(shell, "colors", "nocolor")).lower() != "nocolor"
    # Raised once more, it has another traceback, and is news again.
    shown_before = getattr(error, "_rendered", None) == id(error.__traceback__)
    if tracer is not None and (is_full() or shown_before or mode == "Verbose"):
        return list(tracer.structured_traceback(type(error), error, error.__traceback__))
    error._rendered = id(error.__traceback__)  # type: ignore[attr-defined]  # noqa: SLF001
    if mode == "Minimal":
        return list(tracer.get_exception_only(type(error), error))
    return [*short_traceback(error, colours=colours), *([_REST] if tracer is not None else [])]
