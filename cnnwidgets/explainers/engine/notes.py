"""What is said beside a map, whichever explainer made it: where the model or its output makes it less than it seems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import OperationWatch
from cnnwidgets.core.network import Network
from cnnwidgets.outputs.choice import leaves
from cnnwidgets.outputs.kinds import COMPETING, has_probabilities, probabilities
from cnnwidgets.outputs.readout import Readout
from cnnwidgets.outputs.scores import SATURATED
from cnnwidgets.running.batches_of_one import may_be_the_batch
from cnnwidgets.running.forward import run
from cnnwidgets.state.preserved import in_training_mode

from .inputs import which_images

_ROUNDING = 4
"""Scores that differ by this many units in the last place are the same."""


def output_notes(readout: Readout, score: str) -> Iterator[str]:
    """What the scores of all classes say about the map of one.

    Args:
        readout: what the model returned, and what it was taken for.
        score: ``"logit"`` or ``"probability"``, what is explained.
    """
    table, kind = readout.table, readout.kind
    yield from reading_notes(readout, score)
    if table is None or kind is None:
        return
    if table.shape[1] > 1:
        yield from _same_notes(table)
    if kind in ("softmax", "sigmoid") or (score == "probability" and has_probabilities(kind)):
        yield from _saturation_notes(probabilities(table, kind), readout)


def reading_notes(readout: Readout, score: str) -> Iterator[str]:
    """Those of :func:`output_notes` that hold for every class."""
    yield from readout.notes
    if readout.table is None or readout.table.shape[1] < 2:
        return
    if readout.kind == "softmax":
        yield (
            "the model's output is already a softmax: the map also shows what speaks against the other classes; "
            "explain the model before its softmax"
        )
    if readout.kind == "log_softmax" and score == "logit":
        yield (
            "the model's output is already a log-softmax: the map of a log-probability also shows what speaks against "
            "the other classes; explain the model before its log-softmax"
        )


def _same_notes(table: torch.Tensor) -> Iterator[str]:
    highest, lowest = table.amax(1), table.amin(1)
    step = torch.finfo(table.dtype).eps * torch.maximum(highest.abs(), lowest.abs())
    same = highest - lowest <= _ROUNDING * step
    if bool(same.any()):
        yield f"every class has the same score{which_images(same)}: the model does not tell the classes apart"


def _saturation_notes(shares: torch.Tensor, readout: Readout) -> Iterator[str]:
    """That changes of the image hardly change the score explained, since it is at the end of its range."""
    if readout.kind in COMPETING:
        highest = shares.amax(1)
    elif readout.explained is None:
        return
    else:  # other classes have nothing to do with it
        highest = shares[torch.arange(len(shares)), list(readout.explained)]
    if bool((highest > SATURATED).any()):
        advice = (
            f"explain the model before its {readout.kind}" if readout.kind in ("softmax", "sigmoid") else "use logits"
        )
        yield f"scores are saturated: {advice} (highest probability {float(highest.max()):.6f})"


def model_notes(model: nn.Module) -> Iterator[str]:
    """What in the model, as it was given, makes an explanation differ from what one would expect."""
    if in_training_mode(model):
        yield "model was in training mode; explained in evaluation mode"
    norms = [name for name, module in Network.of(model).layers if _uses_the_batch(module)]
    if not norms:
        return
    more = f" and {len(norms) - 1} more" if len(norms) > 1 else ""
    yield (
        f"layer {norms[0]!r}{more} normalises by the statistics of the batch, in evaluation mode too: images of a "
        "batch influence each other's scores and maps"
    )


def _uses_the_batch(module: nn.Module) -> bool:
    """Whether it is a batch norm without running statistics; instance norm, too, has none, and looks at one image."""
    shared = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 (the class that all kinds of batch norm share)
    return isinstance(module, shared) and module.running_mean is None and module.running_var is None


def change_notes(changed: tuple[str, ...]) -> Iterator[str]:
    """That running the model changed its buffers, named in ``changed``."""
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        yield (
            f"the model writes to its buffer {changed[0]!r}{more} while it runs, in evaluation mode too (put back "
            "afterwards): what it was run on before may change the map"
        )


def random_notes(model: nn.Module, images: torch.Tensor) -> Iterator[str]:
    """Whether the model draws random numbers, to be asked where somebody did: two more runs on the first image."""

    def once() -> list[torch.Tensor]:
        return [leaf.tensor.clone() for leaf in leaves(run(model, images[:1].clone()))]

    try:
        with torch.no_grad(), _Draws() as draws:
            first, second = once(), once()
    except Exception as error:
        if not may_be_the_batch(error):
            raise
        return  # it ran before and now does not: nothing is known
    apart = _apart(first, second)
    if apart is not None:
        yield (
            f"the model draws random numbers while it runs: two runs on one image gave outputs {apart}, so "
            "this map is one of many"
        )
    elif draws.noticed:
        yield "the model draws random numbers while it runs: this map may be one of many"


class _Draws(OperationWatch):  # type: ignore[no-untyped-call]
    """Notices operations that draw random numbers on this thread; the generators tell of all threads."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.noticed = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.noticed |= torch.Tag.nondeterministic_seeded in func.tags
        return func(*args, **(kwargs or {}))


def _apart(first: list[torch.Tensor], second: list[torch.Tensor]) -> str | None:
    """How the two differ, in words; None if they do not."""
    if [tensor.shape for tensor in first] != [tensor.shape for tensor in second]:
        return "of different shapes"
    gaps = [
        float((tensor.double() - other.double()).abs().nan_to_num(0.0).max())
        for tensor, other in zip(first, second, strict=True)
        if tensor.numel() and not tensor.is_complex()
    ]
    largest = max(gaps, default=0.0)
    return f"up to {largest:.2g} apart" if largest > 0 else None
