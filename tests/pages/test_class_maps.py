"""The maps of all classes, from one forward, are those that CAM makes of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explorer.work.session import Session
from cnnwidgets.pages.class_maps import every_class
from tests.explorer import nets
from tests.pages.unpacked import Unpacked


def test_each_is_the_explainers_own() -> None:
    net, image = nets.plain(), torch.rand(1, 3, 24, 24)
    logits = net(image)[0].detach()
    for index, attribution in enumerate(every_class(net, image)):
        own = cw.explainers.cam(net, image, index)
        assert torch.allclose(attribution.values, own.values, atol=1e-6)
        assert (attribution.target, attribution.layer, attribution.notes) == (own.target, own.layer, own.notes)
        assert attribution.scores[0] == pytest.approx(float(logits[index]), abs=1e-6)
    assert index == 4


def test_their_mean_and_the_bias_are_the_logits() -> None:
    net, image = nets.plain(), torch.rand(1, 3, 24, 24)
    means = torch.stack([attribution.values.mean() for attribution in every_class(net, image)])
    assert torch.allclose(means + net.get_parameter("7.bias"), net(image)[0], atol=1e-5)


def test_without_a_pooled_linear_head_there_are_none() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 22 * 22, 3)).eval()
    image = torch.rand(1, 3, 24, 24)
    with pytest.raises(CnnWidgetsError, match="global average"):
        list(every_class(net, image))
    page = cw.explore(net, image).page(layers=["1"], classes=2, methods=["grad_cam"], progress=None)
    (photograph,) = Unpacked(page.text).story["photographs"]
    assert (len(photograph["classes"]), photograph["others"]) == (2, 0)


def test_what_is_kept_of_a_class_is_its_own_map_and_nothing_else_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[object] = []
    retarget = Session.retarget

    def counted(session: Session, scene: Any, target: Any) -> Any:
        computed.append(target)
        return retarget(session, scene, target)

    monkeypatch.setattr(Session, "retarget", counted)
    net, image = nets.plain(classes=40), torch.rand(1, 3, 24, 24)
    e = cw.explore(net, image)
    unpacked = Unpacked(e.page(layers=["4"], classes=1, methods=["grad_cam"], progress=None).text)
    e.close()
    assert computed == []  # a thread of its own would paint over what is being recorded
    maps = torch.einsum("ck,khw->chw", net.get_parameter("7.weight").detach(), net[:5](image)[0].detach())
    top = int(net(image)[0].argmax())
    for index in set(range(40)) - {top}:
        kept = unpacked.array("overlay", f"0/{index}/cam", "map", "values")
        np.testing.assert_allclose(kept, maps[index], rtol=5.1e-3, atol=1e-7)


def test_classes_with_one_map_are_named_and_have_their_bars() -> None:
    e = cw.explore(nets.plain(), torch.rand(1, 3, 24, 24), labels=["a", "b", "c", "d", "e"])
    unpacked = Unpacked(e.page(layers=["4"], classes=[2], methods=["grad_cam"], progress=None).text)
    (photograph,) = unpacked.story["photographs"]
    others = set(range(5)) - set(photograph["classes"])
    assert photograph["others"] == len(others) > 0
    for index in others:
        state = unpacked.state("scores", f"0/{index}/logit/false")
        assert (state["target"], index in state["rows"]) == (index, True)
        assert "abcde"[index] in state["explains"]
        assert unpacked.state("overlay", f"0/{index}/cam")["caption"].endswith(f"→ {'abcde'[index]} ({index})")
    assert unpacked.content("scores", "0/2/logit/false", "classes")["names"] == list("abcde")
    assert e.target == e.scores.rows[0]  # the Explorer itself is where it was
