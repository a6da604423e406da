"""What is odd about a layer's kernels: filters that do nothing, and filters that do the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnwidgets.core.arrays import dataframe
from cnnwidgets.core.kernel_numbers import MOST_PAIRS, Pairs, kernel_norms, kernel_sparsity, near_duplicates
from cnnwidgets.core.network import walked_once
from cnnwidgets.explainers.engine.inputs import checked
from cnnwidgets.tracing.anatomy import Anatomy
from cnnwidgets.tracing.recorded import Op, Recording

from .layer_weights import Kernels, weights

_NON_NEGATIVE = ("relu", "relu6", "sigmoid", "softmax", "hardsigmoid", "softplus", "square", "abs", "exp")
_PASSES = ("", "dropout", "dropout2d", "contiguous", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "identity")
"""Operations behind which numbers that were not negative still are not; "" is where a module returns."""
_MOST_ROWS = 12


@dataclass(frozen=True, eq=False, repr=False)
class KernelSummary:
    """What :func:`summary` says of the K filters of a layer.

    Attributes:
        kernels: the filters themselves.
        norms: (K,) Euclidean norm of each.
        sparsity: (K,) the share of each that is exactly zero, in [0, 1].
        dead: filters whose output never changes, ascending.
        near_duplicates: (first, second, cosine): flattened kernels with a cosine above 0.99 or below -0.99, of one
            group; the most alike first.
        notes: why filters are dead, and what was not looked at.
    """

    kernels: Kernels
    norms: npt.NDArray[np.float64]
    sparsity: npt.NDArray[np.float64]
    dead: tuple[int, ...]
    near_duplicates: Pairs
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([f"{self.kernels!r}", *self._lines(), *self.notes])

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame``: a row a filter, with ``norm``, ``sparsity`` and ``dead``.

        Raises:
            CnnWidgetsError: pandas is not installed.
        """
        filters = range(len(self.norms))
        dead = [number in self.dead for number in filters]
        numbers = {"norm": self.norms.tolist(), "sparsity": self.sparsity.tolist()}
        return dataframe({"filter": filters, **numbers, "dead": dead})

    def _lines(self) -> Iterator[str]:
        alike: dict[int, list[str]] = {}
        for first, second, cosine in self.near_duplicates:
            for number, other in ((first, second), (second, first)):
                alike.setdefault(number, []).append(f"{other} ({cosine:+.3f})")
        order = np.argsort(-np.nan_to_num(self.norms, nan=-1.0), kind="stable").tolist()
        half = _MOST_ROWS // 2
        cut = len(order) > _MOST_ROWS
        yield f"{'filter':>6}  {'norm':>9}  {'zeros':>6}  remark"
        for number in [*order[:half], None, *order[-half:]] if cut else order:
            if number is None:
                yield f"{'...':>6}"
                continue
            remarks = ["dead"] if number in self.dead else []
            remarks += [f"like {', '.join(alike[number][:3])}"] if number in alike else []
            row = f"{number:>6}  {self.norms[number]:>9.4g}  {self.sparsity[number]:>6.1%}  {'; '.join(remarks)}"
            yield row.rstrip()


def summary(model: nn.Module, layer: str | nn.Module, image: torch.Tensor | None = None) -> KernelSummary:
    """Norms, sparsity, dead filters and near-duplicates of a layer's kernels.

    A filter is dead if its output is the same for every input, which is said only where it is certain: its kernel is
    zero, or, with ``image``, its batch norm multiplies by zero, or a ReLU follows and no input gets through to it:
    what arrives is never negative, no weight is positive, and nor is what is added.

    Args:
        model: read and left as it was.
        layer: a convolution, a transposed one or a linear layer.
        image: (1, C, H, W), for which the model is run once to see what precedes and what follows the layer; None: only
            the kernels are looked at.

    Raises:
        LayerNotFound, InputError: as for :func:`~cnnwidgets.kernels.weights`.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 2, bias=False))
        >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0, 2, 0, 0], [0, 0, 0, 0]]).view(2, 1, 2, 2))
        >>> print(summary(net, "0"))
        Kernels('0', Conv2d, (2, 1, 2, 2))
        filter       norm   zeros  remark
             0      2.236   50.0%
             1          0  100.0%  dead
        filter 1 is dead: its kernel is zero
    """
    kernels = weights(model, layer)
    array = kernels.array
    norms = kernel_norms(array)
    reasons = dict.fromkeys(np.flatnonzero(norms == 0).tolist(), "its kernel is zero")
    notes = list(kernels.notes)
    if image is not None:
        with walked_once():
            recording, _ = Anatomy.shared(model, checked(model, image))
        surroundings = _Surroundings(recording, kernels.layer)
        reasons |= {number: why for number, why in surroundings.dead(kernels) if number not in reasons}
        notes += surroundings.notes
    duplicates = near_duplicates(array, kernels.groups)
    notes += [f"{_filters(numbers)} dead: {why}" for why, numbers in _by_reason(reasons)]
    if len(duplicates) == MOST_PAIRS:
        notes.append(f"only the {MOST_PAIRS} pairs most alike are listed")
    if array[0].size == 1:
        notes.append("each kernel is a single number, so none is said to be like another")
    if not np.isfinite(norms).all():
        notes.append(f"{_filters(np.flatnonzero(~np.isfinite(norms)).tolist())} not finite")
    return KernelSummary(kernels, norms, kernel_sparsity(array), tuple(sorted(reasons)), duplicates, tuple(notes))


