from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError, NotSpatial
from cnnwidgets.explainers import ablation_cam

REUSE = "the model does not allow what precedes the layer to be reused; all of it was run for each map"


def conv(*weights: float) -> nn.Conv2d:
    layer = nn.Conv2d(1, len(weights), 1, bias=False)
    layer.weight.data = torch.tensor(weights, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return layer


def head(*weights: float) -> nn.Sequential:
    layer = nn.Linear(len(weights), 1, bias=False)
    layer.weight.data = torch.tensor([weights], dtype=torch.float32)
    return nn.Sequential(nn.Flatten(), layer)


X = torch.tensor([[[[1.0, -2.0, 3.0]]]])


class Net(nn.Module):
    def __init__(self, relu: Any, *weights: float) -> None:
        super().__init__()
        self.conv, self.head = conv(2, -1), head(*weights)
        self.relu = relu

    def forward(self, x):
        return self.head(self.relu(self.conv(x)))


@pytest.mark.parametrize("relu", [nn.ReLU(), nn.ReLU(inplace=True), torch.relu, torch.relu_])
def test_by_hand(relu) -> None:
    # Behind the ReLU: 1 * 2 + 3 * 6 = 20 of the first map and 5 * 2 = 10 of the second; so 20/30 and 10/30 of them.
    result = ablation_cam(Net(relu, 1, 2, 3, 4, 5, 6), X, layer="conv")
    torch.testing.assert_close(result.values, torch.tensor([[[4 / 3 - 1 / 3, -8 / 3 + 2 / 3, 4.0 - 1.0]]]))
    assert (result.method, result.layer, result.target, result.notes) == ("ablation_cam", "conv", (0,), ())
    assert result.scores.tolist() == [30.0]


def test_a_negative_score_does_not_turn_the_map_round() -> None:
    # 20 for and 50 against; the first map speaks for the score of -30, the second against it.
    result = ablation_cam(Net(nn.ReLU(), 1, 2, 3, 4, -25, 6), X, layer="relu")
    torch.testing.assert_close(result.values, torch.tensor([[[20 / 30 * 2, -50 / 30 * 2, 20 / 30 * 6]]]))
    assert result.notes == ("the score is negative: weights are divided by its magnitude",)


def test_a_score_of_zero() -> None:
    result = ablation_cam(Net(nn.ReLU(), 1, 2, 3, 4, -10, 6), X, layer="relu")
    torch.testing.assert_close(result.values, torch.tensor([[[40.0, -40.0, 120.0]]]))
    assert result.notes == ("the score is 0, so weights are not divided by it",)


def test_nothing_changes() -> None:
    net = nn.Sequential(conv(2), head(0, 0, 0))
    assert "switching off any one map changes nothing" in ablation_cam(net, X, layer="0").notes


def test_probability() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net(nn.ReLU(), 0.1, 0, 0.1, 0, 0.2, 0)

        def forward(self, x):
            score = self.net(x)  # 0.8 + 0.4
            return torch.cat([score, 0 * score], 1)

    whole, *less = (1 / (1 + torch.tensor(-s).exp()) for s in (1.2, 0.4, 0.8))
    first, second = ((whole - part) / whole for part in less)
    result = ablation_cam(Two(), X, 0, layer="net.relu", score="probability")
    torch.testing.assert_close(result.values, torch.stack([first * 2, second * 2, first * 6])[None, None])
    torch.testing.assert_close(
        ablation_cam(Two(), X, lambda out: out.softmax(1)[:, 0], layer="net.relu").values, result.values
    )


def plain(net: nn.Module, images: torch.Tensor, target: int, module: nn.Module, call: int = 0) -> torch.Tensor:
    """Ablation-CAM, slowly: the whole model once for each map of one image, in its own words."""
    state: dict[str, Any] = {}

    def hook(_module, _inputs, output):
        if state["calls"] == call:
            output = output.clone()
            if state["off"] is None:
                state["maps"] = output.clone()
            else:
                output[:, state["off"]] = 0
        state["calls"] += 1
        return output

    def score(off: int | None) -> torch.Tensor:
        state.update(calls=0, off=off)
        return net(images.clone())[0, target]

    handle = module.register_forward_hook(hook)
    try:
        with torch.no_grad():
            whole = score(None)
            maps = state["maps"][0]
            total = torch.zeros_like(maps[0])
            for channel in range(len(maps)):
                total += (whole - score(channel)) / whole.abs() * maps[channel]
    finally:
        handle.remove()
    return total.float()


class Body(nn.Module):
    """A stem, a layer and a head, put together by ``way``."""

    def __init__(self, way) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.layer, self.after = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.wide, self.linear = nn.Conv2d(8, 4, 1), nn.Linear(4, 3)
        self.relu, self.identity, self.dropout = nn.ReLU(inplace=True), nn.Identity(), nn.Dropout()
        self.register_buffer("offset", torch.linspace(-1, 1, 4).view(4, 1, 1))
        self.register_buffer("calls", torch.zeros(()))
        self.way, self.stems = way, []
        self.eval()

    def forward(self, x):
        return self.linear(self.way(self, x).mean((2, 3)))

    def begin(self, x):
        self.stems.append(len(x))
        return functional.relu(self.norm(self.stem(x)))


def added(net, x):
    y = net.begin(x)
    return functional.relu(net.after(net.relu(net.layer(y))) + y)


def added_in_place(net, x):
    y = net.begin(x)
    y += net.layer(y)
    return net.after(net.relu(y))


def concatenated(net, x):
    y = net.begin(x)
    return net.wide(torch.cat([y, net.layer(y)], 1))


def aside(net, x):
    y = net.begin(x)
    return net.layer(y) * torch.sigmoid(net.after(y).mean((2, 3), keepdim=True))


def with_batch_size(net, x):
    batch = x.shape[0]
    y = net.begin(x)
    z = net.layer(y).view(batch, -1).relu().reshape(batch, 4, *x.shape[2:])
    return z + y.expand(batch, -1, -1, -1)


def split(net, x):
    first, second = torch.chunk(net.begin(x), 2, 1)
    return torch.cat([net.layer(torch.cat([second, first], 1))[:, :3], first[:, :1]], 1)


def in_place_before(net, x):
    y = net.stem(x)
    y.relu_()
    y.add_(net.offset)
    z = net.layer(y)
    return z.mul_(y) + net.identity(y)


def in_place_on_the_input(net, x):
    x.mul_(0.5)
    x -= 0.1
    return net.layer(net.begin(x)) + x.mean(1, keepdim=True)


def counting(net, x):
    net.calls += 1
    torch.rand(3)
    return net.layer(net.begin(x) * torch.ones(len(x), 1, 1, 1)) + torch.arange(4.0).view(4, 1, 1)


def filled(net, x):
    y = net.begin(x)
    both = torch.zeros(len(x), 8, *y.shape[2:], dtype=y.dtype)
    both[:, :4] = y
    both[:, 4:] = net.layer(y)
    return net.wide(both)


def patches(net, x):
    # Tokens of all images in one axis.
    y = net.begin(x).permute(0, 2, 3, 1).reshape(-1, 4)
    y = (y @ torch.ones(4, 4, dtype=y.dtype)).sigmoid().view(len(x), *x.shape[2:], 4).permute(0, 3, 1, 2)
    return net.after(net.layer(y)) * y


def branching(net, x):
    y = net.begin(x)
    return net.layer(y) + y if bool((y.mean() > -1).all()) else y


def several_outputs(net, x):
    values, _ = torch.max(net.begin(x), 1, keepdim=True)
    return net.layer(values.expand(-1, 4, -1, -1).contiguous()) + values


def dropped(net, x):
    return net.dropout(net.layer(net.identity(net.begin(x))))


def aliased(net, x):
    y = net.begin(x)
    part = y[:, :2]
    part.zero_()
    return net.layer(y) + y


def different_for_a_batch(net, x):
    y = net.begin(x)
    return net.layer(y) + (y if len(x) == 1 else y.relu())


def deciding(net, x):
    y = net.layer(net.begin(x))
    return y if y.mean() > 0.02 else net.after(y)


WAYS = [
    added,
    added_in_place,
    concatenated,
    aside,
    with_batch_size,
    split,
    in_place_before,
    in_place_on_the_input,
    counting,
    filled,
    branching,
    several_outputs,
    dropped,
    aliased,
    different_for_a_batch,
    deciding,
]


def alive(way) -> Body:
    torch.manual_seed(12)
    return Body(way).double()


@pytest.mark.parametrize("batch", [None, 1, 3])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_as_with_the_whole_model_whatever_goes_round_the_layer(way, batch: int | None) -> None:
    net, images = alive(way), torch.randn(2, 3, 6, 5).double()
    expected = torch.stack([plain(net, images[index : index + 1], 1, net.layer) for index in range(2)])
    result = ablation_cam(net, images, 1, layer="layer", batch=batch)
    assert float((result.values - expected).abs().max()) <= 1e-7 * float(expected.abs().max())
    assert REUSE not in result.notes


def test_images_and_places_on_one_axis() -> None:
    net, images = alive(patches), torch.randn(1, 3, 6, 5).double()
    result = ablation_cam(net, images, 1, layer="layer", batch=3)
    expected = plain(net, images, 1, net.layer)
    assert float((result.values[0] - expected).abs().max()) <= 1e-7 * float(expected.abs().max())
    assert REUSE not in result.notes


def test_the_first_batch_is_checked_with_the_whole_model() -> None:
    net = alive(added)
    sizes = []
    net.after.register_forward_hook(lambda _module, inputs, _output: sizes.append(len(inputs[0])))
    ablation_cam(net, torch.randn(1, 3, 6, 5).double(), 1, layer="layer", batch=2)
    # The pass that finds the maps, a batch, its check against the whole model, and the other batch.
    assert sizes == [1, 2, 1, 1, 2]


def by_numpy(net, x):
    return net.layer(torch.from_numpy(net.begin(x).numpy()))


def known_type(net, x):
    y = net.layer(net.begin(x))
    return y if type(y) is torch.Tensor else 2 * y


@pytest.mark.parametrize("way", [by_numpy, known_type])
def test_where_it_cannot_be_shortened_the_whole_model_runs(way) -> None:
    net, images = alive(way), torch.randn(1, 3, 6, 5).double()
    expected = plain(net, images, 2, net.layer)
    result = ablation_cam(net, images, 2, layer="layer", batch=3)
    assert REUSE in result.notes
    assert float((result.values[0] - expected).abs().max()) <= 1e-7 * float(expected.abs().max())


@pytest.mark.parametrize("call", [0, 1])
def test_which_call_of_a_layer_used_twice(call: int) -> None:
    net = alive(lambda net, x: net.layer(functional.relu(net.layer(net.begin(x)))))
    images = torch.randn(1, 3, 6, 5).double()
    result = ablation_cam(net, images, 1, layer="layer", call=call)
    torch.testing.assert_close(result.values[0], plain(net, images, 1, net.layer, call), rtol=1e-6, atol=1e-7)
    assert result.notes[0] == f"layer 'layer' is called 2 times; showing call {call + 1}"


def test_a_layer_that_hands_its_input_on() -> None:
    net = alive(lambda net, x: (lambda y: net.after(net.identity(y)) + y)(net.begin(x)))
    images = torch.randn(1, 3, 6, 5).double()
    expected = plain(net, images, 1, net.identity)
    torch.testing.assert_close(ablation_cam(net, images, 1, layer="identity").values[0], expected, rtol=1e-6, atol=1e-7)


def test_a_layer_that_is_a_torch_call() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Parameter(torch.randn(4, 3, 3, 3)), nn.Parameter(torch.randn(5, 4, 3, 3))
            self.last = nn.Parameter(torch.randn(3, 5))

        def forward(self, x):
            x = functional.relu(functional.conv2d(x, self.first), inplace=True)
            return functional.linear(functional.conv2d(x, self.second).relu_().mean((2, 3)), self.last)

    class Modules(nn.Module):
        def __init__(self, net: Functional) -> None:
            super().__init__()
            self.conv2d, self.conv2d_1 = nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 5, 3, bias=False)
            self.relu, self.relu_1, self.linear = nn.ReLU(), nn.ReLU(), nn.Linear(5, 3, bias=False)
            for layer, weight in ((self.conv2d, net.first), (self.conv2d_1, net.second), (self.linear, net.last)):
                layer.weight.data = weight.data

        def forward(self, x):
            return self.linear(self.relu_1(self.conv2d_1(self.relu(self.conv2d(x)))).mean((2, 3)))

    torch.manual_seed(2)
    net, images = Functional(), torch.randn(1, 3, 8, 8)
    modules = Modules(net)
    for name in ("conv2d", "relu", "conv2d_1", "relu_1"):
        result = ablation_cam(net, images, 1, layer=name)
        torch.testing.assert_close(result.values[0], plain(modules, images, 1, getattr(modules, name)))
        assert REUSE not in result.notes


