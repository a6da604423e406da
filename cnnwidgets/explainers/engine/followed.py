"""A forward pass, and the layouts of what its layers returned: remembered, read as it goes, or followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from cnnwidgets.tracing.layouts.memory import Memory
from cnnwidgets.tracing.layouts.plain_pass import PlainPass

from .layer_outputs import Watch

_DRIFT = (
    "the network moves or cuts its input in another way each time it runs: the maps are placed as in one run of it, "
    "which may not be this one"
)


class Pass(Protocol):
    """A forward pass of the model."""

    watch: Watch


Seen = TypeVar("Seen", bound=Pass)


def looked(
    look: Callable[[Memory], Seen], remembered: Callable[[bool], Memory]
) -> tuple[Seen, Memory, tuple[str, ...]]:
    """A pass, what holds for it, and what to say where that may not be so.

    Args:
        look: runs the model; its layers are read by what is remembered or, where that does not say, as it goes.
        remembered: what is known of the model; True: by a recording.
    """
    memory = remembered(False)
    before: int | None = None
    while True:
        one_pass = look(memory)
        watch = one_pass.watch
        signature = watch.pathway.signature
        if not isinstance(watch.pathway, PlainPass):
            if memory.agrees(signature):
                return one_pass, memory, () if before in (None, signature) else (_DRIFT,)
            memory.forget()
        elif watch.pathway.odd:
            memory, before = remembered(True), signature
        else:
            memory.learn(watch.layouts, signature, complete=not watch.alone)
            return one_pass, memory, ()
        del one_pass, watch  # and the maps they hold
