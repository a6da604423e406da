"""What happens to a gradient at a ReLU: the guided and the rectified rule, however the ReLU was written.

The rules act on the autograd graph of the forward pass, where a module, ``F.relu``, ``x.relu_()`` and
``x.clamp(min=0)`` all leave the same trace, one node each. So a ReLU that is shared, works in place, or runs in a
checkpoint is like any other, and only what the gradient really passes is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node, get_gradient_edge
from torch.overrides import TorchFunctionMode

from cnnwidgets.core.errors import CnnWidgetsError

Rule = Literal["plain", "guided", "rectified"]

Gradients = tuple[torch.Tensor | None, ...]

# Nodes of the autograd graph that have no rule, and what to call them.
_PLAIN = {
    **{
        name.capitalize(): name
        for name in (
            *("celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "mish", "sigmoid"),
            *("silu", "softplus", "softshrink", "tanh", "threshold"),
        )
    },
    "LeakyRelu": "leaky_relu",
    "LogSigmoid": "logsigmoid",
    "PreluKernel": "prelu",
    "RreluWithNoise": "rrelu",
}
# Nodes that are a ReLU where this attribute is zero.
_LOWER_BOUNDS = {
    "Hardtanh": "_saved_min_val",
    "Threshold": "_saved_threshold",
    "LeakyRelu": "_saved_negative_slope",
    "Clamp": "_saved_min",
    "ClampMin": "_saved_min",
}
_FUNCTIONS = {*_PLAIN.values(), "relu", "relu6", "selu", "clamp", "clamp_min", "clip"}


class Guidance:
    """A rule for the ReLUs between a score and what it is differentiated for.

    ``"plain"`` is no rule at all. ``"guided"`` lets through what is positive both in the forward pass and in the
    gradient (Springenberg et al. 2015); ``"rectified"``, what is positive in the gradient, whether the ReLU was open or
    not (Zeiler and Fergus 2014). Bounded ReLUs, such as ReLU6, are ReLUs too.

    Raises:
        CnnWidgetsError: there is no such rule.
    """

    def __init__(self, rule: Rule) -> None:
        if rule not in get_args(Rule):
            raise CnnWidgetsError(f'backward is {rule!r}; expected "plain", "guided" or "rectified".')
        self.rule = rule
        self.missed = 0
        """How many ReLUs were computed where no graph is recorded, so far."""
        self._acted = 0
        self._plain, self._custom, self._scripted = Counter[str](), Counter[str](), Counter[str]()
        self._missed_at: dict[int, int] = {}

    @contextmanager
    def forward(self) -> Iterator[None]:
        """To be around the model's forward pass, outside of any other mode that watches it."""
        with nullcontext() if self.rule == "plain" else _VisibleActivations(self):
            yield

    def mark(self, call: object) -> None:
        """Remember how far the forward pass is; ``call``, of a layer, stands for it in :meth:`notes`."""
        self._missed_at[id(call)] = self.missed

    @contextmanager
    def backward(self, scores: torch.Tensor) -> Iterator[None]:
        """The backward passes from ``scores`` in this block follow the rule."""
        handles = []
        try:
            for node in nodes_behind(scores) if self.rule != "plain" else ():
                hook = self._hook(node)
                if hook is not None:
                    handles.append(node.register_hook(hook))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def notes(self, since: object = None, source: str = "the input") -> Iterator[str]:
        """What the rule did not reach, to be asked after the backward pass.

        Args:
            since: the call, given to :meth:`mark`, where the part that is explained begins; by default the input.
            source: what the gradient is for.
        """
        if self.rule == "plain":
            return
        missed = self.missed - self._missed_at.get(id(since), 0)
        if missed:
            yield (
                f"{missed} of {missed + self._acted} ReLUs could not be {self.rule}: they run under no_grad or inside "
                "a custom autograd function"
            )
        if self._plain:
            yield f"activations without a {self.rule} rule left plain: {_listed(self._plain)}"
        if self._custom:
            yield f"custom autograd functions left plain: {_listed(self._custom)}"
        if self._scripted:
            parts = self._scripted.total()
            were = "part was" if parts == 1 else "parts were"
            yield f"{parts} scripted {were} left plain: what runs inside cannot be seen"
        if not (self._acted or self._plain or self._custom or self._scripted):
            yield f"the gradient passes no activation on its way to {source}: {self.rule} is the same as plain"

    def _hook(self, node: Node) -> Callable[[Gradients, Gradients], Gradients | None] | None:
        """What to do when the backward pass has come through ``node``; a node that it does not visit does nothing."""
        relu = relu_of(node)
        if relu is not None:
            return lambda arriving, leaving: self._act(node, relu, arriving, leaving)
        name = node.name()
        if isinstance(node, BackwardCFunction):
            return lambda *_: self._custom.update([name.removesuffix("Backward")])
        if "DifferentiableGraphBackward" in name:
            return lambda *_: self._scripted.update([name])
        activation = _PLAIN.get(node_kind(node))
        return None if activation is None else lambda *_: self._plain.update([activation])

    def _act(self, node: Node, relu: Relu, arriving: Gradients, leaving: Gradients) -> Gradients | None:
        """Replace the gradient for the input, ``arriving``, given that for the output, ``leaving``."""
        self._acted += 1
        later, result = leaving[0], arriving[relu.position]
        if later is None or result is None:
            return None
        if self.rule == "rectified":
            result = later.clamp(min=0)
        else:
            result = result.clamp(min=0)
            if relu.open_at_zero:  # clamp lets the gradient through where its input is 0, relu does not
                result = result.where(getattr(node, relu.saved) > 0, 0)
        return (*arriving[: relu.position], result, *arriving[relu.position + 1 :])


