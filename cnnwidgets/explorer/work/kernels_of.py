"""Which convolution makes the maps of a layer: its own, or the one before its norm and activation."""

from __future__ import annotations

from .scene import Scene, same_numbers

_AFTER_A_KERNEL = {"norm", "activation", "dropout"}


def layer_of_kernels(scene: Scene, layer: str) -> tuple[str, str]:
    """The layer whose kernels make the maps of ``layer``, channel by channel, or "" and why there is none.

    Of a block it is the layer at its end, where nothing is added after that.
    """
    architecture = scene.architecture
    layers = {info.name: info for info in architecture.layers}
    name = layer if layer in layers else _last_inside(scene, layer, list(layers))
    if not name:
        return "", f"{layer} puts the maps of several layers together: it has no kernels of its own."
    while layers[name].kind != "conv":
        sources = [source for source, consumer in architecture.edges if consumer == name]
        passes = layers[name].kind in _AFTER_A_KERNEL or layers[name].type == "Identity"
        if not passes or len(sources) != 1 or sources[0] not in layers:
            return "", f"{name} ({layers[name].detail or layers[name].type}) has no kernels."
        (name,) = sources
    channels = scene.maps[layer].shape[1]
    if layers[name].functional:
        return "", f"The convolution {name} is a torch call, not a module: its kernels are not at hand."
    if layers[name].output_shape[1:2] != (channels,):
        return "", f"{layer} has {channels} maps, and {name} before it {layers[name].output_shape[1]} kernels."
    return name, ""


def _last_inside(scene: Scene, block: str, layers: list[str]) -> str:
    """The last layer in ``block``, if its maps are what the block returns; else empty."""
    inside = [name for name in scene.first.order if name.startswith(f"{block}.") and name in layers]
    last = next((name for name in reversed(inside) if name in scene.maps), "")
    if not last or scene.maps[last] is scene.maps[block]:
        return last
    return last if not scene.asleep and same_numbers(scene.maps[last], scene.maps[block]) else ""
