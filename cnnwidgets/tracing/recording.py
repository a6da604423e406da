"""One forward pass, recorded: every torch call, in which module it happened, and what it read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import attached, never_compiled
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.nested import tensors
from cnnwidgets.core.network import Network
from cnnwidgets.core.plain import check_example
from cnnwidgets.running.forward import NeedsGradients, again, fitted, in_graph, is_first_to_ask, needs_gradients, run
from cnnwidgets.state.preserved import preserved

from .kinds import detail_of_call
from .layouts.grids import Joins
from .provenance import CallOrigin, MemoryView, Provenance, covers, field_through
from .receptive.all_rules import output_field
from .receptive.call import RuleCall, mixed
from .receptive.field import Field, combined, of_input, reshaped
from .recorded import ModuleCall, Op, Recording
from .torch_calls import Watcher, plain_name, tensors_read, torch_calls


def record(model: nn.Module, example: torch.Tensor | Sequence[torch.Tensor]) -> Recording:
    """Run ``model`` once on ``example`` in evaluation mode, without gradients, and write down what it does.

    Args:
        model: any module that runs; wrappers are looked through.
        example: what the model takes, a tensor (N, C, H, W), in any floating-point type, or a tuple of tensors; not
            written to.

    Raises:
        InputError: ``example`` is not a tensor or a tuple of tensors.
        CnnWidgetsError: the model's forward raised; names the layer.
    """
    check_example(example)
    base = Network.of(model).base
    inputs = tuple(example) if isinstance(example, list | tuple) else (example,)
    # Within inference mode a convolution is one call, of which the calls inside are not seen.
    with torch.inference_mode(False), torch.no_grad(), preserved(model, evaluate=True), never_compiled():
        if len(inputs) == 1 and inputs[0].is_floating_point():
            inputs = (fitted(base, inputs[0]),)
        return again(lambda: _recorded(base, inputs))


def _recorded(base: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Recording:
    layers = Network.of(base).visible_layers
    recorder = _Recorder(base, layers)
    # The model may write to its input: it gets a copy.
    gradients = needs_gradients(base)
    copies = tuple(in_graph(value) if gradients else value.detach().clone() for value in inputs)
    for value in copies:
        recorder.begin_with(value)
    with (
        torch.set_grad_enabled(gradients),
        attached(layers.keys() - {base}, enter=recorder.enter, leave=recorder.leave, always=recorder.exit),
        torch_calls(recorder),
    ):
        # The network itself is announced from here, however its class is called.
        recorder.enter(base, copies)
        output = run(base, copies[0]) if len(copies) == 1 else _run_many(base, copies)
        replaced = recorder.leave(base, copies, output)
        recorder.exit(base, copies, output)
    return recorder.finish(output if replaced is None else replaced)


def _run_many(base: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    try:
        return base(*inputs)
    except (CnnWidgetsError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        kind = NeedsGradients if is_first_to_ask(base, inputs) else CnnWidgetsError
        raise kind(f"The model raised {type(error).__name__}: {error}.") from error


class _Recorder(Watcher):
    def __init__(self, base: nn.Module, names: Mapping[nn.Module, str]) -> None:
        super().__init__()
        self._base, self._names = base, names
        self._params = {id(parameter): name for name, parameter in Network.of(base).weights}
        self._ops: list[Op] = []
        self._frames: list[ModuleCall] = []
        self._stack: list[ModuleCall] = []
        self._provenance = Provenance()
        self._next = itertools.count().__next__
        self._joins = Joins()

    def begin_with(self, value: torch.Tensor) -> None:
        field = of_input(value.shape)
        if not self._ops:
            self._add("input", None, (), value.shape, field)
        self._provenance.assign(value, CallOrigin(0, field))

    def enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        parent = self._stack[-1] if self._stack else None
        now = self._next()
        frame = ModuleCall(now, now, module, self._names[module], parent)
        arguments = tensors(args)
        frame.inputs = tuple(dict.fromkeys(origin.op for origin in map(self._provenance.origin, arguments) if origin))
        frame.input_shape = tuple(arguments[0].shape) if arguments else ()
        if parent is not None:
            parent.children.append(frame)
        self._frames.append(frame)
        self._stack.append(frame)

    def leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        frame = self._innermost(module)
        outer, self.busy = self.busy, True
        try:
            return self._left(frame, args, output)
        finally:
            self.busy = outer

    def _left(self, frame: ModuleCall, args: tuple[Any, ...], output: Any) -> Any:
        replaced, results = None, tensors(output)
        if results:
            frame.output_shape = tuple(results[0].shape)
        for index, result in enumerate(results):
            origin = self._provenance.origin(result)
            if not frame.children:
                inputs = (origin.op,) if origin is not None else frame.inputs
                if not inputs:
                    continue
                receptive = origin.field if origin is not None else mixed([], result.shape)
                marker = self._add("", frame, inputs, result.shape, receptive)
                if (
                    output is result
                    and any(result is value for value in tensors(args))
                    and (origin is None or not any(op.id == origin.op for op in frame.ops))
                ):
                    # A layer that hands its input through: without an object of its own, a skip around it would
                    # look as if it started behind it.
                    replaced = result = result.view_as(result) if result.requires_grad else result.detach()
                origin = CallOrigin(marker.id, receptive)
                self._provenance.assign(result, origin)
            if index == 0 and origin is not None:
                frame.field = origin.field
        return replaced

    def exit(self, module: nn.Module, _args: tuple[Any, ...], _output: Any) -> None:
        self._innermost(module).end = self._next()
        self._stack.pop()

    def _innermost(self, module: nn.Module) -> ModuleCall:
        # An interrupt that the model itself catches leaves calls on the stack that never return.
        while self._stack[-1].module is not module:
            self._stack.pop()
        return self._stack[-1]

    def _add(
        self, name: str, frame: ModuleCall | None, reads: Iterable[int], shape: Sequence[int], field: Field, **more: Any
    ) -> Op:
        inputs = tuple(dict.fromkeys(reads))
        op = Op(self._next(), name, frame, inputs, output_shape=tuple(shape), field=field, **more)
        for ops in (self._ops, [] if frame is None else frame.ops):
            ops.append(op)
        return op

    def call(self, raw: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        """Write down one call that just returned ``output``, having written to ``self.written``."""
        frame = self._stack[-1] if self._stack else None
        if self.macs and frame is not None:
            frame.macs += self.macs
        self._joins.note(raw, args, kwargs, output)
        results = tensors(output)
        name = plain_name(raw)
        targets = self._targets(raw, args, kwargs, results)
        read = tensors_read(raw, args, kwargs)
        origins = [origin for origin in map(self._provenance.origin, read) if origin is not None]
        if not origins:
            for value in (*results, *targets):
                self._provenance.forget(value)
            return
        new = [value for value in results if not any(value is other for other in (*read, *targets))]
        if not new and not targets:
            return
        calls = [RuleCall(name, args, kwargs, value, self._field_of) for value in (*new, *targets)]
        fields = [output_field(call, [origin.field for origin in origins]) for call in calls]
        op = self._add(
            name,
            frame,
            (origin.op for origin in origins),
            calls[0].output.shape,
            fields[0],
            params=tuple(dict.fromkeys(self._params[id(value)] for value in read if id(value) in self._params)),
            input_shape=tuple(next(value for value in read if self._provenance.origin(value) is not None).shape),
            macs=self.macs,
            detail=detail_of_call(calls[0]),
        )
        written = {id(value) for value in targets}
        for call, receptive in zip(calls, fields, strict=True):
            if id(call.output) in written:
                self._write(call.output, CallOrigin(op.id, receptive), frame)
            else:
                self._provenance.assign(call.output, CallOrigin(op.id, receptive))

    def _field_of(self, value: Any) -> Field | None:
        origin = self._provenance.origin(value) if isinstance(value, torch.Tensor) else None
        return origin.field if origin is not None else None

    def _targets(
        self, raw: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], results: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """The tensors, as the caller knows them, that the call wrote to."""
        if not self.written:
            return []
        if raw == "__setitem__":
            return [args[0]]
        written = {id(value) for value in self.written}
        arguments = tensors((args, kwargs))
        return list({id(value): value for value in (*arguments, *results) if id(value) in written}.values())

    def _write(self, target: torch.Tensor, origin: CallOrigin, frame: ModuleCall | None) -> None:
        provenance = self._provenance
        was_known = provenance.origin(target) is not None
        before = provenance.filled(target)
        aliases = provenance.aliases(target)
        provenance.assign(target, origin)
        if before is not None or not was_known:
            provenance.fill(target, origin if before is None else self._both(before, origin, target, target, frame))
        for other in aliases:
            shape = tuple(other.shape)
            old = provenance.origin(other)
            if old is None or covers(target, other):
                same = math.prod(shape) == target.numel()
                inside = field_through(origin.field, MemoryView.of(target), MemoryView.of(other))
                receptive = reshaped(origin.field, shape) if same else inside
                provenance.assign(other, CallOrigin(origin.op, receptive))
            else:
                provenance.assign(other, self._both(old, origin, target, other, frame))

    def _both(
        self, old: CallOrigin, new: CallOrigin, target: torch.Tensor, other: torch.Tensor, frame: ModuleCall | None
    ) -> CallOrigin:
        """What ``other`` holds after a part of it was overwritten through ``target``."""
        shape = tuple(other.shape)
        receptive = combined([old.field, field_through(new.field, MemoryView.of(target), MemoryView.of(other))], shape)
        return CallOrigin(self._add("write", frame, (old.op, new.op), shape, receptive).id, receptive)

    def finish(self, output: Any) -> Recording:
        origins = [self._provenance.origin(value) for value in tensors(output)]
        return Recording(
            self._base,
            self._frames[0],
            self._ops,
            self._frames,
            tuple(dict.fromkeys(origin.op for origin in origins if origin is not None)),
            self._ops[0].output_shape,
            self._joins,
        )