@dataclass(frozen=True)
class Relu:
    """Where in a node that is a ReLU its input is.

    Attributes:
        position: index among the node's inputs.
        saved: the node's attribute that holds the input.
        open_at_zero: whether the node lets some gradient through where its input is 0.
    """

    position: int = 0
    saved: str = "_saved_self"
    open_at_zero: bool = False


def relu_of(node: Any) -> Relu | None:
    """How ``node`` is a ReLU, bounded or not; None if it is none."""
    kind = node_kind(node)
    if kind == "Relu" or (kind in _LOWER_BOUNDS and _is_zero(getattr(node, _LOWER_BOUNDS[kind]))):
        return Relu(open_at_zero=kind.startswith("Clamp"))
    inputs = [earlier is not None for earlier, _ in node.next_functions]
    if kind in ("Maximum", "Fmax") and inputs.count(True) == 1:
        position, names = inputs.index(True), ("_saved_self", "_saved_other")
        return Relu(position, names[position], True) if _is_zero(getattr(node, names[1 - position])) else None
    return None


def _is_zero(bound: Any) -> bool:
    if isinstance(bound, torch.Tensor):
        return not bool(bound.any())
    return bound is not None and bound == 0


def nodes_behind(scores: torch.Tensor) -> Iterator[Node]:
    """All nodes of the graph that ends in ``scores``, from there on."""
    if not scores.requires_grad:
        return
    last = get_gradient_edge(scores).node
    visited, pending = {last}, [last]
    while pending:
        node = pending.pop()
        yield node
        for earlier, _ in node.next_functions:
            if earlier is not None and earlier not in visited:
                visited.add(earlier)
                pending.append(earlier)


def node_kind(node: Node) -> str:
    """``"Relu"`` for ReluBackward0."""
    return node.name().rstrip("0123456789").removesuffix("Backward")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


class _VisibleActivations(TorchFunctionMode):
    """Keeps activations visible in the graph, and counts the ReLUs that never get there."""

    def __init__(self, guidance: Guidance) -> None:
        super().__init__()
        self._guidance = guidance

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        x = args[0] if args else kwargs.get("input")
        if name.rstrip("_") not in _FUNCTIONS or not isinstance(x, torch.Tensor) or not x.is_floating_point():
            return func(*args, **kwargs)
        if not torch.is_grad_enabled():
            # Of a parameter, it is a constant: no gradient for the input would have come by.
            if not isinstance(x, nn.Parameter) and _is_relu_call(name.rstrip("_"), args[1:], kwargs):
                self._guidance.missed += 1
        elif x.requires_grad and args and _in_place(name, args, kwargs) and x._is_view():  # noqa: SLF001
            # The graph hides what is done to a view in place inside one node, CopySlices.
            fresh = x.clone()
            func(fresh, *args[1:], **kwargs)
            return x.copy_(fresh)
        return func(*args, **kwargs)


def _in_place(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    return name.endswith("_") or kwargs.get("inplace") is True or any(value is True for value in args[1:])


def _is_relu_call(function: str, options: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if function in ("relu", "relu6"):
        return True
    names = {"hardtanh": "min_val", "threshold": "threshold", "clamp": "min", "clip": "min", "clamp_min": "min"}
    bound = options[0] if options else kwargs.get(names.get(function, ""))
    return function in names and _is_zero(bound)