class Nested(nn.Module):
    def __init__(self, way) -> None:
        super().__init__()
        self.conv, self.way = nn.Conv2d(4, 4, 3, padding=1), way

    def forward(self, x):
        return self.way(self.conv(x))


class Pair(NamedTuple):
    tokens: torch.Tensor
    maps: torch.Tensor


@pytest.mark.parametrize(
    ("wrap", "unwrap"),
    [
        (lambda y: (y, 1), lambda out: out[0]),
        (lambda y: {"tokens": y.flatten(2).mT, "maps": [y]}, lambda out: out["maps"][0] + out["tokens"].mean()),
        (lambda y: Pair(y.flatten(2), y), lambda out: out.maps * out.tokens.mean()),
    ],
)
def test_a_layer_that_returns_its_maps_in_something(wrap, unwrap) -> None:
    net = alive(lambda net, x: net.after(unwrap(net.nested(net.begin(x))).relu()))
    net.nested = Nested(wrap).double()
    images = torch.randn(1, 3, 6, 5).double()
    maps = net.nested.conv(net.begin(images)).detach()
    held = wrap(maps)
    tokens = held.get("tokens") if isinstance(held, dict) else getattr(held, "tokens", None)
    aside = 0 if tokens is None else tokens.mean()  # is not the maps, and stays
    together = (lambda y: y * aside) if isinstance(held, Pair) else (lambda y: y + aside)

    def score(y):
        return net.linear(net.after(together(y).relu()).mean((2, 3)))[0, 1].detach()

    whole, expected = score(maps), 0
    for channel in range(4):
        fall = whole - score(maps.index_fill(1, torch.tensor([channel]), 0))
        expected = expected + fall / whole.abs() * maps[0, channel]
    result = ablation_cam(net, images, 1, layer="nested", batch=3)
    torch.testing.assert_close(result.values[0], expected.float())
    assert REUSE not in result.notes


