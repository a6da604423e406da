"""What an Explorer begins with where there is no Grad-CAM, and why there is none."""

from __future__ import annotations

from cnnwidgets import explainers
from cnnwidgets.explainers.engine.all_layers import Observation

NO_MAPS = "This network has no layer whose output is a stack of maps"
_CUT = (
    "Grad-CAM needs a gradient, and none reaches a layer with maps: the forward runs under torch.no_grad(), is "
    "detached or rounded, or works outside of torch. Methods that need none work: Occlusion, Score-CAM, Ablation-CAM, "
    "Eigen-CAM."
)


def first_method(observation: Observation) -> str:
    """The explainer to begin with: Grad-CAM, else what works on every network, the faster one if it can be had."""
    if observation.cam:
        return "grad_cam"
    reacts = observation.input_gradient is not None and bool(observation.input_gradient.any())
    return "saliency" if reacts else "occlusion"


def why_not(observation: Observation, layer: str = "") -> str:
    """A sentence on why there is no Grad-CAM of ``layer``, or none at all."""
    if not observation.mapped:
        return f"{NO_MAPS}, which Grad-CAM needs. Methods of pixels work: Saliency, Occlusion."
    if not observation.cam:
        return _CUT
    return f"No gradient of the score reaches layer {layer!r}, so that it has no Grad-CAM. Choose an earlier layer."


def why_no_layer(method: str) -> str:
    """The same for another method that explains a layer."""
    others = [name for name in ("saliency", "occlusion") if name in explainers.names()]
    return f"{NO_MAPS}, which {method} explains. Methods of pixels work: {', '.join(others)}."
