"""Architectures made by hand, with the attributes of a traced one and nothing else."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace


def layer(name: str, kind: str = "conv", **more: object) -> SimpleNamespace:
    """What a trace knows of a layer; ``more`` overrides."""
    known = {
        "name": name,
        "type": {"conv": "Conv2d", "norm": "BatchNorm2d", "activation": "ReLU", "dropout": "Dropout"}.get(kind, kind),
        "kind": kind,
        "detail": {"conv": "Conv 3×3", "norm": "BN", "activation": "ReLU"}.get(kind, kind),
        "input_shape": (1, 8, 16, 16),
        "output_shape": (1, 8, 16, 16),
        "params": 10,
        "trainable": 10,
        "macs": 100,
        "receptive_field": (3, 3),
        "calls": 1,
        "functions": (),
    }
    return SimpleNamespace(**{**known, **more})


def architecture(
    layers: list[SimpleNamespace],
    links: list[tuple[str, str]],
    *,
    containers: tuple[SimpleNamespace, ...] = (),
    joins: dict[str, str] | None = None,
) -> SimpleNamespace:
    """``links`` are between layer names, ``name#2`` for a second call, and ids of ``joins`` (id -> path)."""
    joins = joins or {}
    ids = list(dict.fromkeys(end for link in links for end in link)) or [made.name for made in layers]
    nodes = []
    for node in ids:
        name = node.partition("#")[0]
        if node == "input":
            nodes.append(SimpleNamespace(id=node, kind="input", layer=None, path="", label="input"))
        elif node in joins:
            nodes.append(SimpleNamespace(id=node, kind="join", layer=None, path=joins[node], label="+"))
        else:
            path = name.rpartition(".")[0]
            nodes.append(SimpleNamespace(id=node, kind="layer", layer=name, path=path, label=name))
    return SimpleNamespace(
        layers=layers,
        containers=list(containers),
        nodes=nodes,
        links=links,
        joins=[SimpleNamespace(id=node, functions=()) for node in joins],
        input_shape=(1, 3, 16, 16),
    )


def chain(*names: str) -> list[tuple[str, str]]:
    """Links from each name to the next."""
    return list(pairwise(names))


def residual() -> SimpleNamespace:
    """stem, then two blocks of conv-bn-relu-conv-bn with a skip around, then a linear layer."""
    layers = [layer("stem")]
    links = chain("input", "stem")
    before = "stem"
    joins = {}
    for block in ("body.0", "body.1"):
        names = [f"{block}.{part}" for part in ("conv1", "bn1", "relu", "conv2", "bn2")]
        kinds = ("conv", "norm", "activation", "conv", "norm")
        layers += [layer(name, kind) for name, kind in zip(names, kinds, strict=True)]
        links += [*chain(before, *names, f"{block}.add"), (before, f"{block}.add")]
        joins[f"{block}.add"] = block
        before = f"{block}.add"
    layers.append(layer("fc", "linear"))
    containers = (
        layer("body", "other", type="Sequential"),
        layer("body.0", "other", type="Block"),
        layer("body.1", "other", type="Block"),
    )
    return architecture(layers, [*links, (before, "fc")], containers=containers, joins=joins)