def small() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(nn.Conv2d(3, 7, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(7, 4))


def test_progress_and_the_map_so_far() -> None:
    net, images, steps = small(), torch.randn(2, 3, 12, 10), []
    result = ablation_cam(net, images, 1, batch=3, progress=steps.append)
    assert [step.done for step in steps] == [3, 6, 7, 10, 13, 14]
    assert {step.total for step in steps} == {14}
    assert "partial: 11 maps are still to be switched off" in steps[0].partial.notes
    torch.testing.assert_close(steps[2].partial.values[0], result.values[0])
    assert not steps[2].partial.values[1].any()
    assert torch.equal(steps[-1].partial.values, result.values)
    assert not any("partial" in note for note in result.notes)


def test_it_can_be_stopped() -> None:
    calls = []

    def stop(step):
        calls.append(step.done)
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        ablation_cam(small(), torch.randn(1, 3, 12, 10), 1, batch=2, progress=stop)
    assert calls == [2]


class Tight(nn.Module):
    """Has memory for ``room`` images behind its first layer."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.net, self.room = small(), room

    def forward(self, x):
        y = self.net[0](x)
        if len(y) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return self.net[1:](y)


@pytest.mark.parametrize("room", [1, 2, 3])
def test_batches_are_halved_when_memory_runs_out(room: int) -> None:
    images = torch.randn(2, 3, 12, 10)
    expected = ablation_cam(small(), images, 1, layer="0")
    with pytest.raises(torch.OutOfMemoryError):
        ablation_cam(Tight(0), images[:1], 1)
    steps = []
    result = [
        ablation_cam(Tight(room), images[index : index + 1], 1, layer="net.0", batch=7, progress=steps.append)
        for index in range(2)
    ]
    torch.testing.assert_close(torch.cat([one.values for one in result]), expected.values)
    assert max(b.done - a.done for a, b in itertools.pairwise(steps)) <= room


def test_maps_of_zeros_are_not_run() -> None:
    sizes = []
    net = nn.Sequential(conv(2, 0, 0, -1, 0), nn.ReLU(), head(*range(15)))
    net[2].register_forward_hook(lambda _module, inputs, _output: sizes.append(len(inputs[0])))
    ablation_cam(net, X, layer="0")
    assert sizes == [1, 2, 1, 1]


def test_only_the_maps_that_vary_most() -> None:
    result = ablation_cam(Net(nn.ReLU(), 1, 2, 3, 4, 5, 6), X, layer="conv", channels=1)
    torch.testing.assert_close(result.values, torch.tensor([[[4 / 3, -8 / 3, 4.0]]]))
    assert "only the 1 of 2 maps that vary most were used; the others count as 0" in result.notes


def test_options_and_layers_that_cannot_be_used() -> None:
    images = torch.randn(1, 3, 12, 10)
    with pytest.raises(InputError, match="batch"):
        ablation_cam(small(), images, batch=0)
    with pytest.raises(CnnWidgetsError, match="channels"):
        ablation_cam(small(), images, channels=0)
    with pytest.raises(NotSpatial, match="'4'"):
        ablation_cam(small(), images, layer="4")
