"""Networks that allow no Grad-CAM: the Explorer begins with what works, and says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets import explainers

IMAGE = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))


class Net(nn.Module):
    """Convolutions and a head; ``how`` cuts all of it, or its body, out of the graph."""

    def __init__(self, how: Callable[[], Any] = torch.enable_grad, cut: str = "all") -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU())
        self.aux, self.head = nn.Conv2d(6, 2, 1), nn.Linear(6, 3)
        self.how, self.cut = how, cut

    def forward(self, x: torch.Tensor) -> Any:
        if self.cut == "numpy":
            return torch.from_numpy(self.scores(x).detach().numpy().copy())
        if self.cut == "detached":
            return self.scores(x).detach()
        if self.cut == "body":
            with self.how():
                maps = self.body(x)
            return self.head(maps.mean((2, 3)))
        with self.how():
            return self.scores(x)

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.body(x)
        self.aux(maps)
        return self.head(maps.mean((2, 3)))


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval()


CUTS: dict[str, Callable[[], nn.Module]] = {
    "no_grad": lambda: Net(torch.no_grad),
    "inference_mode": lambda: Net(torch.inference_mode),
    "no_grad in the body": lambda: Net(torch.no_grad, "body"),
    "detached": lambda: Net(cut="detached"),
    "numpy": lambda: Net(cut="numpy"),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_forward_without_gradients(cut: str) -> None:
    net, plain = seeded(CUTS[cut]), seeded(Net)
    explorer = cw.explore(net, IMAGE)
    explorer.wait(60)
    try:
        assert (explorer.method, explorer.status) == ("occlusion", "ready")
        assert explorer.overlay.method == "occlusion"
        why = [note for note in explorer._view.bar.notes if "Grad-CAM needs a gradient" in note]
        assert len(why) == 1
        assert explorer.layer == "body"  # not the aux head, which the score does not depend on
        for method in ("eigen_cam", "score_cam", "ablation_cam"):
            explorer.method = method
            explorer.wait(60)
            assert explorer.status == "ready", explorer.message
            assert explorer.overlay.layer == "body"
            assert explorer.overlay.layers == ["body.1", "body"]
            found = explorer._session.explain(explorer._scene, method, "body", lambda _: None)
            expected = explainers.get(method)(plain, IMAGE, explorer.target, layer="body")
            torch.testing.assert_close(found.values, expected.values, rtol=1e-4, atol=1e-5)
        explorer.target = (explorer.target + 1) % 3
        explorer.wait(60)
        assert explorer.status == "ready"
        explorer.method = "grad_cam"
        explorer.wait(60)
        assert "Grad-CAM needs a gradient" in str(explorer.overlay._pushed["map"])
    finally:
        explorer.close()


@pytest.mark.parametrize("cut", [cut for cut in CUTS if cut != "no_grad in the body"])
def test_functions_on_a_forward_without_gradients(cut: str) -> None:
    net, plain = seeded(CUTS[cut]), seeded(Net)
    for method in ("eigen_cam", "score_cam", "ablation_cam", "cam"):
        found, expected = (explainers.get(method)(one, IMAGE, 1) for one in (net, plain))
        assert found.layer == expected.layer == "body", method
        torch.testing.assert_close(found.values, expected.values, rtol=1e-4, atol=1e-5, msg=method)
    found, expected = (explainers.occlusion(one, IMAGE, 1, patch=8, stride=8) for one in (net, plain))
    torch.testing.assert_close(found.values, expected.values, rtol=1e-4, atol=1e-6)


class Embedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.flat, self.embed = nn.Flatten(), nn.Linear(3 * 32 * 32, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.embed(self.flat(x)))


@pytest.mark.parametrize("make", [lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 5)), Embedding])
def test_a_network_without_maps(make: Callable[[], nn.Module]) -> None:
    net = seeded(make)
    explorer = cw.explore(net, IMAGE)
    explorer.wait(60)
    try:
        assert (explorer.method, explorer.status, explorer.layer) == ("saliency", "ready", "")
        assert any("no layer whose output is a stack of maps" in note for note in explorer._view.bar.notes)
        found = explorer._session.explain(explorer._scene, "saliency", "", lambda _: None)
        torch.testing.assert_close(found.values, explainers.saliency(net, IMAGE, explorer.target).values)
        explorer.method = "occlusion"
        explorer.wait(60)
        assert explorer.status == "ready"
        explorer.method = "eigen_cam"
        explorer.wait(60)
        assert explorer.status == "error"
        assert "no layer whose output is a stack of maps" in explorer.message
        assert "''" not in explorer.message
    finally:
        explorer.close()


def test_a_picture_added_to_a_network_without_gradients() -> None:
    explorer = cw.explore(seeded(CUTS["no_grad"]), IMAGE)
    explorer.wait(60)
    explorer.method = "grad_cam"
    explorer.wait(60)
    explorer.add_picture(np.full((32, 32, 3), 90, np.uint8), "grey")
    explorer.wait(60)
    assert (explorer.picture, explorer.status) == ("grey", "error")
    assert "Grad-CAM needs a gradient" in explorer.message
    explorer.method = "eigen_cam"
    explorer.wait(60)
    assert explorer.status == "ready"
    explorer.close()
