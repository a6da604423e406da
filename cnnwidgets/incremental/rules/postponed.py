"""Views that only note a sign: torch's lazy conjugates and negatives, done at once."""

from __future__ import annotations

from typing import Any

import torch

from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.edits import Edits, whole
from cnnwidgets.incremental.values.sharing import related

from .registry import OPERATIONS

AT_ONCE = {
    torch.ops.aten._conj: torch.ops.aten.conj_physical.default,  # noqa: SLF001
    torch.ops.aten._neg_view: torch.ops.aten.neg.default,  # noqa: SLF001
}
"""View -> the operation that computes what it only notes.

The note lies on the tensor that torch sees, which is the one that stands for the edits: rules that work on the numbers
behind it, below torch's code that resolves such notes, would ignore it.
"""


def at_once(run: EditRun, function: Any, value: Edits) -> Edits:
    """What the view ``function`` of ``value`` stands for, in memory of its own; nobody may write to either after it."""
    computed = AT_ONCE[function.overloadpacket]

    def apart(real: torch.Tensor) -> torch.Tensor:
        signed: torch.Tensor = computed(real)
        run.part(real, signed)
        return signed

    if value.is_whole:
        return whole(run, apart(value.every), value.box, value.axes, strides=value.stride(), shared=True)
    return related(OPERATIONS[computed.overloadpacket](run, computed, value), value, apart)
