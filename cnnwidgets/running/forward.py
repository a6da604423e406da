"""Run a model, and say which layer failed when it fails."""

from __future__ import annotations

import functools
import traceback
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cnnwidgets.core.capture import never_compiled
from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError, is_out_of_memory
from cnnwidgets.core.nested import detached
from cnnwidgets.core.network import Network
from cnnwidgets.outputs.readout import watched
from cnnwidgets.state.preserved import preserved

from .forward_inputs import wrapping_advice


def run(model: nn.Module, x: torch.Tensor) -> Any:
    """``model(x)``, as the model returns it.

    ``DataParallel`` and ``torch.compile`` wrappers are looked through: the module inside runs, where hooks can see it.

    Raises:
        InputError: the first convolution wants another number of channels than ``x`` has.
        NeedsGradients: gradients are off, and the model's own forward needs them.
        CnnWidgetsError: the model's forward raised; names the layer it was in. The original is its cause.
            Errors of this package, ``KeyboardInterrupt`` and running out of memory pass unchanged.
    """
    base = Network.of(model).base
    try:
        with never_compiled():
            if torch.is_grad_enabled() or not needs_gradients(base):
                return watched(base, x)
            return watched(base, x, functools.partial(with_gradients, base))
    except CnnWidgetsError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        explained = _layer_error(base, x, error, *_deepest(base, x, error))
        if is_first_to_ask(base, (x,)):
            raise NeedsGradients(str(explained)) from error
        raise explained from error


def _deepest(base: nn.Module, x: torch.Tensor, error: Exception) -> tuple[nn.Module, tuple[Any, ...]]:
    """The innermost module call that ``error`` came out of, read off its traceback: hooks would cost every call."""
    layers = {module for _, module in Network.of(base).layers}
    deepest: tuple[nn.Module, tuple[Any, ...]] = (base, (x,))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_locals.get("self")
        if not isinstance(module, nn.Module) or module not in layers:
            continue
        if frame.f_code.co_name == "_call_impl" and "args" in frame.f_locals:
            deepest = module, (*frame.f_locals["args"], *frame.f_locals.get("kwargs", {}).values())
        elif frame.f_code.co_name in ("forward", "__call__") and module is not deepest[0]:
            deepest = module, ()  # called past torch's hooks; its arguments may have been assigned to since
    return deepest


Kind = tuple[torch.device, torch.dtype]
_proven: weakref.WeakKeyDictionary[nn.Module, tuple[list[Kind], Kind]] = weakref.WeakKeyDictionary()
"""The kind of image that networks have run with, and those that were in question."""


