"""The CAM family on torchvision's and timm's transformers: beside plain code in float64, and pytorch-grad-cam."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import NotSpatial
from cnnwidgets.explainers import every_layer
from cnnwidgets.explainers.engine.all_layers import observe

models = importlib.import_module("torchvision.models")
timm = importlib.import_module("timm")
peers = importlib.import_module("pytorch_grad_cam")
ClassifierOutputTarget = importlib.import_module("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget

Turn = Callable[[torch.Tensor], torch.Tensor]


def tokens(before: int, rows: int = 4, columns: int = 4) -> Turn:
    return lambda x: x[:, before:].reshape(len(x), rows, columns, x.shape[2]).permute(0, 3, 1, 2)


def last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 3, 1, 2)


def same(x: torch.Tensor) -> torch.Tensor:
    return x


@dataclass
class Case:
    """A network, layers with how to turn what they return into maps, and the layer by default."""

    make: Callable[[], nn.Module]
    layers: dict[str, Turn]
    default: str
    without: dict[str, str]
    """Layers without maps, and a word of the reason."""


def timm_vit(name: str = "vit_tiny_patch16_224", **options: Any) -> Callable[[], nn.Module]:
    small = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 5}
    return lambda: timm.create_model(name, **(small | options))


CASES = {
    "torchvision ViT": Case(
        lambda: models.VisionTransformer(
            image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=5
        ),
        {
            "conv_proj": same,
            "encoder.layers.encoder_layer_0": tokens(1),
            "encoder.layers.encoder_layer_0.mlp.1": tokens(1),
            "encoder.layers.encoder_layer_1.ln_1": tokens(1),
        },
        "encoder.layers.encoder_layer_1.ln_1",
        {"heads.head": "without height and width"},
    ),
    "timm ViT": Case(
        timm_vit(),
        {"patch_embed": tokens(0), "blocks.0": tokens(1), "blocks.1.norm1": tokens(1), "blocks.0.mlp.act": tokens(1)},
        "blocks.1.norm1",
        {"fc_norm": "without height and width", "blocks.0.attn.q_norm": "split over the heads"},
    ),
    "timm ViT, mean of all tokens": Case(
        timm_vit(global_pool="avg", class_token=False),
        {"blocks.0": tokens(0), "blocks.1.mlp": tokens(0), "norm": tokens(0)},
        "norm",
        {"head": "without height and width"},
    ),
    "timm ViT, distilled": Case(
        timm_vit("deit_tiny_distilled_patch16_224"), {"blocks.0": tokens(2)}, "blocks.1.norm1", {}
    ),
    "timm DINOv2, registers": Case(
        timm_vit("vit_small_patch14_reg4_dinov2"), {"blocks.0": tokens(5)}, "blocks.1.norm1", {}
    ),
    "torchvision Swin": Case(
        lambda: models.SwinTransformer(
            patch_size=[4, 4], embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=[4, 4], num_classes=5
        ),
        {"features.0": last, "features.1.1": last, "features.2": last, "norm": last, "permute": same},
        "permute",
        {"head": "without height and width", "avgpool": ""},
    ),
    "timm Swin": Case(
        lambda: timm.create_model(
            "swin_tiny_patch4_window7_224", img_size=32, window_size=4, embed_dim=8, depths=(2, 2), num_heads=(2, 2),
            num_classes=5,
        ),
        {"patch_embed": last, "layers.0.blocks.1": last, "layers.0.blocks.0.mlp": tokens(0, 8, 8), "norm": last},
        "norm",
        {"layers.0.blocks.1.attn": "another first axis", "layers.1.downsample.norm": "on the last axis"},
    ),
    "torchvision ConvNeXt": Case(
        lambda: models.ConvNeXt(
            [models.convnext.CNBlockConfig(8, 12, 1), models.convnext.CNBlockConfig(12, None, 1)], num_classes=5
        ),
        {"features.1.0.block.2": last, "features.1.0.block.4": last, "features.3.0.block.0": same, "features": same},
        "features",
        {"classifier": "without height and width"},
    ),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Case]:
    torch.manual_seed(7)
    found = CASES[request.param]
    net = found.make()
    # As libraries begin, heads and positions are zero or next to it, and nothing reacts.
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5) if parameter.ndim == 1 else nn.init.normal_(parameter, std=0.4)
    return net.double().eval(), found


def images() -> torch.Tensor:
    return torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(8))


TARGET = [1, 4]


def by_hand(net: nn.Module, layer: str, turn: Turn) -> tuple[np.ndarray, np.ndarray]:
    """Maps of a layer and gradients for them, (N, C, h, w), by a hook."""
    kept: list[torch.Tensor] = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _, __, output: kept.append(output))
    score = net(images())[range(2), TARGET].sum()
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept)
    return turn(kept[0]).detach().numpy(), turn(gradient).numpy()


def slow(method: str, maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """(N, h, w), a channel at a time."""
    found = np.zeros((len(maps), *maps.shape[2:]))
    for n in range(len(maps)):
        for a, g in zip(maps[n], gradient[n], strict=True):
            up = g.clip(0)
            if method == "xgrad_cam":
                weight = (g * a).sum() / a.sum()
            elif method == "grad_cam_pp":
                weight = (up / (2 + up * a.sum())).sum()
            else:
                weight = {"grad_cam": g.mean(), "hires_cam": g, "layer_cam": up}[method]
            found[n] += weight * a
    return found


def cancels(method: str, maps: np.ndarray, gradient: np.ndarray) -> bool:
    """Whether the map is the small rest of large terms: before a LayerNorm, HiResCAM's add up to nothing."""
    return bool(np.abs(slow(method, maps, gradient)).max() < 0.02 * np.abs(maps * gradient).sum(1).max())


