"""What an Explorer shows, as numbers, and how it should be."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import torch

import cnnwidgets as cw
from tests.benchmarks.kept import resident
from tests.explorer.shown import pushed, shown_map
from tests.soak.actions import Soak


def megabytes() -> float:
    """MB of memory that the process has in use, without what the C library keeps of what was freed."""
    return resident() / 1e6


def own_threads() -> int:
    """How many of ours run."""
    return sum(thread.name == "cnnwidgets" for thread in threading.enumerate())


def settle(soak: Soak) -> cw.Explorer:
    """End all edits, and show a complete map."""
    e = soak.explorer
    e._panels.switching.switch_all_on()
    e.graph.selected = e.layer  # a layer without maps may have been clicked last
    e.method = "saliency"
    e.wait(60)
    e.method = "grad_cam"
    e.wait(60)
    return e


def assert_like_a_fresh_one(soak: Soak, linger: float = 0) -> None:
    """Scores, feature maps and the map on the overlay are those of an Explorer that was made just now.

    Args:
        linger: seconds for which that one stays afterwards.
    """
    e = settle(soak)
    assert (e.status, e._view.bar.busy, e._panels.working) == ("ready", False, []), e.message
    f = cw.explore(soak.net, dict(e._session.images))  # with what was edited
    for trait in ("picture", "target", "method"):
        setattr(f, trait, getattr(e, trait))
        f.wait(60)
    f.overlay.follow = e.overlay.follow  # or the maps would go to its layer, too
    f.overlay.layer = e.overlay.layer
    f.wait(60)
    f.layer = e.layer  # last: where the slider has no such layer, it leaves it where it is
    f.wait(60)
    torch.testing.assert_close(e._scene.logits, f._scene.logits)
    np.testing.assert_allclose(shown_map(e), shown_map(f), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(pushed(e.overlay, "picture")[1]["pixels"], pushed(f.overlay, "picture")[1]["pixels"])
    ours, theirs = pushed(e.feature_maps, "maps")[1], pushed(f.feature_maps, "maps")[1]
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
    time.sleep(linger)
    f.close()


def hooks(model: torch.nn.Module) -> list[Any]:
    """Those on any module of ``model``."""
    tables = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [hook for module in model.modules() for table in tables for hook in getattr(module, table).values()]
