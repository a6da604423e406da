"""The network as a graph of its layers, to see its structure and to choose a layer."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import traitlets

from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound
from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._messages import command, number_between, text
from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.publish import newest_push, title

from .drawing.block import Rectangle
from .drawing.layout import SIGN, lay_out
from .structure.content import node_content, search_text
from .structure.fold import fold
from .structure.tree import JOIN, ChainNode, ContainerGroup, default_expanded, read_network, visible_graph

_MOST = 24


class ArchitectureGraph(CnnWidget, folder="architecture_graph"):
    """The layers of a traced network and how they are connected, from top to bottom.

    Convolution, norm and activation in a chain are one node; modules that hold several are groups that open and close.

    Args:
        architecture: what ``cnnwidgets.trace(model, x)`` returned, or any object with its ``layers``, ``containers``,
            ``nodes`` and ``links``.
        traits: initial values of the traits, such as ``selected="layer4"``.

    Raises:
        CnnWidgetsError: ``architecture`` is something else.
        LayerNotFound: ``selected`` or ``expanded`` names nothing that is in the graph.
    """

    selected = traitlets.Unicode(
        "",
        help="Dotted name of the selected layer or container, as in `named_modules()`; empty for none. "
        "Setting it opens the groups around the layer.",
    )
    expanded = traitlets.List(
        traitlets.Unicode(),
        help="Names of the open groups. Default: outer groups opened until there is something to see.",
    )

    switchable = traitlets.List(
        traitlets.Unicode(), help="Layers that can be switched off or scaled: somebody listens to `on_scale`."
    )
    scales = traitlets.Dict(
        value_trait=traitlets.Float(),
        key_trait=traitlets.Unicode(),
        help="Layer -> what all of it is multiplied by, 0 to 2; those that are as they are are left out.",
    )
    touched = traitlets.List(
        traitlets.Unicode(), help="Layers of which something is switched off or scaled; they are marked."
    )

    on_scale: Callable[[str, float], object] = nobody_listens
    """Called with a layer's name and what it is to be multiplied by."""

    def __init__(self, architecture: Any, **traits: Any) -> None:
        self._pushed = {}  # close() runs also where __init__ raised
        if not all(hasattr(architecture, name) for name in ("layers", "nodes", "links")):
            raise CnnWidgetsError(
                f"ArchitectureGraph takes what cnnwidgets.trace(model, x) returns; got {type(architecture).__name__}. "
                "Write: ArchitectureGraph(cnnwidgets.trace(model, torch.zeros(1, 3, 224, 224)))."
            )
        self._lock = threading.RLock()
        self._read(architecture)
        self._anchor = ""
        traits.setdefault("expanded", default_expanded(self._tree))
        super().__init__(**traits)
        self._push_all()
        self.observe(lambda change: self._open_around(change["new"]), "selected")
        self.observe(lambda _: self._lay_out(), "expanded")

    def _read(self, architecture: Any) -> None:
        self._architecture, self._layers = architecture, len(architecture.layers)
        self._network = read_network(architecture)
        self._tree = fold(self._network)
        self._where = self._tree.where()

    def _push_all(self) -> None:
        """Names that can be selected, a container before what is in it, and the drawing."""
        names = dict.fromkeys(name for unit in self._network.units for name in (*unit.scope, unit.name))
        findable = [name for name in names if name in self._where and name in self._network.infos]
        self.push("names", names=findable, facts=[search_text(name, self._network) for name in findable])
        self._open_around(self.selected)
        self._lay_out()

    def show(self, architecture: Any) -> None:
        """Draw ``architecture``, another of what :func:`cnnwidgets.trace` returns, in place of the one before."""
        if architecture == self._architecture:
            return
        with self._lock:
            before = list(self._tree.groups)
            self._read(architecture)
            still_there = [name for name in self.expanded if name in self._tree.groups]
            if self.selected not in self._where:
                self.selected = ""
            self.expanded = still_there if before == list(self._tree.groups) else default_expanded(self._tree)
            self._push_all()

    def __repr__(self) -> str:
        return f"ArchitectureGraph({self._layers} layers)"

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name and name not in self._where:
            raise _unknown(name, list(self._where))
        return name

    @traitlets.validate("expanded")
    def _check_expanded(self, proposal: Any) -> list[str]:
        names = set()
        for name in proposal["value"]:
            group = self._where[name][0] if name in self._where else None
            if not isinstance(group, ContainerGroup):
                raise _unknown(name, list(self._tree.groups))
            names.add(group.name)
        return [name for name in self._tree.groups if name in names]

    @property
    def named(self) -> set[str]:
        """Names of the layers and containers that a node or a group stands for: each node's is that of its output."""
        return {node.layer for node in self._tree.nodes} | set(self._tree.groups)

    def _still(self) -> parts.Block | None:
        """The first nodes and folded groups, in execution order."""
        nodes = [node for node in newest_push(self, "layout").content.get("nodes", ()) if node["kind"] != "join"]
        lines = []
        for node in nodes[:_MOST]:
            shape = " × ".join(map(str, node["shape"]))
            is_selected = self.selected and self.selected in (node.get("layer"), *node.get("members", ()))
            line = "  ·  ".join(part for part in (node["title"], node["detail"], shape) if part)
            indent = "    " * (node["level"] - 1)
            lines.append(parts.remark(indent + line, colour=parts.ACCENT if is_selected else parts.INK, most=1))
        if len(nodes) > _MOST:
            lines.append(parts.remark(f"… and {len(nodes) - _MOST} more"))
        return parts.column(lines, 2) if lines else None

    def _still_title(self) -> str:
        return title("Architecture", f"{self._layers} layers", self)

    @command("expand_all")
    def expand_all(self) -> None:
        """Open every group."""
        self.expanded = list(self._tree.groups)

    @command("collapse_all")
    def collapse_all(self) -> None:
        """Close every group."""
        self.expanded = []

    @command("scale", name=text(), factor=number_between(0, 2))
    def _scaled(self, name: str, factor: float) -> None:
        if name not in self.switchable:
            raise _unknown(name, self.switchable)
        self.scales = {**{other: own for other, own in self.scales.items() if other != name}, name: factor}
        self.on_scale(name, factor)

    def _open_around(self, name: str) -> None:
        if name:
            self.expanded = [*self.expanded, *self._where[name][1]]

    def _lay_out(self) -> None:
        with self._lock:
            self.push("layout", **self._content())

    def _content(self) -> dict[str, Any]:
        graph = visible_graph(self._tree, set(self.expanded))
        sign_widths = {
            key: max(SIGN, 8.0 + 7.0 * len(item.units[0].label))
            for key, item in graph.items.items()
            if not isinstance(item, ContainerGroup) and item.kind == JOIN
        }
        drawing = lay_out(list(graph.items), graph.links, graph.frames, sign_widths)
        nodes = [
            {"id": str(key), "level": len(graph.frames[key]) + 1, **self._described(item, drawing.nodes[key])}
            for key, item in graph.items.items()
        ]
        for name, frame in drawing.frames.items():
            group = self._tree.groups[str(name)]
            level = len(self._tree.around(group)) + 1
            nodes.append({"id": group.name, "level": level, "open": True, **self._described(group, frame)})
        return {
            "nodes": nodes,
            "lines": [list(itertools.chain(*line)) for line in drawing.lines],
            "back": [list(itertools.chain(*line)) for line in drawing.back],
            "width": drawing.width,
            "height": drawing.height,
            "axis": drawing.axis,
            "anchor": self._anchor,
        }

    def _described(self, item: ChainNode | ContainerGroup, box: Rectangle) -> dict[str, Any]:
        lies_at = {"x": box.x, "y": box.y, "w": box.width, "h": box.height}
        return lies_at | node_content(item, self._tree, self._network)

    @command("expand", name=text())
    def _expand(self, name: str) -> None:
        self._fold_at(name, [*self.expanded, name])

    @command("collapse", name=text())
    def _collapse(self, name: str) -> None:
        self._fold_at(name, [other for other in self.expanded if other != name])

    def _fold_at(self, name: str, expanded: list[str]) -> None:
        """Open or close groups; the drawing stays put at ``name``."""
        with self._lock:
            self._anchor = name
            try:
                self.expanded = expanded
            finally:
                self._anchor = ""


def _unknown(name: str, names: list[str]) -> CnnWidgetsError:
    # core/network.py needs torch, a widget does not
    from cnnwidgets.core.network import unknown_layer

    return LayerNotFound(unknown_layer(name, names))