def agree(ours: torch.Tensor, theirs: Any, tolerance: float) -> None:
    theirs = np.asarray(theirs, dtype=np.float64)
    largest = float(np.abs(theirs).max())
    assert largest > 0
    # Results are float32, so the last bit of that is left out of the comparison in float64.
    assert float(np.abs(ours.double().numpy() - theirs).max()) <= max(tolerance, 6e-8) * largest


def test_each_layer_is_as_plain_code_has_it(case: tuple[nn.Module, Case]) -> None:
    net, known = case
    together = every_layer("grad_cam", net, images(), TARGET)
    for layer, turn in known.layers.items():
        maps, gradient = by_hand(net, layer, turn)
        for method in ("grad_cam", "hires_cam", "layer_cam", "xgrad_cam", "grad_cam_pp"):
            found = explainers.get(method)(net, images(), TARGET, layer=layer)
            agree(found.values, slow(method, maps, gradient), 1e-8)
        agree(together[layer].values, slow("grad_cam", maps, gradient), 1e-8)


def test_the_layer_by_default_speaks(case: tuple[nn.Module, Case]) -> None:
    net, known = case
    found = explainers.grad_cam(net, images(), TARGET)
    assert found.layer == known.default == observe(net, images(), TARGET).default
    assert float(found.values.abs().max()) > 0
    agree(explainers.eigen_cam(net, images(), TARGET, layer=known.default).values,
          explainers.eigen_cam(net, images(), TARGET).values, 1e-8)  # fmt: skip


def test_layers_without_maps_say_why(case: tuple[nn.Module, Case]) -> None:
    net, known = case
    for layer, word in known.without.items():
        if word:
            with pytest.raises(NotSpatial, match=word):
                explainers.grad_cam(net, images(), TARGET, layer=layer)
        assert layer not in observe(net, images(), TARGET).maps


def test_pytorch_grad_cam_agrees(case: tuple[nn.Module, Case]) -> None:
    net, known = case
    net, x = net.float(), images().float()
    targets = [ClassifierOutputTarget(index) for index in TARGET]
    compared = {"grad_cam": peers.GradCAM, "hires_cam": peers.HiResCAM, "layer_cam": peers.LayerCAM}
    agreed = set()
    for layer, turn in known.layers.items():
        module = net.get_submodule(layer)
        for method, peer in compared.items():
            with peer(net, [module], reshape_transform=turn) as cam:
                cam(x, targets)
                seen = cam.activations_and_grads
                maps, gradient = seen.activations[0].numpy(), seen.gradients[0].numpy()
                # Its map before it is cut at 0, resized and scaled.
                theirs = cam.get_cam_image(x, module, targets, maps, gradient, False)
            if not cancels(method, maps.astype(float), gradient.astype(float)):
                agree(explainers.get(method)(net, x, TARGET, layer=layer).values, theirs, 1e-4)
                agreed.add(method)
    assert {"grad_cam", "layer_cam"} <= agreed


def test_score_and_ablation_cam_see_what_a_hook_would_change(case: tuple[nn.Module, Case]) -> None:
    net, known = case
    layer, turn = list(known.layers.items())[-1]
    x = images()[:1]
    maps = torch.tensor(by_hand(net, layer, turn)[0][:1])
    score = float(net(x)[0, 1])
    falls = []
    for channel in range(maps.shape[1]):

        def without(_: nn.Module, __: Any, output: torch.Tensor, channel: int = channel) -> torch.Tensor:
            output = output.clone()
            turn(output)[:, channel] = 0  # a view of it, or of a part of it
            return output

        handle = net.get_submodule(layer).register_forward_hook(without)
        falls.append((score - float(net(x)[0, 1])) / abs(score))
        handle.remove()
    expected = torch.einsum("k,nkhw->nhw", torch.tensor(falls, dtype=torch.float64), maps)
    agree(explainers.ablation_cam(net, x, 1, layer=layer).values, expected, 1e-8)
    large = nn.functional.interpolate(maps, x.shape[2:], mode="bilinear")
    low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
    with torch.no_grad():
        weights = net(x * ((large - low) / (high - low)).transpose(0, 1)).softmax(1)[:, 1].softmax(0)
    expected = torch.einsum("k,nkhw->nhw", weights, maps)
    agree(explainers.score_cam(net, x, 1, layer=layer).values, expected, 1e-8)
