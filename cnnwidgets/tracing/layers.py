"""What ``trace`` tells about a network: layers, joins, nodes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerInfo:
    """One layer, or one container of layers, as seen in a recorded forward pass.

    Of a layer that is called several times, shapes, receptive field and ``functions`` are those of the last call;
    ``macs`` is the sum over all calls.
    """

    name: str
    """Dotted, as in ``named_modules()``. A functional layer's is its module's path and the torch function."""
    type: str
    """The module's class; for a functional layer the torch function."""
    output_shape: tuple[int, ...]
    """With the batch axis. Of several outputs, the first tensor; () if there was none."""
    params: int
    """Parameters inside; one that an earlier layer shares is counted there only."""
    trainable: int
    """How many of ``params`` have ``requires_grad``."""
    macs: int
    """Multiply-adds for the example, all calls together; biases, norms and activations count as nothing."""
    receptive_field: tuple[int, int] | None
    """Height and width, in input pixels, of what one unit sees, before the border cuts it; the input's size where a
    unit sees everything; None where the output has no spatial axes."""
    calls: int
    """How often it ran in this forward pass."""
    input_shape: tuple[int, ...] = ()
    kind: str = "other"
    """conv, norm, activation, pool, linear, attention, dropout, reshape or other."""
    detail: str = ""
    """For a reader: "Conv 3×3 /2", "BN", "ReLU6", "Max pool 3×3 /2"."""
    functions: tuple[str, ...] = ()
    """Torch functions applied to its output before the next layer, such as ``("relu", "flatten")``."""
    spatial: bool = False
    """Whether the output is a stack of maps (N, C, H, W) larger than 1x1."""
    fields: tuple[tuple[int | None, int | None] | None, ...] = ()
    """The receptive field of each call, before the border cuts it; None for an axis of which a unit sees everything,
    and for a call whose output has no spatial axes."""
    functional: bool = False
    """Whether it is a torch call, not a module: there is nothing to hook, so ``capture`` cannot find it."""


@dataclass(frozen=True)
class Join:
    """Where values from different layers meet: an add, a mul, a cat."""

    id: str
    function: str
    sources: tuple[str, ...]
    """Ids of the nodes that meet."""
    path: str
    """The module whose forward does it; "" is the network itself."""
    functions: tuple[str, ...] = ()
    """Torch functions applied to the result before the next layer."""
    output_shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Node:
    """A node of the drawn graph, one for each call, so that the links have no cycle."""

    id: str
    """The layer's name; ``name#2`` for its second call."""
    kind: str
    """``input``, ``layer`` or ``join``."""
    layer: str | None = None
    """The layer's name, if it stands for a call of one."""
    path: str = ""
    """The module around it; "" is the network itself."""
    label: str = ""
