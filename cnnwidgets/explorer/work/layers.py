"""Which layers of a scene can be looked at, which are worth it, and why there may be no Grad-CAM of one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from cnnwidgets import explainers
from cnnwidgets.core.errors import LayerNotFound, NotSpatial
from cnnwidgets.explainers.engine.all_layers import Observation
from cnnwidgets.explainers.every_layer import layers_explained
from cnnwidgets.tracing.architecture import Architecture, LayerInfo

from .scene import Scene, same_numbers

_PASSES = {"dropout", "identity"}
_NEVER_AN_END = {"reshape", *_PASSES}
_AFTER = {"conv": {"norm", "activation"}, "norm": {"activation"}}


def layer_with_maps(scene: Scene, layer: str) -> LayerInfo:
    """What the trace knows of ``layer``, which has maps.

    Raises:
        LayerNotFound: no such layer; names the closest.
        NotSpatial: its output has no height and width.
    """
    info = scene.architecture.find(layer)
    if info.name not in scene.first.shapes:
        raise NotSpatial(f"Layer {layer!r} does not run for the photograph {scene.name!r}, so it has no maps.")
    if info.name not in scene.maps:
        layout = scene.first.layouts.of(info.name, info.calls - 1, tuple(info.output_shape or ()))
        raise NotSpatial(_why_no_maps(info, layer, layout.why_not if len(layout.shape) == 4 else None))
    return info


def layers_with_maps(scene: Scene) -> list[str]:
    """Names of all layers that have maps and are in the graph, in order."""
    in_graph = traced_names(scene.architecture)
    return [name for name in scene.first.order if name in scene.maps and name in in_graph]


def traced_names(architecture: Architecture) -> set[str]:
    """Names of all layers of an architecture, containers included."""
    return {layer.name for layer in (*architecture.layers, *architecture.containers)}


def cells_seen(scene: Scene, layer: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """What the rows (h, 2) and the columns (w, 2) of a layer's maps see, in shares of the image; None: not known."""
    height, width = scene.maps[layer].shape[-2:]
    try:
        spans = scene.architecture.receptive_spans(layer, (height, width))
    except (NotSpatial, LayerNotFound):
        return None
    rows, columns = (
        np.asarray(np.array(along) / side, np.float32)
        for along, side in zip(spans, scene.picture.tensor.shape[-2:], strict=True)
    )
    return rows, columns


def explained_layers(scene: Scene, drawn: Collection[str] = ()) -> list[str]:
    """Layers worth a map of the score, in order: the ends of conv-norm-activation chains, and blocks.

    Of several that hold the same maps, the outermost that is ``drawn`` in the graph; but the one that explainers take
    by default has the name that they give it.
    """
    architecture = scene.architecture
    kinds = {layer.name: "identity" if layer.type == "Identity" else layer.kind for layer in architecture.layers}
    after = _what_follows(architecture.edges, kinds)
    outermost: dict[int, str] = {}
    explained = set(layers_explained(scene.now))
    candidates = [name for name in layers_with_maps(scene) if name in explained]
    for name in candidates:
        kind, following = kinds.get(name, ""), after.get(name)
        if kind in _NEVER_AN_END or (following and following <= _AFTER.get(kind, set())):
            continue
        key = id(scene.maps[name])
        inner = outermost.pop(key, name)
        outermost[key] = inner if inner in drawn and name not in drawn else name
    layers = list(outermost.values())
    default = scene.now.default
    if default is None or default in layers or default not in candidates:
        return layers
    # A dropout hands a copy on.
    layers = [name for name in layers if not same_numbers(scene.maps[name], scene.maps[default])]
    order = {name: number for number, name in enumerate(scene.first.order)}
    return sorted([*layers, default], key=order.__getitem__)


def same_maps(scene: Scene, layer: str, among: Sequence[str]) -> str | None:
    """The one of ``among`` that holds the maps of ``layer``: itself, or a block that ends with it."""
    if layer in among:
        return layer
    maps = scene.maps.get(layer)
    return next((name for name in among if scene.maps.get(name) is maps), None)


def first_layer(scene: Scene, among: Sequence[str]) -> str:
    """The layer to begin with: of a transformer, the last one whose maps the score depends on is not the last."""
    return same_maps(scene, scene.now.default or "", among) or (among[-1] if among else "")


def _what_follows(edges: list[tuple[str, str]], kinds: dict[str, str]) -> dict[str, set[str]]:
    """Layer -> kinds of the layers that take its output, looking through those that only pass it on."""
    after: dict[str, set[str]] = {}
    order = {name: number for number, name in enumerate(kinds)}
    for source, consumer in sorted(edges, key=lambda edge: -order[edge[1]]):
        kind = kinds[consumer]
        after.setdefault(source, set()).update(after.get(consumer, set()) if kind in _PASSES else {kind})
    return after


def _why_no_maps(info: LayerInfo, layer: str, why_not: str | None) -> str:
    """One sentence on a layer that cannot be shown as maps."""
    shape = tuple(info.output_shape or ())[1:]
    amount = " × ".join(map(str, shape)) or "no tensor"
    gives = f"{amount} numbers" if len(shape) == 1 else f"an output of {amount}"
    if why_not is not None and min(shape[1:], default=1) > 1:
        return f"Layer {layer!r} gives {gives}, {why_not}: no maps that lie as the image does."
    return f"Layer {layer!r} gives {gives}, not maps with height and width. Select a layer before it in the graph."


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
