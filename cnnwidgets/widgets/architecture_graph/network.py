"""What the graph needs to know of a traced model, read from any object that has a trace's attributes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

INPUT = "input"
JOIN = "join"


@dataclass(frozen=True)
class Unit:
    """One thing that ran: a layer at one place of the graph, a join, or the input.

    ``name`` is empty for a join and for the input; ``scope`` holds the dotted names of the containers around it,
    outermost first; ``silent`` says that it changes nothing in evaluation mode (dropout, identity). ``label`` is the
    sign of a join; ``functions`` are the torch functions applied to its output before the next unit.
    """

    key: int
    name: str
    kind: str
    scope: tuple[str, ...] = ()
    silent: bool = False
    label: str = ""
    functions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Info:
    """What is shown of a layer or container; a missing number is None."""

    name: str
    type: str = ""
    kind: str = "other"
    detail: str = ""
    input_shape: tuple[int, ...] = ()
    output_shape: tuple[int, ...] = ()
    params: int = 0
    macs: int | None = None
    receptive_field: tuple[int, ...] = ()
    calls: int = 1
    functions: tuple[str, ...] = ()
    functional: bool = False


@dataclass
class Network:
    """Units in execution order, links between their keys, and what is known of layers and containers by name."""

    units: list[Unit] = field(default_factory=list)
    links: list[tuple[int, int]] = field(default_factory=list)
    infos: dict[str, Info] = field(default_factory=dict)
    input_shape: tuple[int, ...] = ()


def scope_of(name: str) -> tuple[str, ...]:
    """The containers around ``name``.

    >>> scope_of("layer1.0.conv1")
    ('layer1', 'layer1.0')
    """
    parts = name.split(".")
    return tuple(".".join(parts[:k]) for k in range(1, len(parts)))


def common(scopes: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The longest start that all ``scopes`` share."""
    found: tuple[str, ...] | None = None
    for scope in scopes:
        if found is None:
            found = scope
        length = next((k for k, (a, b) in enumerate(zip(found, scope, strict=False)) if a != b), None)
        found = found[: min(len(found), len(scope)) if length is None else length]
    return found or ()
