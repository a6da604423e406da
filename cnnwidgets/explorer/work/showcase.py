"""What an Explorer has on show just now, for all who read or change it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .scene import Scene
from .session import Session


class Showcase:
    """The scene on show, and whether the traits speak for the reader.

    Attributes:
        session: the model and the images.
        scene: the photograph on show.
        lock: held while the view is set, and to see that it is not.
        checking: whether a trait that is set is a wish, to be checked and followed: not while the view is being made,
            nor while it sets them itself.
    """

    def __init__(self, session: Session, scene: Scene) -> None:
        self.session, self.scene = session, scene
        self.lock = threading.RLock()
        self.checking = False

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """While traits are set to what is known to be right, and by nobody's wish."""
        before, self.checking = self.checking, False
        try:
            yield
        finally:
            self.checking = before

    def clear(self) -> None:
        """Let go of the model and of what is on show."""
        del self.session, self.scene