def _by_reason(reasons: dict[int, str]) -> list[tuple[str, list[int]]]:
    return [(why, sorted(n for n in reasons if reasons[n] == why)) for why in dict.fromkeys(reasons.values())]


def _filters(numbers: list[int]) -> str:
    listed = ", ".join(map(str, numbers[:8])) + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
    return f"filter {listed} is" if len(numbers) == 1 else f"filters {listed} are"


class _Surroundings:
    """What precedes and follows a layer, where that is one operation after another and nothing else."""

    def __init__(self, recording: Recording, layer: str) -> None:
        self.norm: nn.Module | None = None
        self.rectified = self.never_negative = False
        self.notes: list[str] = []
        calls = [frame for frame in recording.frames if frame.name == layer]
        own = [op for frame in calls for op in frame.ops if op.name.startswith("conv") or op.name == "linear"]
        if len(own) != 1:
            self.notes.append(f"the layer runs {len(own)} times: what surrounds it was not looked at")
            return
        ops = {op.id: op for op in recording.ops}
        readers: dict[int, list[Op]] = {}
        for op in recording.ops:
            for read in op.inputs:
                readers.setdefault(read, []).append(op)
        follower = _only(own[0], readers, recording)
        module = None if follower is None or follower.frame is None else follower.frame.module
        if follower is not None and follower.name == "batch_norm" and isinstance(module, _BatchNorm):
            self.norm = module if module.running_var is not None else None
            follower = _only(follower, readers, recording) if self.norm is not None else None
        self.rectified = follower is not None and follower.name in ("relu", "relu6")
        source = ops.get(own[0].inputs[0]) if len(own[0].inputs) == 1 else None
        while source is not None and source.name in _PASSES and len(source.inputs) == 1:
            source = ops.get(source.inputs[0])
        self.never_negative = source is not None and source.name in _NON_NEGATIVE

    def dead(self, kernels: Kernels) -> Iterator[tuple[int, str]]:
        """Filters that are, and why."""
        flat = kernels.array.reshape(len(kernels.array), -1).astype(np.float64)
        scale, shift = np.ones(len(flat)), np.zeros(len(flat)) if kernels.bias is None else kernels.bias.astype(float)
        if self.norm is not None:
            factor, offset = affine_of(self.norm)
            scale, shift = factor, factor * shift + offset
            yield from ((n, "its batch norm multiplies by zero") for n in np.flatnonzero(scale == 0).tolist())
        if self.rectified and self.never_negative:
            never = ((flat * scale[:, None]).max(1) <= 0) & (shift <= 0)
            why = "what arrives is never negative and no weight is positive, so the ReLU after it lets nothing through"
            yield from ((number, why) for number in np.flatnonzero(never & (scale != 0)).tolist())


def affine_of(norm: nn.Module) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What a batch norm in evaluation mode multiplies by, and what it adds, (K,) each."""

    def numbers(value: torch.Tensor | None, default: float) -> npt.NDArray[np.float64]:
        if value is None:
            return np.full(norm.num_features, default)  # type: ignore[arg-type]
        return np.asarray(value.detach().double().cpu().numpy())

    weight, bias = numbers(norm.weight, 1.0), numbers(norm.bias, 0.0)  # type: ignore[arg-type]
    mean, variance = numbers(norm.running_mean, 0.0), numbers(norm.running_var, 1.0)  # type: ignore[arg-type]
    scale = weight / np.sqrt(variance + norm.eps)  # type: ignore[operator]
    return scale, bias - mean * scale


def _only(op: Op, readers: dict[int, list[Op]], recording: Recording) -> Op | None:
    """The one operation that reads what ``op`` made, past where modules return; None: several do, or the network
    returns it."""
    while op.id not in recording.outputs:
        after = readers.get(op.id, [])
        if len(after) != 1:
            return None
        op = after[0]
        if op.name:
            return op
    return None