def fitted(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """``images`` on the device and in the floating-point type of the model's parameters.

    Where these are of several types, the one that the first layer to see the image takes, found out by running the
    model once: a single number in double precision, such as a temperature, says nothing about images.
    """
    base = Network.of(model).base
    kinds = _input_kinds(base)
    if len(kinds) > 1:
        before, kind = _proven.get(base, ([], kinds[0]))
        kinds = [kind if before == kinds else _tried(base, images, kinds)]
    try:
        return images.to(*kinds[0]) if kinds else images
    except NotImplementedError:
        raise InputError(
            "The image is on the meta device, where tensors have a shape and no values, and the model is not; pass a "
            "real one."
        ) from None


def _input_kinds(base: nn.Module) -> list[Kind]:
    """The device and floating-point type of the parameters: where they differ, what most numbers have first.

    The first device that appears comes before the others: that is where an image goes in. Without such parameters,
    those of the buffers; none if nothing is in floating point.
    """
    for tables in ("_parameters", "_buffers"):
        numbers: dict[Kind, int] = {}
        devices: dict[torch.device, int] = {}
        for _, module in Network.of(base).layers:
            for value in vars(module).get(tables, {}).values():
                if isinstance(value, torch.Tensor) and not is_lazy(value) and value.is_floating_point():
                    kind = value.device, value.dtype
                    numbers[kind] = numbers.get(kind, 0) + value.numel()
                    devices.setdefault(value.device, len(devices))
        real = [kind for kind in numbers if kind[0].type != "meta"] or list(numbers)
        if real:
            return sorted(real, key=lambda kind: (devices[kind[0]], -numbers[kind]))
    return []


def _tried(base: nn.Module, images: torch.Tensor, kinds: list[Kind]) -> Kind:
    """The first of ``kinds`` that the model runs with; if it runs with none, the first, whose error is the model's."""
    for kind in kinds:
        try:
            with torch.inference_mode(False), torch.no_grad(), preserved(base, evaluate=True):
                again(functools.partial(run, base, images[:1].detach().to(*kind, copy=True)))
        except Cancelled:
            raise
        except CnnWidgetsError:
            continue
        _proven[base] = kinds, kind
        return kind
    return kinds[0]


def _layer_error(
    base: nn.Module, x: torch.Tensor, error: Exception, module: nn.Module, inputs: tuple[Any, ...]
) -> CnnWidgetsError:
    advice = wrapping_advice(base, error) if module is base else ""
    if advice:
        return InputError(advice)
    name = next((name for name, candidate in Network.of(base).layers if candidate is module), "")
    where = f"layer {name!r} ({type(module).__name__})" if name else f"{type(module).__name__}.forward"
    shape = next((tuple(value.shape) for value in inputs if isinstance(value, torch.Tensor)), None)
    channels = getattr(module, "in_channels", None)
    if isinstance(module, nn.Conv2d) and shape == tuple(x.shape) and len(shape) == 4 and shape[1] != channels:
        return InputError(
            f"The input has {shape[1]} {'channel' if shape[1] == 1 else 'channels'}, shape {shape}; "
            f"{where} expects {channels}. Pass images of shape (N, {channels}, H, W)."
        )
    arrived = f", which got input of shape {shape}" if shape is not None else ""
    return CnnWidgetsError(f"The model raised {type(error).__name__}: {error} — in {where}{arrived}.{_advice(error)}")


def _advice(error: Exception) -> str:
    """What to do, where torch's message does not say it."""
    if "inference tensor" in str(error).lower():
        return (
            " Tensors that the model keeps were made in torch.inference_mode(): make or load them outside of it, or "
            "pass copy.deepcopy(model), made outside of it."
        )
    if "meta" in str(error):
        return (
            " A part of the model may be on the meta device, where weights have shapes and no values: load them first, "
            "part.to_empty(device='cpu'), then load_state_dict(...)."
        )
    return ""


T = TypeVar("T")
_needing: weakref.WeakSet[nn.Module] = weakref.WeakSet()


class NeedsGradients(CnnWidgetsError):
    """The model runs with gradients only, as is now known: the same call will succeed.

    Such are models whose forward itself works with gradients: hooks on activations, ``torch.autograd.grad``, energies.
    Which they are is found out by running them, once a model: where a run without gradients fails and one with them
    does not, it fails with this error, and whoever began it begins it again, see :func:`again`.
    """


def needs_gradients(base: nn.Module) -> bool:
    """Whether the module, without wrappers, is known to run with gradients only."""
    return base in _needing


def is_first_to_ask(base: nn.Module, inputs: Sequence[torch.Tensor]) -> bool:
    """Whether the module, which failed on ``inputs`` without gradients, runs with them; not if that was known."""
    if torch.is_grad_enabled() or base in _needing:
        return False
    try:
        with_gradients(base, *inputs)
    except Exception:
        return False
    _needing.add(base)
    return True


def again(call: Callable[[], T]) -> T:
    """What ``call`` returns; it is called a second time if the model turns out to need gradients."""
    try:
        return call()
    except NeedsGradients:
        pass
    return call()


def in_graph(x: torch.Tensor) -> torch.Tensor:
    """A copy of ``x`` that may be written to, and that gradients reach."""
    with torch.enable_grad():
        return x.detach().clone().requires_grad_().clone() if x.is_floating_point() else x.clone()


def with_gradients(base: nn.Module, *inputs: torch.Tensor) -> Any:
    """What the module returns for copies of ``inputs``, made with gradients, and out of the graph."""
    with torch.inference_mode(False), torch.enable_grad():
        return detached(base(*map(in_graph, inputs)))
