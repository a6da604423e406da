"""Two Explorers on one model, and a page that comes back in the middle of a job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import cnnwidgets as cw
from tests.explorer import nets
from tests.explorer.shown import pushed, shown_map


def test_two_explorers_on_one_model_do_not_meet() -> None:
    model, image = nets.plain(), torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = cw.explore(model, image), cw.explore(model, image)
    first.method, second.target = "saliency", 1
    first.layer = "1"
    first.wait(30)
    second.wait(30)
    assert (first.method, second.method, second.target) == ("saliency", "grad_cam", 1)
    by_hand = cw.explainers.saliency(model, image, first.target).values
    torch.testing.assert_close(first.attribution.values, by_hand)
    before = shown_map(second)
    first.close()
    assert np.array_equal(shown_map(second), before)
    second.target = 2
    second.wait(30)
    expected = cw.explainers.grad_cam(model, image, 2, layer=second.attribution.layer).values
    torch.testing.assert_close(second.attribution.values, expected)
    second.close()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_page_that_comes_back_in_a_job_gets_the_newest_and_the_job_ends(
    registered: Callable[[str, Callable[..., Any]], None],
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(model: Any, images: Any, target: Any = None) -> Any:
        begun.set()
        assert may_end.wait(30)
        return images.mean(1) * 0 + 3

    registered("slow", slow)
    e = cw.explore(nets.plain(), torch.rand(1, 3, 24, 24))
    e.method = "slow"
    assert begun.wait(30)
    newest = pushed(e.feature_maps, "maps")[1]
    sent: list[Any] = []
    e.feature_maps.send = lambda content, buffers=None: sent.append((content, buffers))  # type: ignore[method-assign]
    data = {"method": "custom", "content": {"op": "pull", "kind": "maps"}}
    e.feature_maps._handle_msg({"content": {"data": data}, "buffers": []})
    (content, buffers), *others = sent
    assert others == []
    assert content["kind"] == "maps"
    header = content["arrays"][0]
    array = np.frombuffer(buffers[0], header["dtype"]).reshape(header["shape"])
    assert np.array_equal(array, newest[header["name"]])
    assert e.status == "busy"
    assert e._view.bar.get_state()["progress_text"], "what the new page shows of the job"
    may_end.set()
    e.wait(30)
    assert e.status == "ready"
    assert (shown_map(e) == 3).all()
    e.close()
