"""How far a method is, told now and then; and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from cnnwidgets.core.progress import Step

from .worker import refuse_stopped

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
        self, stop: threading.Event, tell: Callable[[Step], None], draw: Callable[[Any], None] = lambda _: None
    ) -> None:
        self._stop, self._tell, self._draw = stop, tell, draw
        self._last_message = self._last_map = 0.0
        self._step: Step | None = None

    def __call__(self, step: Step) -> None:
        """Take note of ``step``; raises ``Cancelled`` when asked to stop."""
        refuse_stopped(self._stop)
        self._step = step
        now = time.monotonic()
        if now - self._last_message >= _TELL_EVERY:
            self._last_message = now
            self._tell(step)
        if step.partial is not None and now - self._last_map >= _DRAW_EVERY:
            self._last_map = now
            self._draw(step.partial)

    @property
    def share(self) -> float:
        """Of the work, 0 to 1."""
        return 0.0 if self._step is None else share_of(self._step)

    @property
    def partial(self) -> Any:
        """The result so far; None where there is none."""
        return None if self._step is None else self._step.partial


def share_of(step: Step) -> float:
    """How much of the work is done, 0 to 1."""
    return step.done / max(step.total, 1)
