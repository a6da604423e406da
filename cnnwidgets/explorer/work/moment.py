"""A network is looked at once in a moment, though several ask whether it has changed: each look takes milliseconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .scene import Version


class Moment(threading.local):
    """What was looked at in the block that runs on this thread."""

    def __init__(self) -> None:
        self._versions: dict[str, Version] | None = None

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """In this block, or the outermost of several, :meth:`version` looks once."""
        outer, self._versions = self._versions, {} if self._versions is None else self._versions
        try:
            yield
        finally:
            self._versions = outer

    def version(self, name: str, look: Callable[[str], Version]) -> Version:
        """What ``look`` says of the image ``name`` and the network, now or earlier in the block."""
        if self._versions is None:
            return look(name)
        if name not in self._versions:
            self._versions[name] = look(name)
        return self._versions[name]
