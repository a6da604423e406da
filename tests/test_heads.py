"""A head of one pooled linear layer on networks of many families, and what it leaves alone."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional as F  # noqa: N812

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError, InputError, LayerNotFound, NotSpatial
from cnnwidgets.heads import with_cam_head
from cnnwidgets.heads.up_to_layer import UpToLayer

IMAGES = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(3))


def alive(make: Callable[[], nn.Module]) -> nn.Module:
    """A network with random weights whose maps differ from image to image: its statistics come from data."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make()
        model.train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the statistics are those of the data alone
        with torch.no_grad():
            model(torch.randn(4, 3, 96, 96))
    return model.eval()


def hooked(model: nn.Module, layer: str, images: torch.Tensor) -> torch.Tensor:
    """What ``layer`` returns last, by torch's own hook."""
    outputs = []
    handle = model.get_submodule(layer).register_forward_hook(lambda *call: outputs.append(call[2].clone()))
    with torch.no_grad():
        model(images)
    handle.remove()
    return outputs[-1]


# Name, network, layer (None: by default), the layer of the original whose output must be pooled.
FAMILIES: list[tuple[str, Callable[[], nn.Module], str | None, str]] = [
    ("resnet", lambda: torchvision.models.resnet18(), None, "layer4"),
    ("resnet-early", lambda: torchvision.models.resnet18(), "layer3", "layer3"),
    ("resnet-inside", lambda: torchvision.models.resnet18(), "layer3.0", "layer3.0"),
    ("vgg", lambda: torchvision.models.vgg11(num_classes=5), "features.15", "features.15"),
    ("mobilenet", lambda: torchvision.models.mobilenet_v3_small(), None, "features"),
    ("squeezenet", lambda: torchvision.models.squeezenet1_1(num_classes=4), "features", "features"),
    ("timm-lite0", lambda: timm.create_model("tf_efficientnet_lite0"), None, "bn2"),
    ("timm-lite0-early", lambda: timm.create_model("tf_efficientnet_lite0"), "blocks.4", "blocks.4"),
    ("timm-convnext", lambda: timm.create_model("convnextv2_atto"), "stages", "stages"),
]


@pytest.mark.parametrize(("make", "layer", "last"), [row[1:] for row in FAMILIES], ids=[row[0] for row in FAMILIES])
def test_the_scores_are_those_of_the_pooled_maps_of_the_original(
    make: Callable[[], nn.Module], layer: str | None, last: str
) -> None:
    model = alive(make)
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    new = with_cam_head(model, 3, layer=layer)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    maps = hooked(model, last, IMAGES)
    with torch.no_grad():
        expected = maps.mean((2, 3)) @ new.fc.weight.T + new.fc.bias
        scores = new(IMAGES)
    assert torch.allclose(scores, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    assert not torch.allclose(scores[0], scores[1], rtol=1e-3, atol=0)  # else anything would do
    result = cw.explainers.cam(new, IMAGES, 1)
    by_hand = torch.einsum("k,nkhw->nhw", new.fc.weight[1].detach(), maps)
    assert torch.allclose(result.values, by_hand, rtol=1e-3, atol=1e-4 * float(by_hand.abs().max()))
    assert {p.data_ptr() for p in new.parameters()}.isdisjoint(p.data_ptr() for p in model.parameters())


def test_what_a_function_cuts_off_before_the_pooling_is_cut_off_here_too() -> None:
    model = alive(lambda: torchvision.models.DenseNet(8, (2, 2, 2, 2), 16))
    new = with_cam_head(model, 2)
    maps = hooked(model, "features", IMAGES).relu()
    assert torch.allclose(new.features(IMAGES), maps, atol=1e-5)
    assert cw.explainers.cam(new, IMAGES).notes == ()


def test_maps_with_their_channels_last_are_turned() -> None:
    model = alive(lambda: torchvision.models.SwinTransformer([4, 4], 24, [1, 1, 1], [2, 2, 2], [4, 4]))
    new = with_cam_head(model, 2, layer="features.3")
    maps = hooked(model, "features.3", IMAGES)
    assert maps.shape == (2, 12, 12, 48)
    with torch.no_grad():
        assert torch.allclose(new.features(IMAGES), maps.permute(0, 3, 1, 2), rtol=1e-4, atol=1e-5)
    assert cw.explainers.cam(new, IMAGES).values.shape == (2, 12, 12)


@pytest.mark.parametrize("layer", [None, "blocks.3"])
def test_a_transformer_of_tokens_is_refused(layer: str | None) -> None:
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=4)
    with pytest.raises(NotSpatial, match=r"tokens, not maps.*convolutional network.*grad_cam"):
        with_cam_head(model, 2, layer=layer, example=torch.randn(1, 3, 64, 64))


