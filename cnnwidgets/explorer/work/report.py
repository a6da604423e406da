"""How far a method is, told now and then; and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cnnwidgets.core.errors import Cancelled
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.attribution import Attribution

_TELL_EVERY = 0.1  # seconds between two messages
_DRAW_EVERY = 0.3  # and between two maps that fill in


class Report:
    """The ``progress`` of an explainer that runs for the Explorer.

    Args:
        stop: makes the next step raise ``Cancelled``.
        tell: shows how far the work is.
        draw: shows the map so far.
    """

    def __init__(
        self, stop: threading.Event, tell: Callable[[Step], None], draw: Callable[[Attribution], None]
    ) -> None:
        self._stop, self._tell, self._draw = stop, tell, draw
        self._told = self._drawn = 0.0
        self.last: Step | None = None

    def __call__(self, step: Step) -> None:
        """Take note of ``step``; raises ``Cancelled`` when asked to stop."""
        if self._stop.is_set():
            raise Cancelled("Stopped.")
        self.last = step
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY:
            self._told = now
            self._tell(step)
        if step.partial is not None and now - self._drawn >= _DRAW_EVERY:
            self._drawn = now
            self._draw(step.partial)

    @property
    def share(self) -> float:
        """Of the work, 0 to 1."""
        return 0.0 if self.last is None else self.last.done / max(self.last.total, 1)
