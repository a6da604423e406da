"""From one number back to the convolution that it came from, step by step."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cnnwidgets.tracing.receptive.call import words

from .calls import TorchCall
from .products import CONVOLUTIONS, Products, bound, products_of

_ELEMENTWISE = words(
    "relu relu6 hardtanh silu gelu sigmoid tanh hardswish hardsigmoid leaky_relu elu selu celu mish softplus softsign "
    "clamp clamp_min clamp_max threshold prelu logsigmoid abs square sqrt exp log neg pow"
)
_DIVISION = ("/", operator.truediv)
_ARITHMETIC = {
    "add": ("+", operator.add),
    "sub": ("-", operator.sub),
    "mul": ("×", operator.mul),
    "div": _DIVISION,
    "truediv": _DIVISION,
}
_MOVES = words(
    "view reshape flatten unflatten permute transpose movedim contiguous clone detach squeeze unsqueeze chunk split "
    "unbind getitem narrow select t roll flip expand to float double half type type_as view_as dropout dropout2d "
    "feature_dropout alpha_dropout channel_shuffle pixel_shuffle pixel_unshuffle"
)
"""Their result holds numbers of what they read, as they are."""
_CASTS = words("to float double half type type_as dropout dropout2d feature_dropout alpha_dropout")
_LONGEST = 60


class NotTakenApart(Exception):
    """It was made in a way that is not understood; says by what."""


@dataclass(frozen=True)
class ArithmeticStep:
    """One step on the way to a number.

    Attributes:
        layer: dotted name of the module that does it.
        operation: what is done, in words.
        value: the number behind it.
    """

    layer: str
    operation: str
    value: float

    def __str__(self) -> str:
        return f"{self.layer or 'the network'}: {self.operation} -> {self.value:.6g}"


@dataclass
class Chain:
    """The convolution at the beginning, its steps, and what is to be said of them."""

    products: Products
    steps: list[ArithmeticStep]
    box: tuple[int, int, int, int] | None
    notes: list[str] = field(default_factory=list)
    expected: list[float] = field(default_factory=list)
    """What each further step must come to, by the number before it; NaN where that is not said by one number."""

    def add(self, call: TorchCall, operation: str, value: float, expected: float = math.nan) -> None:
        """One more step."""
        self.steps.append(ArithmeticStep(call.layer, operation, value))
        self.expected.append(expected)


def chain_to(call: TorchCall | None, index: int, depth: int = 0) -> Chain:
    """The way to the number at ``index`` of what ``call`` returned, counted along the flattened tensor.

    Raises:
        NotTakenApart: it does not begin with a convolution.
    """
    if call is None:
        raise NotTakenApart("it was not made by a torch call that could be seen, or is the network's input")
    if depth > _LONGEST:
        raise NotTakenApart(f"it is more than {_LONGEST} steps away from a convolution")
    value = float(call.value.detach().reshape(-1)[index])
    if call.name in CONVOLUTIONS:
        return _convolved(call, index, value)
    if call.name == "batch_norm" and call.function is functional.batch_norm:
        return _after_norm(call, index, value, depth)
    if call.name in ("layer_norm", "group_norm"):
        return _by_own_statistics(call, index, value, depth)
    if call.name in _MOVES:
        return _moved(call, index, depth)
    if call.name in _ARITHMETIC:
        return _combined(call, index, value, depth)
    if call.name in _ELEMENTWISE:
        chain = chain_to(call.source(_read_tensor(call)), index, depth + 1)
        chain.add(call, _operation(call), value, _of_one_number(call, chain.steps[-1].value))
        return chain
    where = f" in {call.layer!r}" if call.layer else ""
    raise NotTakenApart(f"it was made by {call.name!r}{where}, which is neither a convolution nor a step after one")


def _convolved(call: TorchCall, index: int, value: float) -> Chain:
    cell = tuple(int(at) for at in np.unravel_index(index, tuple(call.value.shape)))
    products = products_of(call, cell)
    count = products.kernel.numel()
    words = "1 product" if count == 1 else f"sum of {count:,} products"
    bias = f" {products.bias:+.4g}" if products.bias else ""
    chain = Chain(products, [ArithmeticStep(call.layer, words + bias, value)], products.box)
    padding = call.source(call.args[0]) if call.args else None
    if padding is not None and padding.name == "pad" and products.box is not None:
        _unpadded(chain, padding)
    return chain


def _unpadded(chain: Chain, padding: TorchCall) -> None:
    """The box in what was padded before the convolution."""
    arguments = bound(padding)
    sides, mode = tuple(arguments["pad"]), arguments.get("mode", "constant")
    top, left, bottom, right = chain.products.box or (0, 0, 0, 0)
    up, before = (sides[2] if len(sides) > 2 else 0), sides[0]
    chain.box = (top - up, left - before, bottom - up, right - before)
    height, width = arguments["input"].shape[-2:]
    inside = chain.box[0] >= 0 and chain.box[1] >= 0 and chain.box[2] <= height and chain.box[3] <= width
    if mode != "constant" and not inside:
        chain.notes.append(f"a part of the patch lies in the padding, which repeats numbers of the input ({mode})")


def _after_norm(call: TorchCall, index: int, value: float, depth: int) -> Chain:
    arguments = bound(call)
    if arguments["training"] or arguments["running_var"] is None:
        return _by_own_statistics(call, index, value, depth)
    chain = chain_to(call.source(arguments["input"]), index, depth + 1)
    shape = tuple(call.value.shape)
    channel = int(np.unravel_index(index, shape)[1])

    def number(name: str, default: float) -> float:
        return default if arguments[name] is None else float(arguments[name][channel])

    scale = number("weight", 1.0) / (number("running_var", 1.0) + arguments["eps"]) ** 0.5
    shift = number("bias", 0.0) - number("running_mean", 0.0) * scale
    expected = chain.steps[-1].value * scale + shift
    chain.add(call, f"batch norm: × {scale:.6g} {shift:+.6g}", value, expected)
    return chain


def _by_own_statistics(call: TorchCall, index: int, value: float, depth: int) -> Chain:
    chain = chain_to(call.source(_read_tensor(call)), index, depth + 1)
    kind = call.name.replace("_", " ")
    chain.add(call, f"{kind}, by the mean and variance of these very numbers", value)
    return chain


def _moved(call: TorchCall, index: int, depth: int) -> Chain:
    tensor = _read_tensor(call)
    if call.name not in _CASTS:
        before = call.before(tensor)
        positions = torch.arange(before.numel(), device=before.device).view(before.shape)
        args, kwargs = _replaced(call, tensor, positions)
        try:
            moved: Any = call.function(*args, **kwargs)
        except (RuntimeError, TypeError) as error:
            raise NotTakenApart(f"{call.name!r} could not be followed ({error})") from None
        moved = moved if isinstance(moved, torch.Tensor) else moved[call.position]
        index = int(moved.reshape(-1)[index])
    elif call.value.numel() != tensor.numel():
        raise NotTakenApart(f"{call.name!r} could not be followed")
    return chain_to(call.source(tensor), index, depth + 1)


def _replaced(call: TorchCall, tensor: torch.Tensor, positions: torch.Tensor) -> tuple[list[Any], dict[str, Any]]:
    args = [positions if value is tensor else value for value in call.args]
    return args, {name: positions if value is tensor else value for name, value in call.kwargs.items()}


def _combined(call: TorchCall, index: int, value: float, depth: int) -> Chain:
    """A sum, difference, product or quotient: one side is followed, the other is a number."""
    sides = list(call.args[:2])
    failure = NotTakenApart(f"{call.name!r} reads nothing that a convolution made")
    ways: list[tuple[Chain, int]] = []
    for number in (0, 1):
        side = sides[number]
        if isinstance(side, torch.Tensor) and not call.kwargs:
            try:
                ways.append((chain_to(call.source(side), _broadcast(call, side, index), depth + 1), number))
            except NotTakenApart as error:
                failure = error if not number else failure
    if not ways:
        raise failure
    # A shortcut is longer, or begins with a smaller kernel, than what it goes around; else the first.
    chain, number = min(ways, key=lambda way: (len(way[0].steps), -way[0].products.kernel.numel()))
    other = sides[1 - number]
    term = float(call.before(other).reshape(-1)[_broadcast(call, other, index)]) if torch.is_tensor(other) else other
    source = call.source(other)
    origin = f", from {source.layer!r}" if source is not None and source.layer else ""
    sign, function = _ARITHMETIC[call.name]
    before = chain.steps[-1].value
    if number == 0 or sign in "+×":
        chain.add(call, f"{sign} {term:.6g}{origin}", value, function(before, term))
    else:
        chain.add(call, f"taken from {term:.6g}{origin}" if sign == "-" else f"{term:.6g}{origin} over it", value)
    if len(ways) > 1:
        chain.notes.append(f"two ways lead here: the other, {sign} {term:.6g}{origin}, is not taken apart")
    return chain


def _of_one_number(call: TorchCall, before: float) -> float:
    """What an operation on one number makes of this one."""
    tensor = _read_tensor(call)
    args, kwargs = _replaced(call, tensor, torch.tensor([before], dtype=tensor.dtype, device=tensor.device))
    try:
        return float(call.function(*args, **kwargs))
    except (RuntimeError, TypeError, ValueError):  # as a PReLU, which has a number for each channel
        return math.nan


def _broadcast(call: TorchCall, tensor: torch.Tensor, index: int) -> int:
    """Where in ``tensor`` the number is that meets the one at ``index`` of the result."""
    positions = torch.arange(tensor.numel(), device=tensor.device).view(tensor.shape)
    return int(positions.expand(call.value.shape).reshape(-1)[index])


def _operation(call: TorchCall) -> str:
    if call.function is functional.hardtanh:
        arguments = bound(call)
        return f"clamp to {arguments['min_val']:g} ... {arguments['max_val']:g}"
    return call.name


def _read_tensor(call: TorchCall) -> torch.Tensor:
    value = call.args[0] if call.args else call.kwargs.get("input")
    if not isinstance(value, torch.Tensor):
        raise NotTakenApart(f"{call.name!r} was given no tensor")
    return value
