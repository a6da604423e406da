"""What happens when the model's code calls an operation on edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter
from typing import Any

import torch

from cnnwidgets.core.interrupts import careful
from cnnwidgets.core.nested import mapped, tensors
from cnnwidgets.tracing.macs import count

from .rules.registry import ELEMENTWISE, FUNCTIONS, OPERATIONS, Rule
from .run import EditRun, ReadsValues
from .values.edits import Edits, untouched, whole
from .values.sharing import about_to_change, conform, materialise, related, strides_like, take_over

_KEEPS_IMAGES = {getattr(torch.ops.aten, name) for name in ("view", "_unsafe_view", "reshape", "detach", "alias")}
"""Views in which what comes first is a multiple of the images, in their order."""

_SIGNS = {torch.ops.aten._conj, torch.ops.aten._neg_view}  # noqa: SLF001
"""Views that only note a sign: torch's lazy conjugates and negatives."""

_base, _without_edits, _every = attrgetter("base"), attrgetter("unedited"), attrgetter("every")

_FIRST = ("input", "query", "tensors")
"""What torch calls the first argument of functions that there are rules for."""


@dataclass(frozen=True)
class _OperationTraits:
    """What an operation does, as its schema tells."""

    rule: Rule | None
    writes: tuple[int | str, ...]  # positions or names of the arguments that it changes
    is_view: bool
    draws: bool  # random numbers
    reads: bool  # gives numbers to Python, or a shape that depends on them
    functional: Any  # the same without writing, if there is one


