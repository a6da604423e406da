"""From a recording to the graph between layers: what is a layer, and which layer feeds which."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from cnnwidgets.core.network import Network, free_name

from .kinds import kind_of_call
from .layers import Join, Node
from .receptive.call import words
from .recorded import ModuleCall, Op, Recording

T = TypeVar("T")
# Calls that a reader would not call a step of the network.
_SILENT = words(
    "contiguous clone detach to float double half bfloat16 type type_as data alias view_as expand_as expand",
    "requires_grad copy write cpu cuda getitem setitem unbind squeeze unsqueeze chunk split identity",
)
_WEIGHTED = ("conv", "norm", "linear", "attention")


@dataclass
class LayerCall:
    """One call of a layer."""

    layer: str
    event: ModuleCall | Op
    """The call of a module, or of a torch function."""
    functions: list[str] = field(default_factory=list)


def _is_opened(frame: ModuleCall, root: ModuleCall) -> bool:
    """Whether a module that called no other one is shown as its torch calls."""
    if frame.children or type(frame.module).__module__.startswith("torch.nn."):
        return False
    if frame is root:
        return True
    return sum(bool(op.params) and kind_of_call(op.name) in _WEIGHTED for op in frame.ops) >= 2


class LayerGraph:
    """The recorded calls contracted to layers and joins.

    Attributes:
        calls: of layers.
        containers: calls of modules that are no layers, the network itself left out.
        nodes, links, edges, joins, outputs: as :class:`~cnnwidgets.tracing.architecture.Architecture` has them.
    """

    def __init__(self, recording: Recording) -> None:
        self._root = recording.root
        self._opened = {frame.id for frame in recording.frames if _is_opened(frame, recording.root)}
        layers = {frame.id for frame in recording.frames if not frame.children and frame.id not in self._opened}
        self._layer_names = set(Network.of(recording.model).names)
        is_taken = any(frame.name == "input" for frame in recording.frames)
        source = free_name("input", self._layer_names) if is_taken else "input"
        self._node_of: dict[int, str] = {}
        self._node_calls: Counter[str] = Counter()
        self._within: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._calls: dict[str, LayerCall] = {}
        self._joins: dict[str, tuple[Op, list[str]]] = {}
        # By node, in the order of events: what feeds it; and the layers behind it, itself or all that meet in a join.
        self._sources: dict[str, dict[str, None]] = {source: {}}
        self._behind: dict[str, list[str]] = {source: [source]}
        self._follow([*recording.frames, *recording.ops], layers, source)
        outputs = dict.fromkeys(self._node_of[index] for index in recording.outputs)
        upstream = self._upstream([source, *self._calls, *outputs])
        order = [node for node in self._sources if node in upstream]
        self.calls = list(self._calls.values())
        self.containers = [frame for frame in recording.frames if frame.id not in layers and frame is not self._root]
        self.nodes = [self._node(node) for node in order]
        self.links = [(before, node) for node in order for before in self._sources[node]]
        self.edges = _once(
            (layer, call.layer)
            for node, call in self._calls.items()
            for before in self._sources[node]
            for layer in self._behind[before]
        )
        self.joins = [self._join(node) for node in order if node in self._joins]
        self.outputs = _once(layer for node in outputs for layer in self._behind[node])

    def _follow(self, events: list[ModuleCall | Op], layers: set[int], source: str) -> None:
        frame_nodes: dict[int, str] = {}
        for event in sorted(events, key=lambda event: event.id):
            if isinstance(event, ModuleCall):
                if event.id in layers:
                    frame_nodes[event.id] = self._add_call(event.name, event, [])
            elif event.frame is None:
                self._node_of[event.id] = source
            elif event.frame.id in layers:
                node = self._node_of[event.id] = frame_nodes[event.frame.id]
                self._sources[node].update(dict.fromkeys(before for before in self._read(event) if before != node))
            else:
                self._functional(event, event.frame)

    def _read(self, op: Op) -> list[str]:
        return _once(self._node_of[index] for index in op.inputs)

    def _add_node(self, name: str, sources: list[str]) -> str:
        self._node_calls[name] += 1
        count = self._node_calls[name]
        node = name if count == 1 else f"{name}#{count}"
        self._sources[node] = dict.fromkeys(sources)
        self._behind[node] = _once(layer for source in sources for layer in self._behind[source])
        return node

    def _add_call(self, layer: str, event: ModuleCall | Op, sources: list[str]) -> str:
        node = self._add_node(layer, sources)
        self._calls[node], self._behind[node] = LayerCall(layer, event), [layer]
        return node

    def _functional(self, op: Op, frame: ModuleCall) -> None:
        """A torch call outside of any layer: a layer of its own, a join, or a step on the way."""
        sources = self._read(op)
        opened = frame.id in self._opened
        weighted = op.macs > 0 or (bool(op.params) and kind_of_call(op.name) in _WEIGHTED)
        speaks = bool(op.name) and op.name not in _SILENT
        if frame is not self._root and kind_of_call(op.name) == "reshape":
            opened = False  # inside a block, shuffling axes is a detail
        if weighted or (opened and speaks and len(sources) == 1):
            self._node_of[op.id] = self._add_call(self._functional_name(op, frame), op, sources)
        elif len(sources) > 1:
            node = self._node_of[op.id] = self._add_node(self._functional_name(op, frame), sources)
            self._joins[node] = (op, [])
        else:
            node = self._node_of[op.id] = sources[0]
            if speaks:
                steps = self._calls[node].functions if node in self._calls else self._joins.get(node, (op, []))[1]
                if op.name not in steps:
                    steps.append(op.name)

    def _functional_name(self, op: Op, frame: ModuleCall) -> str:
        function = op.name or "join"
        number = self._within[frame.id][function]
        self._within[frame.id][function] += 1
        name = f"{frame.name}.{function}" if frame.name else function
        return free_name(f"{name}_{number}" if number else name, self._layer_names)

    def _upstream(self, nodes: list[str]) -> set[str]:
        """These nodes and all that feed them; joins whose result nobody reads are not among them."""
        upstream = set(nodes)
        while nodes:
            new = self._sources[nodes.pop()].keys() - upstream
            upstream |= new
            nodes += new
        return upstream

    def _join(self, node: str) -> Join:
        op, functions = self._joins[node]
        return Join(node, op.name or "join", tuple(self._sources[node]), _path(op), tuple(functions), op.output_shape)

    def _node(self, node: str) -> Node:
        if node in self._calls:
            name, event = self._calls[node].layer, self._calls[node].event
            return Node(node, "layer", name, _path(event) if isinstance(event, Op) else name.rpartition(".")[0], name)
        if node in self._joins:
            op, _ = self._joins[node]
            return Node(node, "join", None, _path(op), _SIGNS.get(op.name, op.name))
        return Node(node, "input", None, "", "input")


_SIGNS = {"add": "+", "mul": "×", "sub": "−", "div": "÷", "cat": "concat"}


def _path(op: Op) -> str:
    return op.frame.name if op.frame is not None else ""


def _once(items: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(items))
