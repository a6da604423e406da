from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound, NotSpatial, TargetError
from cnnwidgets.explainers import grad_cam

X = torch.tensor([[[[1.0, -2.0, 3.0]]]])


def conv(*weights: float) -> nn.Conv2d:
    layer = nn.Conv2d(1, len(weights), 1, bias=False)
    layer.weight.data = torch.tensor(weights, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return layer


def head(*weights: float) -> nn.Sequential:
    layer = nn.Linear(len(weights), 1, bias=False)
    layer.weight.data = torch.tensor([weights], dtype=torch.float32)
    return nn.Sequential(nn.Flatten(), layer)


def close(values: torch.Tensor, expected: list[float]) -> None:
    torch.testing.assert_close(values, torch.tensor([[expected]], dtype=torch.float32))


class Net(nn.Module):
    """Two maps [2, -4, 6] and [-1, 2, -3]; their ReLU times 1..6 is the score, 30."""

    def __init__(self, relu) -> None:
        super().__init__()
        self.conv, self.head = conv(2, -1), head(1, 2, 3, 4, 5, 6)
        if isinstance(relu, nn.Module):
            self.relu = relu
        self.activate = [relu]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        rectified = self.activate[0](y)
        return self.head(y if rectified is None else rectified)


def assigned(x: torch.Tensor) -> None:
    x[:] = functional.relu(x)


def ignored(x: torch.Tensor) -> None:
    x.relu_()


WAYS = {
    "separate": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "functional": functional.relu,
    "functional in place": lambda x: functional.relu(x, inplace=True),
    "method": torch.Tensor.relu,
    "clamp": lambda x: x.clamp(min=0),
    "in place, result ignored": ignored,
    "identity, then in place": nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)),
    "two identities, then in place": nn.Sequential(nn.Identity(), nn.Identity(), nn.ReLU(inplace=True)),
    "dropout, then in place": nn.Sequential(nn.Dropout(), nn.ReLU(inplace=True)),
    "assigned": assigned,
}


@pytest.mark.parametrize("way", WAYS)
def test_the_maps_are_those_before_the_relu_however_it_is_computed(way: str) -> None:
    result = grad_cam(Net(WAYS[way]).eval(), X, 0, layer="conv")
    assert result.scores.tolist() == [30.0]
    # dS/dA is [1, 0, 3] and [0, 5, 0]; so 4/3 * [2, -4, 6] + 5/3 * [-1, 2, -3].
    close(result.values, [1.0, -2.0, 3.0])
    assert (result.layer, result.target, result.notes) == ("conv", (0,), ())


@pytest.mark.parametrize("way", ["separate", "in place"])
def test_a_relu_itself(way: str) -> None:
    # 2 * [2, 0, 6] + 5 * [0, 2, 0]
    close(grad_cam(Net(WAYS[way]), X, layer="relu").values, [4.0, 10.0, 12.0])


@pytest.mark.parametrize("way", [way for way in WAYS if way.endswith(", then in place")])
def test_a_layer_that_hands_its_input_on_to_an_in_place_relu(way: str) -> None:
    for name in list(dict(WAYS[way].named_children()))[:-1]:
        close(grad_cam(Net(WAYS[way]).eval(), X, layer=f"relu.{name}").values, [1.0, -2.0, 3.0])
    close(grad_cam(Net(WAYS[way]).eval(), X, layer="relu").values, [4.0, 10.0, 12.0])


@pytest.mark.parametrize("inplace", [False, True])
def test_a_shared_relu(inplace: bool) -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.relu, self.head = conv(2, -1), nn.ReLU(inplace), head(1, 2, 3, 4, 5, 6)

        def forward(self, x):
            return self.relu(self.head(self.relu(self.conv(x))))

    close(grad_cam(Shared(), X, layer="conv").values, [1.0, -2.0, 3.0])
    first = grad_cam(Shared(), X, layer="relu", call=0)
    close(first.values, [4.0, 10.0, 12.0])
    assert first.notes == ("layer 'relu' is called 2 times; showing call 1",)
    with pytest.raises(NotSpatial, match=r"'relu' returns \(1, 1\).*'relu'"):
        grad_cam(Shared(), X, layer="relu")


