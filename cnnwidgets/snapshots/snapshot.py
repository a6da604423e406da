"""What an Explorer has on show, to be kept: a picture, and a state in plain JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

from .picture import snapshot_png
from .state import state_of


class ExplorerSnapshot(NamedTuple):
    """What :meth:`cnnwidgets.Explorer.snapshot` returns; ``png, state = e.snapshot()``.

    Attributes:
        png: a PNG of what is on show: map with its scale, classes, feature maps, and what must be known of them.
        state: what was chosen, as JSON holds it; ``cnnwidgets.explore(model, image, state=state)`` restores it.
    """

    png: bytes
    state: dict[str, Any]


def snapshot_of(explorer: Any) -> ExplorerSnapshot:
    """Of an Explorer as it is now."""
    return ExplorerSnapshot(snapshot_png(explorer), state_of(explorer))
