"""How far each explainer is from an independent implementation, on one network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import captum.attr
import numpy as np
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError

from .networks import CASES, Case, built
from .references import (
    SLOW,
    conditioned,
    enlarged,
    grid,
    maps_and_gradient,
    reference,
    slow_ablation_cam,
    slow_eigen_cam,
    slow_score_cam,
)

TARGET = 3
WELL = 10
"""By how much a formula may magnify rounding where it is compared in float32."""


@dataclass(frozen=True)
class Cell:
    """One explainer on one network: the largest difference as a share of the map's maximum.

    Attributes:
        single, double: in float32 and in float64; None where it is not compared.
        refused: why not, if there is anything to say.
    """

    single: float | None = None
    double: float | None = None
    refused: str = ""


@dataclass
class Bench:
    """A network in one precision, its image, and what was computed for it already."""

    name: str
    dtype: torch.dtype
    case: Case = field(init=False)
    net: nn.Module = field(init=False)
    image: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.case = CASES[self.name]
        net, image = built(self.name)
        self.net, self.image = net.to(self.dtype), image.to(self.dtype)

    def module(self, name: str) -> nn.Module:
        """The layer ``name``."""
        return self.net.get_submodule(name)

    def maps(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """What the layer returned and the gradient for it, (K, h, w) each; of tokens, the places without the class."""
        a, g = maps_and_gradient(self.net, self.image, TARGET, self.module(name))
        return grid(a), grid(g)


Pair = tuple[torch.Tensor, Any]
"""Our values and the other implementation's, of one image."""


def _gradients(method: str) -> Callable[[Bench], Pair]:
    peers = {"saliency": captum.attr.Saliency, "input_x_gradient": captum.attr.InputXGradient}
    options = {"saliency": {"abs": False}}

    def both(on: Bench) -> Pair:
        leaf = on.image.clone().requires_grad_()
        theirs = peers[method](on.net).attribute(leaf, target=TARGET, **options.get(method, {}))
        return explainers.get(method)(on.net, on.image, TARGET).values, theirs

    return both


def _integrated(on: Bench) -> Pair:
    theirs = captum.attr.IntegratedGradients(on.net).attribute(on.image.clone(), target=TARGET, n_steps=8)
    return explainers.integrated_gradients(on.net, on.image, TARGET, steps=8).values, theirs


def _smooth(on: Bench) -> Pair:
    seen: list[torch.Tensor] = []
    handle = on.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    ours = explainers.smooth_grad(on.net, on.image, TARGET, samples=4, batch=4).values
    handle.remove()
    x = seen[1].requires_grad_()
    (gradient,) = torch.autograd.grad(on.net(x)[:, TARGET].sum(), x)
    return ours, gradient.mean(0, keepdim=True)


def _ruled(method: str, rule: str) -> Callable[[Bench], Pair]:
    def both(on: Bench) -> Pair:
        return explainers.get(method)(on.net, on.image, TARGET).values, reference(on.net, on.image, [TARGET], rule)

    return both


def _occlusion(on: Bench) -> Pair:
    side = on.case.size // 4
    whole = on.image[..., : side * 4, : side * 4]
    with torch.no_grad():
        theirs = captum.attr.Occlusion(on.net).attribute(
            whole, (3, side, side), (3, side, side), 0, TARGET, perturbations_per_eval=4
        )
    ours = explainers.occlusion(on.net, whole, TARGET, patch=side, stride=side, score="logit")
    return ours.values, theirs[:, 0]


def _layer(method: str) -> Callable[[Bench], Pair]:
    def both(on: Bench) -> Pair:
        for name in filter(None, (on.case.layer, on.case.positive)):
            a, g = on.maps(name)
            if conditioned(method, a, g) <= (WELL if on.dtype == torch.float32 else 1000 * WELL):
                return explainers.get(method)(on.net, on.image, TARGET, layer=name).values[0], SLOW[method](a, g)
        raise _Left("not compared in float32: what the formula adds up nearly cancels, which magnifies rounding")

    return both


def _eigen(on: Bench) -> Pair:
    a, _ = on.maps(on.case.layer)
    return explainers.eigen_cam(on.net, on.image, TARGET, layer=on.case.layer).values[0], slow_eigen_cam(a)