class Twice(nn.Module):
    """x -> [2, -4, 6] -> ReLU -> [4, 0, 12], by the same convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = conv(2), head(1, 2, 3)

    def forward(self, x):
        return self.head(self.conv(functional.relu(self.conv(x))))


@pytest.mark.parametrize(
    ("call", "expected", "shown"),
    [
        (0, [16 / 3, -32 / 3, 16.0], 1),  # mean of [2, 0, 6], times [2, -4, 6]
        (1, [8.0, 0.0, 24.0], 2),  # mean of [1, 2, 3], times [4, 0, 12]
        (-1, [8.0, 0.0, 24.0], 2),
        (-2, [16 / 3, -32 / 3, 16.0], 1),
    ],
)
def test_which_call_of_a_layer_used_twice(call: int, expected: list[float], shown: int) -> None:
    result = grad_cam(Twice(), X, layer="conv", call=call)
    close(result.values, expected)
    assert result.notes == (f"layer 'conv' is called 2 times; showing call {shown}",)


def test_a_call_that_was_not_made() -> None:
    with pytest.raises(CnnWidgetsError, match=r"called 2 times; call=2 is out of range"):
        grad_cam(Twice(), X, layer="conv", call=2)


@pytest.mark.parametrize("hand_on", [nn.Identity(), nn.Dropout(), nn.Sequential(), nn.Sequential(nn.Identity())])
def test_a_branch_that_hands_on_its_input_gets_its_own_gradient_only(hand_on: nn.Module) -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.shortcut, self.head = conv(2), hand_on, head(1, 2, 3)

        def forward(self, x):
            y = self.conv(x)
            return self.head(functional.relu(self.shortcut(y)) + 5 * y)

    net = Residual().eval()
    # Through the shortcut dS/dA is [1, 0, 3]; the skip adds 5 * [1, 2, 3].
    close(grad_cam(net, X, layer="shortcut").values, [4 / 3 * a for a in (2, -4, 6)])
    close(grad_cam(net, X, layer="conv").values, [34 / 3 * a for a in (2, -4, 6)])


def test_a_container_that_returns_an_early_childs_output() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = conv(2), conv(10)

        def forward(self, x):
            first = self.first(x)
            return first, self.second(first)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block, self.head = Block(), head(1, 2, 3)

        def forward(self, x):
            a, b = self.block(x)
            return self.head(a + b)

    close(grad_cam(Both(), X, layer="block").values, [2 * a for a in (2, -4, 6)])
    close(grad_cam(Both(), X, layer="block.first").values, [22 * a for a in (2, -4, 6)])


def test_an_in_place_change_of_what_identity_handed_on_changes_the_original_as_it_must() -> None:
    class Aliased(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.identity, self.head = conv(2), nn.Identity(), head(1, 2, 3)

        def forward(self, x):
            y = self.conv(x)
            self.identity(y).relu_()
            return self.head(y)

    result = grad_cam(Aliased(), X, layer="identity")
    assert result.scores.tolist() == [20.0]
    close(result.values, [4 / 3 * a for a in (2, -4, 6)])


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_layer_that_returns_a_slice_which_is_then_written_to(memory: torch.memory_format) -> None:
    class Part(nn.Module):
        def forward(self, x):
            return x.contiguous(memory_format=memory)[:, 1:, :, :2].relu()[:, :, :, 1:]

    class Writes(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.conv, self.part, self.head, self.in_place = nn.Conv2d(1, 3, 1), Part(), nn.Linear(2, 1), in_place

        def forward(self, x):
            y = self.part(self.conv(x))
            if self.in_place:
                y *= y.detach() + 1
            else:
                y = y * (y.detach() + 1)
            return self.head(y.flatten(1))

    torch.manual_seed(8)
    net = Writes(False)
    images = torch.rand(2, 1, 1, 3)
    expected = grad_cam(net, images, layer="part")
    net.in_place = True
    result = grad_cam(net, images, layer="part")
    torch.testing.assert_close(result.scores, expected.scores)
    torch.testing.assert_close(result.values, expected.values)
    assert expected.values.abs().sum() > 0


def test_maps_are_explained_per_image() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 16, 4))
    images = torch.randn(3, 1, 4, 4)
    together = grad_cam(net, images, [2, 0, 3], layer="1").values
    for index, target in enumerate([2, 0, 3]):
        alone = grad_cam(net, images[index : index + 1], target, layer="1").values
        torch.testing.assert_close(together[index : index + 1], alone)


def small() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )


def test_without_a_layer_the_last_spatial_one() -> None:
    net, images = small(), torch.rand(1, 3, 8, 8)
    result = grad_cam(net, images, 1)
    assert result.layer == "0"
    assert torch.equal(result.values, grad_cam(net, images, 1, layer="0.2").values)


def test_without_a_layer_and_without_space_the_last_with_channels() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 4), nn.Sequential(nn.ReLU()), nn.Flatten())
    result = grad_cam(net, torch.rand(1, 3, 4, 4), 0)
    assert (result.layer, tuple(result.values.shape)) == ("1", (1, 1, 1))


def test_a_model_that_is_one_layer() -> None:
    result = grad_cam(conv(2), X, lambda out: out.sum((1, 2, 3)))
    close(result.values, [2.0, -4.0, 6.0])


def test_the_layer_may_be_the_module_or_named_through_a_wrapper() -> None:
    net, images = small(), torch.rand(1, 3, 8, 8)
    expected = grad_cam(net, images, 1, layer="0.1").values
    assert torch.equal(grad_cam(net, images, 1, layer=net[0][1]).values, expected)
    assert torch.equal(grad_cam(nn.DataParallel(net), images, 1, layer="module.0.1").values, expected)


def test_layers_that_cannot_be_explained() -> None:
    net, images = small(), torch.rand(1, 3, 8, 8)
    with pytest.raises(LayerNotFound, match=r"No layer '0\.9'"):
        grad_cam(net, images, layer="0.9")
    with pytest.raises(NotSpatial, match=r"'3' returns \(1, 3\), without height and width.*that returns maps is '0'"):
        grad_cam(net, images, layer="3")
    with pytest.raises(NotSpatial, match="saliency"):
        grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), torch.rand(1, 3, 1, 1))
    with pytest.raises(TargetError, match="3 classes"):
        grad_cam(net, images, 3)


def test_a_layer_that_did_not_run() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare, self.head = conv(2), conv(3), head(1, 2, 3)

        def forward(self, x):
            return self.head(self.used(x))

    with pytest.raises(CnnWidgetsError, match=r"'spare' did not run.*layer='used'"):
        grad_cam(Spare(), X, layer="spare")


@pytest.mark.parametrize("how", ["no_grad", "detach", "unused"])
def test_a_layer_that_no_gradient_reaches(how: str) -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features, self.later, self.head = conv(2), conv(3), head(1, 2, 3)

        def forward(self, x):
            with torch.set_grad_enabled(how != "no_grad"):
                y = self.features(x)
            y = y.detach() if how == "detach" else y
            return self.head(self.later(x if how == "unused" else y))

    with pytest.raises(CnnWidgetsError, match="No gradient reaches layer 'features'"):
        grad_cam(Cut(), X, layer="features")
    close(grad_cam(Cut(), X, layer="later").values, [6.0, -12.0, 18.0] if how == "unused" else [12.0, -24.0, 36.0])


def test_a_map_that_is_negative_everywhere_is_told() -> None:
    net = nn.Sequential(conv(2), head(-1, -1, -1))
    assert grad_cam(net, X.abs()).notes == ("map is negative everywhere before ReLU",)
    notes = grad_cam(net, torch.cat([X.abs(), -X.abs(), X.abs()])).notes
    assert notes == ("map is negative everywhere before ReLU for image 0, 2",)


def test_a_gradient_of_zero_is_told() -> None:
    net = nn.Sequential(conv(2), head(1, 2, 3), nn.Threshold(1e6, 0.0))
    assert grad_cam(net, X).notes == ("the gradient is zero everywhere: the score does not react to this layer",)


def test_saturated_probabilities_are_told() -> None:
    linear = nn.Linear(3, 2, bias=False)
    linear.weight.data = torch.tensor([[50.0, 0.0, 50.0], [0.0, 0.0, 0.0]])
    net = nn.Sequential(conv(2), nn.Flatten(), linear)
    assert grad_cam(net, X, 0).notes == ()
    assert any("saturated: use logits" in note for note in grad_cam(net, X, 0, score="probability").notes)


def test_a_layer_that_was_entered_and_never_left() -> None:
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError

    class Tries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fails, self.head = conv(2), nn.Sequential(Fails()), head(1, 2, 3)

        def forward(self, x):
            y = self.conv(x)
            try:
                self.fails(y)
            except ValueError:
                return self.head(y)

    close(grad_cam(Tries(), X).values, [4.0, -8.0, 12.0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_weighed_in_float32(dtype: torch.dtype) -> None:
    # A sum over 4096 channels of 1 * 1 stops at 2048 in float16 and at 256 in bfloat16.
    layer = nn.Conv2d(1, 4096, 1, bias=False)
    nn.init.ones_(layer.weight)
    net = nn.Sequential(layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4096, 1, bias=False))
    nn.init.ones_(net[3].weight)
    close(grad_cam(net.to(dtype), torch.ones(1, 1, 1, 2), layer="0").values, [2048.0, 2048.0])


@pytest.mark.parametrize(("call", "layer"), [(0, None), ("a", "0"), (1.5, "0"), (None, "0")])
def test_a_call_that_means_nothing_is_refused(call: Any, layer: str | None) -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(CnnWidgetsError, match="call"):
        grad_cam(net, torch.ones(1, 1, 2, 2), 0, layer=layer, call=call)
