"""What is left after an Explorer, and of the model while it is used."""

from __future__ import annotations

import gc
import random
import threading
import weakref
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from tests.explorer import nets


def _hooks(model: nn.Module) -> list[int]:
    return [
        len(getattr(module, name))
        for module in model.modules()
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    ]


def _state(model: nn.Module) -> dict[str, Any]:
    """All that must not change, by value."""
    return {
        "hooks": _hooks(model),
        "modules": [(name, id(module), module.training) for name, module in model.named_modules()],
        "parameters": [
            (name, id(value), value.requires_grad, value._version, value.detach().sum().item())
            for name, value in model.named_parameters()
        ],
        "grad": [None if value.grad is None else value.grad.sum().item() for value in model.parameters()],
        "buffers": [(name, id(value), value.double().sum().item()) for name, value in model.named_buffers()],
        "rng": (torch.get_rng_state().sum().item(), random.getstate(), np.random.get_state()[1].sum()),
    }


def _without_rng(model: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in _state(model).items() if name != "rng"}


def _stopping(model: Any, images: torch.Tensor, target: Any = None) -> torch.Tensor:
    model.train()
    torch.rand(3)
    raise cw.Cancelled("enough")


def _failing(model: Any, images: torch.Tensor, target: Any = None) -> torch.Tensor:
    model.train()
    model(images)
    raise RuntimeError("no")


def test_the_model_is_left_as_it_was(registered: Callable[[str, Callable[..., Any]], None]) -> None:
    registered("stopping", _stopping)
    registered("failing", _failing)
    model, image = nets.Training(), torch.rand(1, 3, 24, 24)
    before = _state(model)
    e = cw.explore(model, {"one": image, "two": 1 - image})
    assert _state(model) == before
    # What an explainer draws on the worker's thread is not taken back: that would rewind what the user draws meanwhile.
    del before["rng"]
    steps = [
        ("target", 1, "ready"),
        ("method", "saliency", "ready"),
        ("method", "occlusion", "ready"),
        ("method", "failing", "error"),
        ("method", "stopping", "cancelled"),
        ("picture", "two", "cancelled"),
        ("method", "grad_cam", "ready"),
    ]
    for trait, value, status in steps:
        setattr(e, trait, value)
        e.wait(30)
        assert e.status == status, (trait, value, e.message)
        assert _without_rng(model) == before, (trait, value)
    e.close()
    assert _without_rng(model) == before


def test_a_model_that_fails_is_left_as_it_was() -> None:
    model, image = nets.Broken().train(), torch.rand(1, 3, 24, 24)
    before = _state(model)
    with pytest.raises(cw.CnnWidgetsError):
        cw.explore(model, image)
    assert _state(model) == before


@pytest.mark.parametrize("used", [{}, {"method": "saliency", "target": 2, "layer": "0"}, {"method": "occlusion"}])
def test_closing_frees_the_model_and_the_maps(used: dict[str, Any]) -> None:
    model = nets.plain()
    e = cw.explore(model, torch.rand(1, 3, 24, 24))
    for trait, value in used.items():
        setattr(e, trait, value)
    e.wait(20)
    dead = [weakref.ref(model), *(weakref.ref(maps) for maps in e._scene.maps.values()), weakref.ref(e._scene)]
    parts = (e.graph, e.feature_maps, e.overlay, e.scores)
    e.close()
    del model
    gc.collect()
    assert [reference() for reference in dead] == [None] * len(dead)
    assert all(not part._pushed for part in parts[:3])
    assert all(part.comm is None for part in parts)
    e.close()  # once more is no error


def test_an_explorer_leaves_no_widget_behind() -> None:
    def alive() -> set[str]:
        gc.collect()
        return set(ipywidgets.widget._instances)

    before = alive()
    e = cw.explore(nets.plain(), torch.rand(1, 3, 24, 24))
    assert len(alive() - before) > 5
    e.close()
    assert alive() - before == set()


def test_closing_frees_each_widget() -> None:
    # anywidget ties a widget to the file of its page code, which is there for as long as the program runs.
    e = cw.explore(nets.plain(), torch.rand(1, 3, 24, 24))
    e.wait(30)
    widgets = [e, e.graph, e.feature_maps, e.overlay, e.scores, e.occluder, e.comparison, e.filters.view]
    dead = [(type(widget).__name__, weakref.ref(widget)) for widget in widgets]
    e.close()
    del e, widgets
    gc.collect()
    assert [name for name, reference in dead if reference() is not None] == []


def test_closing_while_work_runs_frees_too(registered: Callable[[str, Callable[..., Any]], None]) -> None:
    started = threading.Event()

    def endless(model: Any, images: torch.Tensor, target: Any = None, *, progress: Any = None) -> torch.Tensor:
        partial = cw.explainers.saliency(model, images, target)
        while True:
            progress(cw.core.progress.Step(1, 2, 0.0, None, partial))
            started.set()

    registered("endless", endless)
    model = nets.plain()
    e = cw.explore(model, torch.rand(1, 3, 24, 24))
    e.method = "endless"
    assert started.wait(10)
    e.target = 1  # and another job waits
    dead = weakref.ref(model)
    e.close()
    e.wait(10)
    assert (e.status, e.message) == ("closed", "This Explorer is closed.")
    del model
    for thread in threading.enumerate():
        if thread.name.startswith("cnnwidgets"):
            thread.join(5)
    gc.collect()
    assert dead() is None


def test_a_closed_explorer_says_that_it_is(e: cw.Explorer) -> None:
    e.close()
    uses: list[Callable[[], Any]] = [
        lambda: setattr(e, "layer", "0"),
        lambda: setattr(e, "target", 1),
        lambda: setattr(e, "channel", 1),
        lambda: setattr(e, "method", "saliency"),
        lambda: setattr(e, "picture", "bright"),
        lambda: e.add_picture(torch.rand(1, 3, 24, 24)),
        lambda: e.pictures,
    ]
    for use in uses:
        with pytest.raises(cw.CnnWidgetsError, match="closed"):
            use()
    e.wait(1)
    e.cancel()
    e.close()
    assert e.status == "closed"
