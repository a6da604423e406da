"""What other libraries make of the same networks: right, or off, against the same plain implementation."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import captum.attr
import numpy as np
import pytorch_grad_cam
import torch
import torchcam.methods
import zennit.attribution
import zennit.composites
from torch import nn

from cnnwidgets import explainers

from .ours import TARGET, Bench, distance
from .references import SLOW, reference


@dataclass(frozen=True)
class Row:
    """How far each library is from the plain implementation, by name; None where it offers nothing."""

    network: str
    what: str
    ours: float
    peers: dict[str, float | str | None]


LIBRARIES = ("Captum", "pytorch-grad-cam", "torchcam", "zennit")


def grad_cam_row(on: Bench) -> Row | None:
    """Grad-CAM of a layer that is followed by an activation that works in place, or that is called twice."""
    name = on.case.hooked
    if name is None:
        return None
    right = np.maximum(SLOW["grad_cam"](*on.maps(name)), 0)
    ours = explainers.grad_cam(on.net, on.image, TARGET, layer=name).values[0].clamp(min=0)
    what = f"Grad-CAM of `{name}`, " + ("called twice" if name == "twice" else "then an activation in place")
    peers = {
        "Captum": _of(_captum_cam, on, name, right),
        "pytorch-grad-cam": _of(_pytorch_grad_cam, on, name, right),
        "torchcam": _of(_torchcam, on, name, right),
        "zennit": None,
    }
    return Row(on.name, what, distance(ours, right), peers)


def guided_row(on: Bench) -> Row:
    """Guided backpropagation."""
    right = reference(on.net, on.image, [TARGET], "guided")
    ours = explainers.guided_backprop(on.net, on.image, TARGET).values
    peers = {
        "Captum": _of(_captum_guided, on, None, right),
        "pytorch-grad-cam": _of(_pytorch_guided, on, None, right),
        "torchcam": None,
        "zennit": _of(_zennit_guided, on, None, right),
    }
    return Row(on.name, "guided backpropagation", distance(ours, right), peers)


Peer = Callable[[nn.Module, torch.Tensor, Any], Any]


def _of(peer: Peer, on: Bench, name: str | None, right: Any) -> float | str:
    """How far ``peer`` is, on a copy of the network, since some change it."""
    net = copy.deepcopy(on.net)
    layer = None if name is None else net.get_submodule(name)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            found = torch.as_tensor(peer(net, on.image.clone(), layer))
        except Exception as error:
            return f"raises {type(error).__name__}"
    right = torch.as_tensor(right).detach()
    if tuple(found.shape) != tuple(right.shape):
        return f"returns shape {tuple(found.shape)}"
    return distance(found, right)


def _captum_cam(net: nn.Module, image: torch.Tensor, layer: Any) -> Any:
    found = captum.attr.LayerGradCam(net, layer).attribute(image, target=TARGET, relu_attributions=True)
    return found[0, 0].detach()


class _Raw(pytorch_grad_cam.GradCAM):  # type: ignore[misc]
    """Keeps the map as it is before it is scaled and resized."""

    raw: Any = None

    def get_cam_image(self, *given: Any, **options: Any) -> Any:
        self.raw = super().get_cam_image(*given, **options)
        return self.raw


def _pytorch_grad_cam(net: nn.Module, image: torch.Tensor, layer: Any) -> Any:
    method = _Raw(net, [layer])
    method(image, [pytorch_grad_cam.utils.model_targets.ClassifierOutputTarget(TARGET)])
    return np.maximum(method.raw[0], 0)


def _torchcam(net: nn.Module, image: torch.Tensor, layer: Any) -> Any:
    with torchcam.methods.GradCAM(net, layer) as method:
        scores = net(image)
        return method(TARGET, scores, normalized=False)[0][0].detach().clamp(min=0)


def _captum_guided(net: nn.Module, image: torch.Tensor, _: Any) -> Any:
    return captum.attr.GuidedBackprop(net).attribute(image.requires_grad_(), target=TARGET).detach()


def _pytorch_guided(net: nn.Module, image: torch.Tensor, _: Any) -> Any:
    found = pytorch_grad_cam.GuidedBackpropReLUModel(net, device="cpu")(image, target_category=TARGET)
    return torch.as_tensor(found).permute(2, 0, 1)[None]


def _zennit_guided(net: nn.Module, image: torch.Tensor, _: Any) -> Any:
    def one(scores: torch.Tensor) -> torch.Tensor:
        return torch.eye(scores.shape[1], dtype=scores.dtype)[[TARGET]]

    with zennit.attribution.Gradient(net, zennit.composites.GuidedBackprop()) as method:
        return method(image, one)[1]
