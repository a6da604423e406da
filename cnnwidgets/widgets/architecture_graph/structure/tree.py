"""The folded network: nodes, the groups around them, and the links between nodes."""

from __future__ import annotations

from dataclasses import dataclass, field

from .network import GraphUnit


@dataclass
class ChainNode:
    """A chain of units drawn as one, and called by ``layer``, the member whose output is the node's output."""

    key: int
    units: list[GraphUnit]
    scope: tuple[str, ...]
    layer: str
    aliases: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.units[0].kind


@dataclass
class ContainerGroup:
    """A container with several things inside, directly or through ``aliases``: containers of nothing but one other."""

    name: str
    parent: str | None
    nodes: list[ChainNode] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)


@dataclass
class Tree:
    """All nodes in execution order, all groups outermost first, and links between node keys.

    ``flattened`` holds the last node of each container that is not a group.
    """

    nodes: list[ChainNode]
    groups: dict[str, ContainerGroup]
    links: list[tuple[int, int]]
    flattened: dict[str, ChainNode] = field(default_factory=dict)

    def where(self) -> dict[str, tuple[ChainNode | ContainerGroup, tuple[str, ...]]]:
        """For each name of a layer or container, the node or group that shows it and the groups around that."""
        shown_by: dict[str, tuple[ChainNode | ContainerGroup, tuple[str, ...]]] = {
            name: (node, node.scope) for name, node in self.flattened.items()
        }
        for group in self.groups.values():
            shown_by |= dict.fromkeys((group.name, *group.aliases), (group, self.around(group)))
        for node in self.nodes:
            # of a layer called several times, the last call is the one whose output is shown
            names = [unit.name for unit in node.units if unit.name] + node.aliases
            shown_by |= dict.fromkeys(names, (node, node.scope))
        return shown_by

    def around(self, group: ContainerGroup) -> tuple[str, ...]:
        """The groups around ``group``, outermost first."""
        return () if group.parent is None else (*self.around(self.groups[group.parent]), group.parent)
