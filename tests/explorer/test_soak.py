"""A few hundred random actions; ``make soak`` does ten thousand."""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref

import ipywidgets
import pytest
import torch

import cnnwidgets as cw
from tests.explorer import nets
from tests.soak.actions import Soak
from tests.soak.state import assert_like_a_fresh_one, hooks


@pytest.mark.parametrize("seed", [3, 14])
def test_after_many_random_actions_everything_is_as_in_a_fresh_explorer(seed: int) -> None:
    soak = Soak(seed)
    modes = [module.training for module in soak.net.modules()]
    soak.run(120)
    assert_like_a_fresh_one(soak)
    assert not hooks(soak.net)
    assert [module.training for module in soak.net.modules()] == modes
    assert sum(thread.name == "cnnwidgets" for thread in threading.enumerate()) <= 10
    soak.explorer.close()


def test_memory_stays_flat() -> None:
    soak = Soak(5)
    soak.run(150)
    gc.collect()
    widgets = len(ipywidgets.widget._instances)
    tracemalloc.start()
    soak.run(100)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    soak.run(150)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 400_000
    assert len(ipywidgets.widget._instances) == widgets
    soak.explorer.close()


def test_many_explorers_hold_the_maps_of_a_few_and_make_them_again() -> None:
    torch.manual_seed(4)
    image = torch.rand(1, 3, 24, 24)
    explorers = [cw.explore(nets.plain(), image) for _ in range(20)]
    maps = [[weakref.ref(one) for one in e._scene.maps.values()] for e in explorers]
    gc.collect()
    held = [e for e in explorers if not e._scene.asleep]
    assert held == explorers[-3:]
    first = explorers[0]
    expected = explorers[-1]._scene.maps["1"]
    del maps
    first.layer = "1"
    first.wait(30)
    assert not first._scene.asleep
    assert not first._view.bar.notes or not any("changed" in note for note in first._view.bar.notes)
    torch.testing.assert_close(first._scene.maps["1"], expected)
    assert first.feature_maps.layer == "1"
    assert sum(not e._scene.asleep for e in explorers) == 3
    second = explorers[1]
    second.target = (second.target + 1) % 5
    second.wait(30)
    assert (second.status, second._scene.asleep) == ("ready", False)
    for e in explorers:
        e.close()


def test_what_sleeps_is_freed() -> None:
    first = cw.explore(nets.plain(), torch.rand(1, 3, 24, 24))
    maps = [weakref.ref(one) for one in first._scene.maps.values()]
    others = [cw.explore(nets.plain(), torch.rand(1, 3, 24, 24)) for _ in range(3)]
    gc.collect()
    assert [one() for one in maps] == [None] * len(maps)
    for e in (first, *others):
        e.close()
