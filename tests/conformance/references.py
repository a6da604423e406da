"""Plain, slow implementations to compare with: loops, float64 inside, one forward pass a map. No code of cnnwidgets."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional


def maps_and_gradient(net: nn.Module, images: torch.Tensor, target: int, module: nn.Module) -> tuple[Any, Any]:
    """What the last call of ``module`` returned for one image, and the gradient of the score, (K, h, w) each."""
    outputs = []

    def hook(_module, _inputs, output):
        outputs.append(output.clone())  # what follows in place changes the copy that the model goes on with
        return output

    def swap(_module, _inputs, output):
        leaf = output + 0
        tensors.append(leaf)
        return leaf.clone()

    tensors: list[torch.Tensor] = []
    handles = [module.register_forward_hook(hook), module.register_forward_hook(swap)]
    score = net(images.clone().requires_grad_())[0, target]
    for handle in handles:
        handle.remove()
    (gradient,) = torch.autograd.grad(score, tensors[-1])
    return outputs[-1][0].detach().double().numpy(), gradient[0].double().numpy()


def slow_hires_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    out = np.zeros(a.shape[1:])
    for k in range(len(a)):
        for i in range(a.shape[1]):
            for j in range(a.shape[2]):
                out[i, j] += g[k, i, j] * a[k, i, j]
    return out


def slow_layer_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    out = np.zeros(a.shape[1:])
    for k in range(len(a)):
        for i in range(a.shape[1]):
            for j in range(a.shape[2]):
                if g[k, i, j] > 0:
                    out[i, j] += g[k, i, j] * a[k, i, j]
    return out


def slow_xgrad_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    out = np.zeros(a.shape[1:])
    for k in range(len(a)):
        total = math.fsum(a[k].ravel())
        if total != 0:
            weight = math.fsum(x / total * y for x, y in zip(a[k].ravel(), g[k].ravel(), strict=True))
            out += weight * a[k]
    return out


def slow_grad_cam_pp(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    out = np.zeros(a.shape[1:])
    for k in range(len(a)):
        total, weight = math.fsum(a[k].ravel()), 0.0
        for slope in g[k].ravel():
            if slope > 0:
                alpha = slope**2 / (2 * slope**2 + total * slope**3)
                weight += alpha * slope
        out += weight * a[k]
    return out


def slow_grad_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    out = np.zeros(a.shape[1:])
    for k in range(len(a)):
        out += math.fsum(g[k].ravel()) / g[k].size * a[k]
    return out


def slow_eigen_cam(a: np.ndarray) -> np.ndarray:
    """The first component by power iteration, with a positive sum."""
    matrix = a.reshape(len(a), -1).T
    vector = np.ones(matrix.shape[1]) + 0.01 * np.arange(matrix.shape[1])
    for _ in range(3000):
        vector = matrix.T @ (matrix @ vector)
        vector /= np.linalg.norm(vector)
    projected = matrix @ vector
    return (projected * np.sign(projected.sum())).reshape(a.shape[1:])


SLOW = {
    "grad_cam": slow_grad_cam,
    "hires_cam": slow_hires_cam,
    "layer_cam": slow_layer_cam,
    "xgrad_cam": slow_xgrad_cam,
    "grad_cam_pp": slow_grad_cam_pp,
}


def conditioned(method: str, a: np.ndarray, g: np.ndarray) -> float:
    """By how much the formula itself magnifies rounding: 1 unless it divides by what nearly cancels."""
    total, size = a.sum((1, 2)), np.abs(a).sum((1, 2))
    if method == "xgrad_cam":
        used = size > 0
        return float((size[used] / np.abs(total[used]).clip(1e-300)).max())
    if method == "grad_cam_pp":
        slopes = g.clip(0).max((1, 2))
        return float(((2 + slopes * size) / np.abs(2 + slopes * total).clip(1e-300)).max())
    if method == "hires_cam":  # a layer norm that follows makes the sum over channels zero at each place
        return float(np.abs(a * g).sum(0).max() / np.abs((a * g).sum(0)).max().clip(1e-300)) / 100
    return 1.0


def enlarged(values: np.ndarray, height: int, width: int, lies: tuple[float, float] | None = None) -> np.ndarray:
    """Bilinear, pixel centres aligned, edges repeated.

    Args:
        lies: the centre of the first cell and the way to the next, in pixels of the image; None: all over it.
    """

    def along(old: int, new: int) -> np.ndarray:
        table = np.zeros((new, old))
        for place in range(new):
            first, pitch = lies or (new / old / 2, new / old)
            at = min(max((place + 0.5 - first) / pitch, 0.0), old - 1.0)
            low = int(at)
            high = min(low + 1, old - 1)
            table[place, low] += 1 - (at - low)
            table[place, high] += at - low
        return table

    return along(values.shape[0], height) @ values @ along(values.shape[1], width).T


def grid(tokens: np.ndarray) -> np.ndarray:
    """(1 + h * w, K), a class token first -> (K, h, w), with h = w; maps (K, h, w) stay as they are."""
    if tokens.ndim == 3:
        return tokens
    side = round((len(tokens) - 1) ** 0.5)
    return tokens[1:].T.reshape(-1, side, side)


def most_varied(a: np.ndarray, channels: int | None) -> list[int]:
    """The ``channels`` maps of (K, h, w) with the largest variance over places; None: all."""
    order = sorted(range(len(a)), key=lambda k: -float(np.var(a[k])))
    return sorted(order[:channels])


def slow_score_cam(
    net: nn.Module,
    images: torch.Tensor,
    target: int,
    module: nn.Module,
    score: str,
    channels: int | None = None,
    lies: tuple[float, float] | None = None,
) -> np.ndarray:
    with torch.no_grad():
        a = grid(maps_of(net, images, module)[0])
        scores, used = [], []
        for k in most_varied(a, channels):
            if a[k].max() == a[k].min():
                continue
            mask = enlarged(a[k], *images.shape[2:], lies)
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            logits = net(images * torch.from_numpy(mask).to(images.dtype))[0].double()
            scores.append(float(logits[target] if score == "logit" else logits.exp()[target] / logits.exp().sum()))
            used.append(k)
    top = max(scores)
    parts = [math.exp(value - top) for value in scores]
    return sum(part / math.fsum(parts) * a[k] for part, k in zip(parts, used, strict=True))


def slow_ablation_cam(
    net: nn.Module, images: torch.Tensor, target: int, module: nn.Module, channels: int | None = None
) -> np.ndarray:
    with torch.no_grad():
        a, calls = maps_of(net, images, module)
        a = grid(a)
        whole = float(net(images)[0, target])
        out = np.zeros(a.shape[1:])
        for k in most_varied(a, channels):
            counted = [0]

            def without(_module, _inputs, output, k=k, counted=counted):
                counted[0] += 1
                if counted[0] == calls:
                    output = output.clone()
                    (output[:, k] if output.ndim == 4 else output[:, 1:, k]).zero_()
                return output

            handle = module.register_forward_hook(without)
            out += (whole - float(net(images)[0, target])) / abs(whole) * a[k]
            handle.remove()
    return out


def maps_of(net: nn.Module, images: torch.Tensor, module: nn.Module) -> tuple[np.ndarray, int]:
    outputs: list[torch.Tensor] = []
    handle = module.register_forward_hook(lambda *given: outputs.append(given[2].detach().clone()))
    net(images)
    handle.remove()
    return outputs[-1][0].double().numpy(), len(outputs)


class GuidedRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, top: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.top = top
        return x.clamp(0.0, top)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * (gradient > 0) * (x > 0) * (x < ctx.top), None


class RectifiedRelu(GuidedRelu):
    @staticmethod
    def backward(_: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient * (gradient > 0), None


@contextlib.contextmanager
def patched(rule: str) -> Iterator[None]:
    """Every ``F.relu``, ``F.relu6`` and ``F.hardtanh``, which modules call too, by a function written out here.

    ``x.relu()`` and ``x.relu_()`` too, for models that use what they return.
    """
    function = {"guided": GuidedRelu, "rectified": RectifiedRelu}[rule]

    def bounded(x: torch.Tensor, low: float, high: float, inplace: bool = False) -> torch.Tensor:
        assert low == 0
        return function.apply(x, high)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "relu", lambda x, **_: function.apply(x, float("inf")))
        for name in ("relu", "relu_"):
            patch.setattr(torch.Tensor, name, lambda x: function.apply(x, float("inf")))
        patch.setattr(functional, "relu6", lambda x, **_: function.apply(x, 6.0))
        patch.setattr(functional, "hardtanh", bounded)
        yield


def reference(net: nn.Module, images: torch.Tensor, target: list[int], rule: str) -> torch.Tensor:
    x = images.clone().requires_grad_()
    with patched(rule):
        scores = net(x)[torch.arange(len(x)), torch.tensor(target)]
    return torch.autograd.grad(scores.sum(), x)[0]
