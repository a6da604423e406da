"""From a recording to the graph between layers: what is a layer, and which layer feeds which."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cnnwidgets.core.network import Network

from .kinds import kind_of_call
from .layers import Join, Node
from .receptive.call import words
from .recorded import ModuleCall, Op, Recording

# Calls that a reader would not call a step of the network.
_SILENT = words(
    "contiguous clone detach to float double half bfloat16 type type_as data alias view_as expand_as expand",
    "requires_grad copy write cpu cuda getitem setitem unbind squeeze unsqueeze chunk split identity",
)
_WEIGHTED = ("conv", "norm", "linear", "attention")
_RESIZES = ("interpolate", "upsample")


@dataclass
class LayerCall:
    """One call of a layer."""

    node: str
    layer: str
    event: ModuleCall | Op
    """The call of a module, or of a torch function."""
    functions: list[str] = field(default_factory=list)


@dataclass
class LayerGraph:
    """Calls of layers, and how they are connected."""

    calls: list[LayerCall]
    containers: list[ModuleCall]
    nodes: list[Node]
    links: list[tuple[str, str]]
    edges: list[tuple[str, str]]
    joins: list[Join]
    outputs: list[str]


def build(recording: Recording) -> LayerGraph:
    """Contract the recorded calls to layers and joins."""
    return _Builder(recording).build()


def _is_opened(frame: ModuleCall, root: ModuleCall) -> bool:
    """Whether a module that called no other one is shown as its torch calls."""
    if frame.children or type(frame.module).__module__.startswith("torch.nn."):
        return False
    if frame is root:
        return True
    return sum(bool(op.params) and kind_of_call(op.name) in _WEIGHTED for op in frame.ops) >= 2


def _makes_other_maps(op: Op) -> bool:
    """Whether maps of another height or width come out, more than one number each: something else to look at."""
    resizes = kind_of_call(op.name) == "pool" or op.name in _RESIZES
    before, after = op.input_shape[2:], op.output_shape[2:]
    return resizes and len(after) == 2 and max(after) > 1 and before != after


class _Builder:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._opened = {frame.id for frame in recording.frames if _is_opened(frame, recording.root)}
        self._layers = {frame.id for frame in recording.frames if not frame.children and frame.id not in self._opened}
        self._layer_names = set(Network.of(recording.model).names)
        self._input = self._free("input") if any(frame.name == "input" for frame in recording.frames) else "input"
        self._node_of: dict[int, str] = {}
        self._node_calls: Counter[str] = Counter()
        self._within: dict[int, Counter[str]] = {}
        self._sources: dict[str, dict[str, None]] = {}
        self._calls: dict[str, LayerCall] = {}
        self._joins: dict[str, tuple[Op, list[str]]] = {}
        self._order: list[str] = [self._input]

    def _free(self, name: str) -> str:
        number = 0
        candidate = name
        while candidate in self._layer_names:
            number += 1
            candidate = f"{name}_{number}"
        return candidate

    def build(self) -> LayerGraph:
        events: list[tuple[int, ModuleCall | Op]] = [(frame.id, frame) for frame in self._recording.frames]
        events += [(op.id, op) for op in self._recording.ops]
        frame_nodes: dict[int, str] = {}
        for _, event in sorted(events, key=lambda pair: pair[0]):
            if isinstance(event, ModuleCall):
                if event.id in self._layers:
                    frame_nodes[event.id] = self._add_call(event.name, event).node
            elif event.frame is None:
                self._node_of[event.id] = self._input
            elif event.frame.id in self._layers:
                node = frame_nodes[event.frame.id]
                self._sources[node].update(dict.fromkeys(self._read(event, but=node)))
                self._node_of[event.id] = node
            else:
                self._functional(event, event.frame)
        return self._finished()

    def _read(self, op: Op, but: str | None = None) -> list[str]:
        nodes = dict.fromkeys(self._node_of[index] for index in op.inputs)
        return [node for node in nodes if node != but]

    def _add_call(self, layer: str, event: ModuleCall | Op) -> LayerCall:
        self._node_calls[layer] += 1
        count = self._node_calls[layer]
        node = layer if count == 1 else f"{layer}#{count}"
        call = LayerCall(node, layer, event)
        self._calls[node] = call
        self._sources[node] = {}
        self._order.append(node)
        return call

    def _functional(self, op: Op, frame: ModuleCall) -> None:
        """A torch call outside of any layer: a layer of its own, a join, or a step on the way."""
        sources = self._read(op)
        opened = frame.id in self._opened
        weighted = op.macs > 0 or (bool(op.params) and kind_of_call(op.name) in _WEIGHTED)
        speaks = bool(op.name) and op.name not in _SILENT
        if frame is not self._recording.root and kind_of_call(op.name) == "reshape":
            opened = False  # inside a block, shuffling axes is a detail
        if weighted or (len(sources) == 1 and ((opened and speaks) or _makes_other_maps(op))):
            call = self._add_call(self._functional_name(op, frame), op)
            self._sources[call.node] = dict.fromkeys(sources)
            self._node_of[op.id] = call.node
        elif len(sources) > 1:
            name = self._functional_name(op, frame)
            self._node_calls[name] += 1
            count = self._node_calls[name]
            node = name if count == 1 else f"{name}#{count}"
            self._joins[node] = (op, [])
            self._sources[node] = dict.fromkeys(sources)
            self._order.append(node)
            self._node_of[op.id] = node
        else:
            node = sources[0]
            self._node_of[op.id] = node
            if speaks:
                steps = self._calls[node].functions if node in self._calls else self._joins.get(node, (op, []))[1]
                if op.name not in steps:
                    steps.append(op.name)

    def _functional_name(self, op: Op, frame: ModuleCall) -> str:
        function = op.name or "join"
        within = self._within.setdefault(frame.id, Counter())
        number = within[function]
        within[function] += 1
        name = f"{frame.name}.{function}" if frame.name else function
        return self._free(f"{name}_{number}" if number else name)

    def _finished(self) -> LayerGraph:
        outputs = dict.fromkeys(self._node_of[index] for index in self._recording.outputs)
        feeding_nodes = self._upstream([*self._calls, *outputs])
        order = [node for node in self._order if node in feeding_nodes or node in self._calls or node == self._input]
        links = [(source, node) for node in order for source in self._sources.get(node, ())]
        feeding: dict[str, list[str]] = {}
        for node in order:
            if node in self._joins:
                feeding[node] = list(
                    dict.fromkeys(layer for source in self._sources[node] for layer in self._layers_of(source, feeding))
                )
        edges: dict[tuple[str, str], None] = {}
        for node, call in self._calls.items():
            for source in self._sources[node]:
                edges.update(dict.fromkeys((layer, call.layer) for layer in self._layers_of(source, feeding)))
        return LayerGraph(
            calls=list(self._calls.values()),
            containers=[
                frame
                for frame in self._recording.frames
                if frame.id not in self._layers and frame is not self._recording.root
            ],
            nodes=[self._node(node) for node in order],
            links=links,
            edges=list(edges),
            joins=[self._join(node) for node in order if node in self._joins],
            outputs=list(dict.fromkeys(layer for node in outputs for layer in self._layers_of(node, feeding))),
        )

    def _upstream(self, nodes: list[str]) -> set[str]:
        """These nodes and all that feed them; joins whose result nobody reads are not among them."""
        upstream = set(nodes)
        waiting = list(nodes)
        while waiting:
            for source in self._sources.get(waiting.pop(), ()):
                if source not in upstream:
                    upstream.add(source)
                    waiting.append(source)
        return upstream

    def _layers_of(self, node: str, feeding: dict[str, list[str]]) -> list[str]:
        """The layers behind ``node``: itself, or all that meet in a join."""
        if node in self._calls:
            return [self._calls[node].layer]
        return feeding.get(node, [node])

    def _join(self, node: str) -> Join:
        op, functions = self._joins[node]
        path = op.frame.name if op.frame is not None else ""
        return Join(node, op.name or "join", tuple(self._sources[node]), path, tuple(functions), op.output_shape)

    def _node(self, node: str) -> Node:
        if node in self._calls:
            call = self._calls[node]
            name = call.layer
            if isinstance(call.event, Op) and call.event.frame is not None:
                path = call.event.frame.name
            else:
                path = name.rpartition(".")[0]
            return Node(node, "layer", name, path, name)
        if node in self._joins:
            op, _ = self._joins[node]
            return Node(node, "join", None, op.frame.name if op.frame is not None else "", _sign(op.name))
        return Node(node, "input", None, "", "input")


def _sign(function: str) -> str:
    return {"add": "+", "mul": "×", "sub": "−", "div": "÷", "cat": "concat"}.get(function, function)
