"""Multiply-adds: by hand, and against PyTorch's own counter."""

from __future__ import annotations

import warnings

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cnnwidgets.tracing.architecture import trace


def counted(net: nn.Module, x: torch.Tensor) -> int:
    """Half of the floating-point operations that torch counts."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its fused kernels are unknown to torch's counter
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            net.eval()(x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", 64),
        ("mobilenet_v3_small", 64),
        ("densenet121", 64),
        ("vit_b_16", 64),
        ("googlenet", 96),
        ("inception_v3", 128),
        ("swin_t", 64),
    ],
)
def test_agrees_with_torchs_counter(name: str, size: int) -> None:
    options = {"image_size": size} if name == "vit_b_16" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        net = getattr(torchvision.models, name)(weights=None, **options)
    x = torch.zeros(1, 3, size, size)
    architecture = trace(net, x)
    assert architecture.total_macs == counted(net, x)
    assert sum(layer.macs for layer in architecture.layers) == architecture.total_macs


def test_published_counts() -> None:
    # torchvision's table of weights: ResNet-18 1.81 and MobileNetV2 0.30 GFLOPS (multiply-adds).
    x = torch.zeros(1, 3, 224, 224)
    assert round(trace(torchvision.models.resnet18(), x).total_macs / 1e9, 2) == 1.81
    assert round(trace(torchvision.models.mobilenet_v2(), x).total_macs / 1e9, 2) == 0.30


@pytest.mark.parametrize(
    ("net", "shape", "macs"),
    [
        (nn.Conv2d(4, 6, 3, padding=1), (1, 4, 5, 7), 6 * 4 * 9 * 35),
        (nn.Conv2d(4, 8, 3, groups=4), (2, 4, 5, 5), 2 * 8 * 1 * 9 * 9),
        (nn.Conv1d(3, 5, 4, stride=2), (1, 3, 10), 5 * 3 * 4 * 4),
        (nn.Conv3d(2, 3, 2), (1, 2, 3, 3, 3), 3 * 2 * 8 * 8),
        (nn.ConvTranspose2d(4, 6, 3, stride=2), (1, 4, 5, 7), 4 * 6 * 9 * 35),
        (nn.ConvTranspose2d(4, 6, 2, groups=2), (1, 4, 5, 5), 4 * 3 * 4 * 25),
        (nn.Linear(7, 3), (2, 5, 7), 2 * 5 * 7 * 3),
        (nn.LSTM(4, 6), (5, 1, 4), 5 * 4 * 6 * (4 + 6)),
        (nn.BatchNorm2d(4), (1, 4, 5, 5), 0),
    ],
)
def test_by_hand(net: nn.Module, shape: tuple[int, ...], macs: int) -> None:
    assert trace(net, torch.zeros(shape)).total_macs == macs


@pytest.mark.parametrize("fast", [True, False])
def test_attention_by_hand(fast: bool) -> None:
    tokens, width = 10, 8

    class Self(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
            self.fast = fast

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attention(x, x, x, need_weights=not self.fast)[0]

    projections = 4 * tokens * width * width
    products = 2 * tokens * tokens * width
    assert trace(Self(), torch.zeros(1, tokens, width)).total_macs == projections + products
    block = nn.TransformerEncoderLayer(width, 2, 16, batch_first=True)
    assert trace(block, torch.zeros(1, tokens, width)).total_macs == projections + products + 2 * tokens * width * 16


def test_bare_products() -> None:
    class Products(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            first = a @ b  # 2 x (3 x 4 x 5)
            second = torch.baddbmm(first, a, b)
            third = torch.einsum("nij,njk->nik", a, b)
            attention = functional.scaled_dot_product_attention(a, a, a)  # 2 x (3 x 3 x 4) twice
            return first + second + third + attention.sum()

    x = torch.zeros(2, 3, 4), torch.zeros(2, 4, 5)
    assert trace(Products(), x).total_macs == 3 * (2 * 3 * 4 * 5) + 2 * (2 * 3 * 3 * 4)


def test_what_a_model_runs_in_inference_mode_is_counted() -> None:
    # There convolution, attention and the like reach torch's dispatcher as one call each.
    x = torch.zeros(1, 3, 64, 64)
    for name, size in (("resnet18", 64), ("vit_b_16", 64), ("swin_t", 64)):
        options = {"image_size": size} if name == "vit_b_16" else {}
        net = getattr(torchvision.models, name)(weights=None, **options).eval()
        expected = counted(net, x)
        net.forward = torch.inference_mode()(net.forward)
        architecture = trace(net, x)
        assert architecture.total_macs == sum(layer.macs for layer in architecture.layers) == expected, name