@cache
def _traits(function: Any) -> _OperationTraits:
    schema = function._schema  # noqa: SLF001
    writes = tuple(
        argument.name if argument.kwarg_only else index
        for index, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    is_view = any(value.alias_info is not None and not value.alias_info.is_write for value in schema.returns)
    tags = function.tags
    packet, functional = function.overloadpacket, None
    name = schema.name.split("::")[1]
    if writes == (0,) and name.endswith("_"):
        other = getattr(torch.ops.aten, name[:-1], None)
        functional = getattr(other, function._overloadname, None) if other is not None else None  # noqa: SLF001
    return _OperationTraits(
        OPERATIONS.get(packet),
        writes,
        is_view,
        torch.Tag.nondeterministic_seeded in tags,
        torch.Tag.data_dependent_output in tags or torch.Tag.dynamic_output_shape in tags,
        functional,
    )


@careful  # else an interrupt may leave torch without the functions of subclasses
def called(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function of torch's Python interface."""
    with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001
        rule = FUNCTIONS.get(function)
        if rule is not None:
            first = next((name for name in _FIRST if name in kwargs), None)
            if first is not None and not args:  # rules take it by its place
                args, kwargs = (kwargs[first],), {name: value for name, value in kwargs.items() if name != first}
            edits = edits_in(args, kwargs)
            output = rule(edits[0].run, function, *args, **kwargs) if edits else NotImplemented
            if output is not NotImplemented:
                return output
        return function(*args, **kwargs)


def dispatched(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An ATen operation."""
    traits, edits = _traits(function), edits_in(args, kwargs)
    run = edits[0].run
    if traits.reads and not all(value.is_untouched for value in edits):
        run.reads = True
        if run.count > 1:
            raise ReadsValues(str(function))
    if function.overloadpacket in _SIGNS:
        raise RuntimeError(f"{function} notes a sign on the tensor, which rules for the numbers behind it do not see")
    if traits.writes:
        return _writing(traits, run, function, args, kwargs)
    if traits.is_view:
        return _viewed(traits, run, function, args, kwargs)
    if traits.rule is not None:
        output = traits.rule(run, function, *args, **kwargs)
        if output is not NotImplemented:
            return output
    if not traits.draws and not traits.reads and all(value.is_untouched for value in edits):
        output = once_for_all(run, function, args, kwargs)
        if output is not NotImplemented:
            return output
    return everything(run, function, args, kwargs)


def edits_in(args: Any, kwargs: dict[str, Any] | None = None) -> list[Edits]:
    """All edits among the arguments of a call."""
    return [value for value in tensors((args, kwargs)) if isinstance(value, Edits)]


def replaced(value: Any, by: Callable[[Edits], Any]) -> Any:
    """``value`` with the edits in it replaced."""
    return mapped(value, lambda item: by(item) if isinstance(item, Edits) else item)


def everything(run: EditRun, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The operation as usual, on whole values."""
    run.mixes_batch |= not _elementwise(function)
    if function is torch.ops.aten._unsafe_view.default:  # noqa: SLF001  # the model believes the memory to be contiguous
        function = torch.ops.aten.reshape.default
    output = function(*replaced(args, Edits.whole), **replaced(kwargs, Edits.whole))
    products = count(function.overloadpacket, args, output)
    if products:
        run.work.edits(products, 1, products // max(run.count, 1), None, run.count)
    if "memory_format" in kwargs and isinstance(output, torch.Tensor):
        return whole(run, output, strides=output.stride())
    return wrapped(run, output, edits_in(args, kwargs))


def _elementwise(function: Any) -> bool:
    """Whether the operation looks at one place of one edit at a time."""
    return OPERATIONS.get(function.overloadpacket) in ELEMENTWISE


def wrapped(run: EditRun, output: Any, of: Sequence[Edits] = ()) -> Any:
    """The tensors in ``output`` as whole values, laid out like those of their shape among ``of``."""

    def wrap(value: Any) -> Any:
        if isinstance(value, Edits) or not isinstance(value, torch.Tensor):
            return value
        return whole(run, value, strides=next((strides_like(v) for v in of if v.shape == value.shape), None))

    return mapped(output, wrap)


def once_for_all(run: EditRun, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What has no rule, on values that no edit has reached, if it treats each image of a batch by itself."""

    def twice(value: Edits) -> torch.Tensor:
        return value.base.expand(2, *value.base.shape[1:])

    def apart() -> Any:
        try:
            once = function(*replaced(args, _base), **replaced(kwargs, _base))
            two = function(*replaced(args, twice), **replaced(kwargs, twice))
        except Exception:
            return None
        ones, twos = (value if isinstance(value, tuple | list) else (value,) for value in (once, two))
        fits = len(ones) == len(twos) and all(map(_same_for_both, ones, twos))
        if fits:
            run.work.once(count(getattr(function, "overloadpacket", None), replaced(args, _base), once))
        return once if fits else None

    output = run.memo.get(("apart", function), replaced(args, _without_edits), replaced(kwargs, _without_edits), apart)
    if output is None:
        return NotImplemented
    return mapped(output, partial(untouched, run))


def _same_for_both(once: Any, two: Any) -> bool:
    if not isinstance(once, torch.Tensor) or once.dim() == 0 or once.shape[0] != 1 or two.shape[0] != 2:
        return False
    return once.shape[1:] == two.shape[1:] and all(
        torch.allclose(once[0], row, rtol=1e-5, atol=1e-6, equal_nan=True) for row in two
    )


def _viewed(
    traits: _OperationTraits, run: EditRun, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    parent = args[0]
    if isinstance(parent, Edits) and not parent.is_whole and traits.rule is not None:
        output = traits.rule(run, function, *args, **kwargs)
        if output is not NotImplemented:
            return _shared(output, parent, function, args[1:], kwargs)
    edits = edits_in(args, kwargs)
    for value in edits:
        materialise(value)
    run.mixes_batch |= function.overloadpacket not in _KEEPS_IMAGES
    try:
        output = function(*replaced(args, _every), **replaced(kwargs, _every))
    except RuntimeError:  # the model's own memory is laid out in another way, which allows this view
        for value in edits:
            conform(value)
        output = function(*replaced(args, _every), **replaced(kwargs, _every))
    likes = function(*replaced(args, memory_layout), **replaced(kwargs, memory_layout))
    run.mixes_batch |= isinstance(output, torch.Tensor) and (output.dim() == 0 or len(output) != run.count)
    for value in edits:
        value.shared = True
    if isinstance(output, tuple | list):
        return type(output)(
            whole(run, item, strides=like.stride(), shared=True) for item, like in zip(output, likes, strict=True)
        )
    return whole(run, output, strides=likes.stride(), shared=True)


def memory_layout(value: Edits) -> torch.Tensor:
    """The memory that the model believes ``value`` to have, without the memory."""
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")


def _shared(output: Any, parent: Edits, function: Any, rest: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if isinstance(output, Edits):
        return related(output, parent, lambda real: function(real, *rest, **kwargs))
    return type(output)(
        related(item, parent, lambda real, index=index: function(real, *rest, **kwargs)[index])  # type: ignore[misc]
        for index, item in enumerate(output)
    )


def _writing(
    traits: _OperationTraits, run: EditRun, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    targets = [
        kwargs.get(where) if isinstance(where, str) else args[where] if where < len(args) else None
        for where in traits.writes
    ]
    for target in targets:
        if isinstance(target, Edits):
            about_to_change(target)
            run.refuse_parted(target.memories)
    value = targets[0]
    rule = None if traits.functional is None else OPERATIONS.get(traits.functional.overloadpacket)
    if rule is not None and isinstance(value, Edits) and not value.is_whole and not traits.draws:
        output = rule(run, traits.functional, *args, **kwargs)
        if isinstance(output, Edits) and output.shape == value.shape and output.dtype == value.dtype:
            return take_over(value, output)
    for target in targets:
        if isinstance(target, Edits):
            materialise(target)
    run.mixes_batch |= traits.functional is None or not _elementwise(traits.functional)
    output = function(*replaced(args, Edits.whole), **replaced(kwargs, Edits.whole))
    if isinstance(output, torch.Tensor):
        return next((target for target in targets if isinstance(target, Edits) and target.every is output), output)
    return wrapped(run, output)


Edits.follow_function, Edits.follow_operation = called, dispatched
