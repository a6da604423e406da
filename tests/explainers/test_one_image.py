"""Networks whose maths allow one image only are run one by one, and said to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets import checks, explainers
from cnnwidgets.core.errors import CnnWidgetsError, InputError, TargetError
from cnnwidgets.incremental import Edited
from cnnwidgets.running.batches_of_one import ONE_BY_ONE

IMAGES = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(5))
IMAGE = IMAGES[:1]


class Plain(nn.Module):
    """What the others compute, for any number of images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 5, 3, padding=1), nn.ReLU()
        self.head = nn.Linear(5 * 4 * 4, 4)

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(self.relu(self.conv(x)), 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.maps(x).flatten(1))


class Viewed(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.maps(x).view(1, -1))


class Squeezed(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.maps(x).squeeze(0).flatten())[None]


class Flattened(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.maps(x).flatten())[None]


class FirstOnly(Plain):
    """Says nothing of the other images of a batch, and does not fail."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.maps(x)[0].flatten()[None])


class Asserting(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert len(x) == 1
        return super().forward(x)


class Channels(Plain):
    """``reshape(1, C, -1)``, which makes more places of more images."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.maps(x).reshape(1, 5, -1)[..., :16].flatten(1))


class Recurrent(Plain):
    """Has states for a batch of one."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(16, 16, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.zeros(1, 1, 16), torch.zeros(1, 1, 16)
        return self.head(self.cell(self.maps(x).flatten(2), state)[0].flatten(1))


ONE = [Viewed, Squeezed, Flattened, FirstOnly, Asserting, Channels]


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval()


METHODS: dict[str, dict[str, Any]] = {
    "occlusion": {"patch": 4, "stride": 4},
    "score_cam": {"layer": "relu"},
    "ablation_cam": {"layer": "relu"},
    "smooth_grad": {"samples": 4},
    "integrated_gradients": {"steps": 5},
    "grad_cam": {},
    "eigen_cam": {},
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", ONE)
def test_maps_are_those_of_the_same_network_for_any_number(make: Callable[[], nn.Module], method: str) -> None:
    explain = explainers.get(method)
    found = explain(seeded(make), IMAGE, 2, **METHODS[method])
    expected = explain(seeded(Plain), IMAGE, 2, **METHODS[method])
    torch.testing.assert_close(found.values, expected.values, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.scores, expected.scores)
    needs_batches = method not in ("grad_cam", "eigen_cam")
    assert (ONE_BY_ONE in found.notes) == needs_batches
    assert [note for note in found.notes if note != ONE_BY_ONE] == list(expected.notes)


@pytest.mark.parametrize("method", METHODS)
def test_several_images_are_explained_one_by_one(method: str) -> None:
    explain = explainers.get(method)
    found = explain(seeded(Viewed), IMAGES, [2, 0, 1], **METHODS[method])
    for index, target in enumerate([2, 0, 1]):
        expected = explain(seeded(Plain), IMAGES[index : index + 1], target, **METHODS[method])
        torch.testing.assert_close(found.values[index], expected.values[0], rtol=1e-4, atol=1e-6)
    assert found.target == (2, 0, 1)
    assert "explained one by one" in found.notes[0]


@pytest.mark.parametrize("engine", ["auto", "incremental", "full"])
@pytest.mark.parametrize("make", ONE)
def test_edits(make: Callable[[], nn.Module], engine: str) -> None:
    tops, lefts = [0, 3, 8], [0, 5, 8]
    with Edited(seeded(make), IMAGE, engine=engine) as edited:
        scores = edited.scores(torch.zeros(3, 4, 4), tops, lefts)
        assert ONE_BY_ONE in edited.notes
        assert edited.engine == ("full" if engine == "full" else "incremental")
    rows = []
    for top, left in zip(tops, lefts, strict=True):
        image = IMAGE.clone()
        image[..., top : top + 4, left : left + 4] = 0
        rows.append(seeded(Plain)(image).detach())
    torch.testing.assert_close(scores, torch.cat(rows))


@pytest.mark.parametrize("make", ONE)
def test_curves(make: Callable[[], nn.Module]) -> None:
    values = IMAGE.sum(1)
    found = checks.insertion_deletion(seeded(make), IMAGE, values, 2, steps=6)
    expected = checks.insertion_deletion(seeded(Plain), IMAGE, values, 2, steps=6)
    torch.testing.assert_close(found.deletion, expected.deletion)
    torch.testing.assert_close(found.random_insertion, expected.random_insertion)
    assert ONE_BY_ONE in found.notes


def test_what_looks_at_all_images_together_says_what_to_pass() -> None:
    for call in (
        lambda: explainers.every_layer("grad_cam", seeded(Viewed), IMAGES, 0),
        lambda: checks.insertion_deletion(seeded(Viewed), IMAGES, IMAGES.sum(1), 0),
    ):
        with pytest.raises(InputError, match=r"takes one image at a time, and got 3.*images\[:1\]"):
            call()
    assert list(explainers.every_layer("grad_cam", seeded(Viewed), IMAGE, 0)) == ["conv", "relu"]


class Four(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.maps(x).view(4, -1))


@pytest.mark.parametrize("method", METHODS)
def test_another_fixed_number_is_said(method: str) -> None:
    with pytest.raises(InputError, match=r"takes 4 images at a time, and got 1.*x\.size\(0\)"):
        explainers.get(method)(seeded(Four), IMAGE, 0, **METHODS[method])
    four = torch.cat([IMAGES, IMAGE])
    found = explainers.grad_cam(seeded(Four), four, 1)
    torch.testing.assert_close(found.values, explainers.grad_cam(seeded(Plain), four, 1).values)


def test_a_recurrent_network_with_states_for_one() -> None:
    net = seeded(Recurrent)
    found = explainers.occlusion(net, IMAGE, 0, patch=4, stride=4, score="logit")
    rows = []
    for top, left in found.positions:
        image = IMAGE.clone()
        image[..., top : top + 4, left : left + 4] = 0
        rows.append(net(image).detach()[0, 0])
    torch.testing.assert_close(found.grid.flatten(), torch.stack(rows))
    assert ONE_BY_ONE in found.notes


def test_images_that_meet_are_refused_as_before() -> None:
    class Meeting(Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = self.maps(x)
            return self.head((maps - maps.mean(0)).flatten(1))

    with pytest.raises(CnnWidgetsError, match="influence one another"):
        explainers.occlusion(seeded(Meeting), IMAGE, 0, patch=4)


def test_an_error_of_the_model_or_the_target_is_told_as_it_is() -> None:
    class Fails(Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not x.any() or len(x) > 1 or x.isnan().any():
                raise ValueError("never this")
            raise ValueError("not at all")

    with pytest.raises(CnnWidgetsError, match="not at all"):
        explainers.occlusion(seeded(Fails), IMAGE, 0, patch=4)
    with pytest.raises(TargetError, match="out of range"):
        explainers.smooth_grad(seeded(Viewed), IMAGE, 9)
    with pytest.raises(TargetError, match="out of range"):
        explainers.grad_cam(seeded(Plain), IMAGES, 9)