def _one_by_one(method: str) -> Callable[[Bench], Pair]:
    def both(on: Bench) -> Pair:
        name, module = on.case.narrow, on.module(on.case.narrow)
        given = {"layer": name, "score": "logit", "channels": on.case.channels}
        ours = explainers.get(method)(on.net, on.image, TARGET, **given).values[0]
        if method == "ablation_cam":
            return ours, slow_ablation_cam(on.net, on.image, TARGET, module, on.case.channels)
        return ours, slow_score_cam(on.net, on.image, TARGET, module, "logit", on.case.channels, on.case.lies)

    return both


def _cam(on: Bench) -> Pair:
    """The weights of the last linear layer, found by type, times the maps that were averaged for it."""
    result = explainers.cam(on.net, on.image, TARGET)
    linear = [module for module in on.net.modules() if isinstance(module, nn.Linear)][-1]
    pooled: list[torch.Tensor] = []
    handle = linear.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    maps: list[torch.Tensor] = []
    outer = on.module(str(result.layer)).register_forward_hook(lambda *passed: maps.append(passed[2].clone()))
    with torch.no_grad():
        on.net(on.image)
    handle.remove()
    outer.remove()
    shown = maps[-1]
    if not torch.allclose(shown.mean((2, 3)), pooled[0]):
        shown = shown.relu()  # DenseNet has a functional one before it pools
    assert torch.allclose(shown.mean((2, 3)), pooled[0])
    weights = linear.weight.detach()[TARGET].double().numpy()
    return result.values[0], sum(w * a for w, a in zip(weights, shown[0].double().numpy(), strict=True))


def _guided_cam(on: Bench) -> Pair:
    a, g = on.maps(on.case.layer)
    cam = SLOW["grad_cam"](a, g).clip(min=0)
    large = torch.from_numpy(enlarged(cam, *on.image.shape[2:], on.case.layer_lies)).to(on.dtype)
    ours = explainers.guided_grad_cam(on.net, on.image, TARGET, layer=on.case.layer).values
    return ours, reference(on.net, on.image, [TARGET], "guided") * large


class _Left(Exception):
    """Not compared, and why."""


CAPTUM, PATCHED, LOOPS, SLOWLY = (
    "Captum",
    "plain code with its own ReLU",
    "plain loops over the maps",
    "one whole forward pass a map",
)
COMPARED: dict[str, tuple[str, Callable[[Bench], Pair]]] = {
    "saliency": (CAPTUM, _gradients("saliency")),
    "input_x_gradient": (CAPTUM, _gradients("input_x_gradient")),
    "integrated_gradients": (CAPTUM, _integrated),
    "smooth_grad": ("the mean of plain gradients", _smooth),
    "deconvnet": (PATCHED, _ruled("deconvnet", "rectified")),
    "guided_backprop": (PATCHED, _ruled("guided_backprop", "guided")),
    "cam": ("the head's weights times what is pooled", _cam),
    "grad_cam": (LOOPS, _layer("grad_cam")),
    "grad_cam_pp": (LOOPS, _layer("grad_cam_pp")),
    "xgrad_cam": (LOOPS, _layer("xgrad_cam")),
    "hires_cam": (LOOPS, _layer("hires_cam")),
    "layer_cam": (LOOPS, _layer("layer_cam")),
    "eigen_cam": ("power iteration", _eigen),
    "score_cam": (SLOWLY, _one_by_one("score_cam")),
    "ablation_cam": (SLOWLY, _one_by_one("ablation_cam")),
    "guided_grad_cam": (f"{LOOPS}; {PATCHED}", _guided_cam),
    "occlusion": (CAPTUM, _occlusion),
}


def distance(ours: Any, theirs: Any) -> float:
    """The largest difference, as a share of the largest value.

    Raises:
        AssertionError: there is nothing to compare.
    """
    one, other = (torch.as_tensor(values).detach().double() for values in (ours, theirs))
    assert one.shape == other.shape, (one.shape, other.shape)
    largest = float(other.abs().max())
    assert largest > 0
    return float((one - other).abs().max()) / largest


def cell(method: str, single: Bench, double: Bench) -> Cell:
    """``method`` on one network in both precisions."""
    compare = COMPARED[method][1]
    left = ""
    found: list[float | None] = []
    for bench in (single, double):
        try:
            found.append(distance(*compare(bench)))
        except _Left as why:
            found.append(None)
            left = str(why)
        except CnnWidgetsError as error:
            return Cell(refused=str(error).split(". ", 1)[0])
    return Cell(*found, left)
