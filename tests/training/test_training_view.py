"""Watching a network learn: its numbers are right, and the network and its training are as without being watched."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import InputError, LayerNotFound, NotSpatial
from cnnwidgets.training.images import watched_pictures


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(4 * 6 * 6, 2),
    )


def trained(watch: bool) -> tuple[nn.Sequential, list[float], Any, torch.Tensor]:
    """Some steps of a training with dropout, batch norm and shuffling, and the random numbers after it."""
    net = network()
    x, y = torch.rand(16, 1, 8, 8), torch.arange(16) % 2
    optimizer, losses = torch.optim.Adam(net.parameters(), 0.01), []
    torch.manual_seed(5)
    view = cw.TrainingView(net, "0", images=x[:2]) if watch else None
    for epoch in range(1, 6):
        order = torch.randperm(16)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[order]), y[order])
        if view is not None:
            assert view.step(epoch=epoch, loss=loss), "between forward and backward is as good a place as any"
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return net, losses, view, torch.rand(3)


def test_a_watched_training_is_the_same_to_the_bit() -> None:
    alone, losses, _, random = trained(watch=False)
    watched, others, view, random_too = trained(watch=True)
    assert losses == others
    assert torch.equal(random, random_too)
    for (name, value), (_, other) in zip(alone.state_dict().items(), watched.state_dict().items(), strict=True):
        assert torch.equal(value, other), name
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(alone.parameters(), watched.parameters(), strict=True))
    assert all(module.training for module in watched.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in watched.modules())
    assert "forward" not in vars(watched[0])
    assert [row.values["loss"] for row in view.rows] == losses


def test_maps_and_kernels_of_each_step_are_those_of_the_network_then() -> None:
    net = network()
    image = torch.rand(1, 1, 8, 8)
    view = cw.TrainingView(net, net[0], images=image)
    before = copy.deepcopy(net[0]).double()
    view.step(epoch=1, loss=1.0)
    with torch.no_grad():
        net[0].weight.mul_(-2)
    view.step(epoch=2, loss=0.5)
    for at, factor in ((0, 1), (1, 1), (2, -2)):
        snapshot = view.snapshots.at(at)
        assert snapshot.step == at
        weight = before.weight.detach() * factor
        torch.testing.assert_close(torch.from_numpy(snapshot.kernels.array).double(), weight)
        by_hand = nn.functional.conv2d(image.double(), weight, before.bias.detach())[0]
        np.testing.assert_allclose(snapshot.maps[0], by_hand, atol=1e-6)
    assert view.controls.labels == ["before training", "epoch 1", "epoch 2"]


def test_the_slider_shows_what_was() -> None:
    net = network()
    view = cw.TrainingView(net, "0", images=torch.rand(2, 1, 8, 8))
    for epoch in (1, 2, 3):
        with torch.no_grad():
            net[0].weight.fill_(epoch)
        view.step(epoch=epoch, loss=1 / epoch)

    def weights_on_show() -> set[float]:
        return set(view.kernel_grid._content.values.flatten().tolist())

    assert weights_on_show() == {3.0}
    view.controls.at = 1
    assert weights_on_show() == {1.0}
    assert (view.feature_maps.photograph, view.kernel_grid.photograph) == ("image 1, epoch 1", "epoch 1")
    with torch.no_grad():
        net[0].weight.fill_(4)
    view.step(epoch=4, loss=0.1)
    assert weights_on_show() == {1.0}, "it stays where the reader looks"
    view.controls.at = None
    assert weights_on_show() == {4.0}
    picture = view.feature_maps._pushed["picture"][0]["id"]
    view.controls.image = 1
    assert view.feature_maps._pushed["picture"][0]["id"] > picture, "the other image lies under its maps"


def test_pause_and_stop_are_heeded_in_the_next_step_and_resume_takes_them_back() -> None:
    view = cw.TrainingView(network(), "0", images=torch.rand(1, 1, 8, 8))
    view.stop()
    assert (view.step(loss=1.0), view.stopped) == (False, True)
    view.resume()
    assert (view.step(loss=1.0), view.stopped) == (True, False)
    view.pause()
    assert view.paused
    assert view.step(loss=1.0), "on a main thread without a kernel no click could end the wait"
    view._parts[0]._receive(None, {"op": "resume"}, [])
    assert not view.paused


def test_a_loop_on_another_thread_waits_until_it_is_resumed() -> None:
    import threading

    view = cw.TrainingView(network(), "0", images=torch.rand(1, 1, 8, 8))
    view.pause()
    returned: list[bool] = []
    thread = threading.Thread(target=lambda: returned.append(view.step(loss=1.0)))
    thread.start()
    thread.join(0.3)
    assert (thread.is_alive(), returned) == (True, [])
    view.resume()
    thread.join(5)
    assert returned == [True]


FORMS: list[tuple[str, Any, int]] = [
    ("a batch", torch.rand(3, 1, 8, 8), 3),
    ("one image", torch.rand(1, 8, 8), 1),
    ("a batch and its labels", [torch.rand(2, 1, 8, 8), torch.tensor([0, 1])], 2),
    ("of a data set", (torch.rand(1, 8, 8), 7), 1),
    ("several of a data set", [(torch.rand(1, 8, 8), 7), (torch.rand(1, 8, 8), 3)], 2),
    ("a list of tensors", [torch.rand(1, 8, 8), torch.rand(1, 1, 8, 8)], 2),
    ("an array in the network's order", np.random.default_rng(0).random((2, 1, 8, 8), np.float32), 2),
    ("the same of one", np.random.default_rng(0).random((1, 8, 8), np.float32), 1),
    ("in double precision", torch.rand(2, 1, 8, 8).double(), 2),
    ("by name", {"nine": torch.rand(1, 8, 8), "four": torch.rand(1, 8, 8)}, 2),
    ("of cw.learn", cw.learn.digits().part(slice(4)), 4),
    ("grey levels", np.full((8, 8), 9, np.uint8), 1),
    ("a picture", Image.new("L", (8, 8)), 1),
    ("too many", torch.rand(20, 1, 8, 8), 8),
]


@pytest.mark.parametrize(("form", "images", "count"), FORMS, ids=[form for form, _, _ in FORMS])
def test_images_in_any_usual_form(form: str, images: Any, count: int) -> None:
    def preprocess(picture: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(picture, np.float32))[None] / 255

    pictures, _ = watched_pictures(images, network(), preprocess if form in ("grey levels", "a picture") else None)
    assert len(pictures) == count
    assert {tuple(picture.tensor.shape) for picture in pictures.values()} == {(1, 1, 8, 8)}


def test_colour_photographs_keep_their_order_of_axes() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1))
    wide = np.zeros((5, 7, 3), np.float32)
    wide[..., 0] = 1
    pictures, _ = watched_pictures([wide, wide.transpose(2, 0, 1)], net, lambda _: torch.zeros(3, 5, 7))
    assert [picture.tensor[0, 0].max().item() for picture in pictures.values()] == [0.0, 1.0]
    assert list(pictures) == ["image 1", "image 2"]


def test_what_is_wrong_is_said_before_the_training_begins() -> None:
    net, image = network(), torch.rand(1, 1, 8, 8)
    with pytest.raises(LayerNotFound, match=r"No layer 'conv7'"):
        cw.TrainingView(net, "conv7", images=image)
    with pytest.raises(NotSpatial, match=r"Layer '5' returns \(1, 2\).*last layer that returns maps is '3'"):
        cw.TrainingView(net, "5", images=image)
    with pytest.raises(InputError, match="Pass images="):
        cw.TrainingView(net, "0")
    with pytest.raises(InputError, match="images is empty"):
        cw.TrainingView(net, "0", images=[])
    with pytest.raises(InputError, match=r"9 × 9 pixels.*float tensors"):
        cw.TrainingView(net, "0", images=torch.rand(1, 1, 9, 9))
    assert all(module.training for module in net.modules())


def test_a_number_that_is_none_adds_nothing() -> None:
    view = cw.TrainingView(network(), "0", images=torch.rand(1, 1, 8, 8))
    for wrong in ("low", [1.0, 2.0], torch.rand(3), True, 1j, object()):
        with pytest.raises(InputError, match=r"^loss is a"):
            view.step(loss=wrong, accuracy=0.5)
    with pytest.raises(InputError, match="epoch is nan"):
        view.step(epoch=float("nan"))
    assert view.rows == []
    for right in (1, np.float32(1), torch.tensor([1.0], requires_grad=True), torch.tensor(1.0).half(), np.ones((1, 1))):
        view.step(loss=right)
    assert [row.values for row in view.rows] == [{"loss": 1.0}] * 5


def test_a_look_that_fails_is_said_and_the_training_goes_on() -> None:
    net = network()
    view = cw.TrainingView(net, "0", images=torch.rand(1, 1, 8, 8))
    layer = net[5]
    net[5] = nn.Linear(3, 2)
    del net[0].weight
    assert view.step(loss=1.0)
    assert view.controls.error
    assert len(view.rows) == 1
    net[5] = layer


def test_a_layer_without_kernels_and_half_precision_and_a_photograph_of_many_channels() -> None:
    view = cw.TrainingView(network(), "2", images=torch.rand(1, 1, 8, 8))
    assert view.snapshots.at(None).kernels is None
    assert view.kernel_grid not in view.children
    net = nn.Sequential(nn.Conv2d(12, 3, 3, groups=3), nn.ReLU()).bfloat16()
    view = cw.TrainingView(net, "0", images=torch.rand(2, 12, 8, 8))
    assert view.snapshots.at(None).maps[1].shape == (3, 6, 6)
    assert view.kernel_grid in view.children
    view.close()
