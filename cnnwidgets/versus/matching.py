"""What belongs together in two networks: layers by name, depth and size; classes by label."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cnnwidgets.explorer.work.scene import Scene


@dataclass(frozen=True)
class Pairing:
    """Two layers that are looked at together, and a sentence on why."""

    layers: tuple[str, str]
    reason: str


def partner(layer: str, scene: Scene, other: Scene, among: Sequence[str]) -> str:
    """The layer of ``other`` that belongs to ``layer`` of ``scene``: of the same name, else the closest of ``among``.

    The closest is that with the least difference in depth (0 to 1 through the layers with maps) and in size (in
    halvings of the image's side).
    """
    if layer in other.maps or not among:
        return layer if layer in other.maps else ""
    depth, halvings = _depth(layer, scene), _halvings(layer, scene)
    return min(among, key=lambda name: abs(_depth(name, other) - depth) + abs(_halvings(name, other) - halvings))


def _depth(layer: str, scene: Scene) -> float:
    order = [name for name in scene.first.order if name in scene.maps]
    return order.index(layer) / max(len(order) - 1, 1)


def _halvings(layer: str, scene: Scene) -> float:
    sides, image = scene.maps[layer].shape[-2:], scene.picture.tensor.shape[-2:]
    return math.log2(math.prod(image) / math.prod(sides)) / 2


def same_architecture(first: Scene, second: Scene) -> bool:
    """Whether both are checkpoints of one architecture: the same layers with as many parameters, the same shapes."""
    described = [
        [(info.name, info.type, info.params) for info in scene.architecture.layers] for scene in (first, second)
    ]
    shapes = [{name: maps.shape[1] for name, maps in scene.maps.items()} for scene in (first, second)]
    return described[0] == described[1] and shapes[0] == shapes[1]


@dataclass(frozen=True)
class ClassPairs:
    """Which class of one network is which of the other.

    Attributes:
        second: class of the first network -> that of the second.
        note: what must be said of it; empty: all have a partner of the same name.
    """

    second: dict[int, int]
    note: str = ""


def paired_classes(first: Scene, second: Scene) -> ClassPairs:
    """By label; by number where one has none and there are as many."""
    counts = len(first.logits), len(second.logits)
    labels = [None if scene.labels is None else [_folded(name) for name in scene.labels] for scene in (first, second)]
    if labels[0] is not None and labels[0] == labels[1]:
        return ClassPairs({index: index for index in range(counts[0])})
    if labels[0] is None or labels[1] is None:
        if counts[0] == counts[1]:
            return ClassPairs(
                {index: index for index in range(counts[0])},
                "Classes are compared by their numbers: not both networks have names for them. Pass labels=.",
            )
        return ClassPairs(
            {},
            f"The networks have {counts[0]} and {counts[1]} classes, not all with names: no class can be compared with "
            "another. Pass labels=(names of the first, names of the second).",
        )
    # Of two classes with one name nobody knows which is which.
    once = [{name for name, count in Counter(names).items() if count == 1} for names in labels if names is not None]
    at = {name: index for index, name in enumerate(labels[1])}
    pairs = {index: at[name] for index, name in enumerate(labels[0]) if name in once[0] and name in once[1]}
    alone = counts[0] - len(pairs), counts[1] - len(pairs)
    return ClassPairs(
        pairs,
        f"{len(pairs)} classes have the same name in both networks and are compared; {alone[0]} of the first and "
        f"{alone[1]} of the second have no partner."
        if any(alone)
        else "",
    )


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())
