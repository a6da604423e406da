"""What one forward pass did: its torch calls, and the modules that made them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from torch import nn

from .layouts.grids import Joins
from .receptive.field import Field


@dataclass
class Op:
    """One torch call whose result depends on the network's input; op 0 is the input itself."""

    id: int
    name: str
    frame: ModuleCall | None
    inputs: tuple[int, ...]
    params: tuple[str, ...] = ()
    input_shape: tuple[int, ...] = ()
    output_shape: tuple[int, ...] = ()
    field: Field | None = None
    macs: int = 0
    detail: str = ""


@dataclass
class ModuleCall:
    """One call of a module. ``id``, ``end`` and the ops' ids share one counter: they tell the order of events."""

    id: int
    end: int
    module: nn.Module
    name: str
    parent: ModuleCall | None
    inputs: tuple[int, ...] = ()
    input_shape: tuple[int, ...] = ()
    output_shape: tuple[int, ...] = ()
    field: Field | None = None
    children: list[ModuleCall] = dataclasses.field(default_factory=list)
    ops: list[Op] = dataclasses.field(default_factory=list)
    macs: int = 0


@dataclass
class Recording:
    """What one forward pass did."""

    model: nn.Module
    root: ModuleCall
    ops: list[Op]
    frames: list[ModuleCall]
    outputs: tuple[int, ...]
    input_shape: tuple[int, ...]
    joins: Joins
    """How tokens were joined."""
