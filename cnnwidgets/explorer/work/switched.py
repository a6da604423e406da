"""A photograph seen by the network without some of its channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from cnnwidgets.explainers.engine.all_layers import observe
from cnnwidgets.incremental.scaling import Factors
from cnnwidgets.switches.switched_copy import switched_copy

from .scene import Scene


def switched_scene(model: nn.Module, scene: Scene, switches: Mapping[str, Factors]) -> Scene:
    """The same photograph and target, seen by a copy of ``model`` with other switches.

    Args:
        switches: layer of ``scene.maps`` -> what its channels are multiplied by; empty: all are on.

    Raises:
        InputError: the network cannot be copied.
    """
    network = None
    if switches:
        counts = {layer: scene.maps[layer].shape[1] for layer in switches}
        network = switched_copy(model, switches, scene.first.layouts, counts)
    with scene.task.reading():
        functions = scene.architecture.resizing_functions
        observation = observe(network or model, scene.picture.tensor, scene.target, functions=functions)
    observation = replace(observation, kind=scene.kind)
    return replace(
        scene,
        first=observation,
        now=observation,
        switches=dict(switches),
        switched_network=network,
        unswitched=scene.logits_of_all if switches else None,
    )