class Winding(nn.Module):
    """Not its children in a row: a block called twice, a function between, an argument, a part that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.Linear(8, 4)
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.block = nn.Conv2d(8, 8, 3, padding=1)
        self.unused = nn.Conv2d(8, 8, 3)
        self.last = nn.Conv2d(8, 8, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(x))
        x = x + self.block(F.relu(self.block(x)))
        return self.late(F.relu_(self.last(x)).mean((2, 3)))


def test_a_network_that_is_no_row_of_its_parts() -> None:
    torch.manual_seed(1)
    model, images = Winding(), torch.randn(2, 1, 20, 20)
    new = with_cam_head(model, 3, layer="last")
    assert isinstance(new.features[0], UpToLayer)
    assert torch.equal(new.features(images), hooked(model, "last", images))  # before the ReLU in place
    assert {name for name, _ in new.named_parameters()} == {
        *(
            f"features.network.network.{name}.{kind}"
            for name in ("stem", "block", "last")
            for kind in ("weight", "bias")
        ),
        *("fc.weight", "fc.bias"),
    }
    second = with_cam_head(model, 3, layer="block")  # its last call
    assert torch.allclose(second.features(images), hooked(model, "block", images))


def test_what_runs_until_a_layer_is_a_network_like_others() -> None:
    torch.manual_seed(1)
    images = torch.randn(2, 1, 20, 20)
    new = with_cam_head(Winding(), 3, layer="last").eval()
    architecture = cw.trace(new, images)
    assert architecture.total_params == sum(p.numel() for p in new.parameters())
    assert ("features.network.network.stem" in {info.name for info in architecture.layers}) is True
    maps = cw.explainers.cam(new, images, 2)
    assert torch.allclose(maps.values.mean((1, 2)) + new.fc.bias[2], new(images)[:, 2], atol=1e-6)
    assert cw.explainers.saliency(new, images).values.abs().max() > 0
    file = io.BytesIO()
    torch.save(new, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(images), new(images))
    new(images).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in new.parameters())


def test_modes_flags_and_precision_are_those_of_the_original() -> None:
    model = torchvision.models.resnet18(num_classes=4).train()
    model.layer1.eval()
    model.conv1.weight.requires_grad_(False)
    flags = {name: module.training for name, module in model.named_modules()}
    new = with_cam_head(model, 2)
    assert {name: module.training for name, module in model.named_modules()} == flags
    assert all(
        module.training is flags.get(name.removeprefix("features."), True) for name, module in new.named_modules()
    )
    assert not new.features.conv1.weight.requires_grad
    assert new.fc.weight.requires_grad
    assert all(p.grad is None for p in model.parameters())
    small = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 2))
    double = with_cam_head(small.double(), 2, example=torch.rand(1, 1, 8, 8))
    assert double.fc.weight.dtype == torch.float64
    half = with_cam_head(torchvision.models.resnet18().bfloat16(), 2)
    assert half(IMAGES.bfloat16()).dtype == torch.bfloat16
    wrapped = with_cam_head(nn.DataParallel(torchvision.models.resnet18()), 2)
    assert isinstance(wrapped.features, nn.Sequential)


def test_timm_s_preprocessing_is_still_there() -> None:
    model = timm.create_model("tf_efficientnet_lite0")
    new = with_cam_head(model, 2)
    load = cw.pictures.preprocess.preprocess_for
    assert load(new) == load(model)


def test_bad_input_is_told() -> None:
    model = torchvision.models.resnet18()
    with pytest.raises(InputError, match="classes is 0"):
        with_cam_head(model, 0)
    with pytest.raises(LayerNotFound, match="layer4"):
        with_cam_head(model, 2, layer="layer5")
    with pytest.raises(NotSpatial):
        with_cam_head(model, 2, layer="fc")
    with pytest.raises(LayerNotFound):
        with_cam_head(model, 2, layer=nn.Conv2d(1, 1, 1))
    with pytest.raises(CnnWidgetsError, match=r"Expected a torch\.nn\.Module"):
        with_cam_head("resnet18", 2)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"expected a batch"):
        with_cam_head(model, 2, example=torch.zeros(3, 64, 64))
    odd = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 15 * 15, 2))
    with pytest.raises(InputError, match=r"none of the images that were tried.*Pass example="):
        with_cam_head(odd, 2)
    assert with_cam_head(odd, 2, example=torch.randn(1, 3, 17, 17))(IMAGES).shape == (2, 2)


def test_a_layer_given_as_a_module() -> None:
    model: Any = torchvision.models.resnet18()
    assert with_cam_head(model, 2, layer=model.layer2).fc.in_features == 128


def test_fine_tuning_regains_what_was_cut_away() -> None:
    """A new head knows nothing; a little training on real digits teaches it, and leaves the original alone."""
    learning, testing = cw.learn.digits().split(0.25)
    x, y = torch.tensor(learning.images), torch.tensor(learning.labels)
    torch.manual_seed(0)
    model = cw.learn.digits_model(size=8, seed=0)
    before = copy.deepcopy(model.state_dict())
    new = with_cam_head(model, 10, layer="relu2", example=x[:1]).train()

    def accuracy() -> float:
        with torch.no_grad():
            return (new(torch.tensor(testing.images)).argmax(1).numpy() == testing.labels).mean()

    assert accuracy() < 0.3
    optimizer = torch.optim.Adam(new.parameters(), 3e-3)
    for _ in range(12):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(new(x[rows]), y[rows]).backward()
            optimizer.step()
    assert accuracy() > 0.85
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    result = cw.explainers.cam(new, x[:3])
    assert result.values.shape == (3, 4, 4)
