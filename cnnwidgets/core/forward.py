"""Run a model, and say which layer failed when it fails."""

from __future__ import annotations

import traceback
from typing import Any

import torch
from torch import nn

from .errors import CnnWidgetsError, InputError
from .forward_inputs import wrapping_advice
from .names import unwrapped
from .readout import watched


def run(model: nn.Module, x: torch.Tensor) -> Any:
    """``model(x)``, as the model returns it.

    ``DataParallel`` and ``torch.compile`` wrappers are looked through: the module inside runs, where hooks can see it.

    Raises:
        InputError: the first convolution wants another number of channels than ``x`` has.
        CnnWidgetsError: the model's forward raised; names the layer it was in. The original is its cause.
            Errors of this package, ``KeyboardInterrupt`` and running out of memory pass unchanged.
    """
    base = unwrapped(model)
    try:
        return watched(base, x)
    except CnnWidgetsError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise _explained(base, x, error, *_deepest(base, x, error)) from error


def _deepest(base: nn.Module, x: torch.Tensor, error: Exception) -> tuple[nn.Module, tuple[Any, ...]]:
    """The innermost module call that ``error`` came out of, read off its traceback: hooks would cost every call."""
    known = {id(module) for module in base.modules()}
    found: tuple[nn.Module, tuple[Any, ...]] = (base, (x,))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_locals.get("self")
        if frame.f_code.co_name == "_call_impl" and isinstance(module, nn.Module) and id(module) in known:
            found = module, frame.f_locals.get("args", ())
    return found


def fitted(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """``images`` on the device and in the floating-point type of the model's parameters."""
    for parameter in unwrapped(model).parameters():
        if parameter.is_floating_point():
            return images.to(device=parameter.device, dtype=parameter.dtype)
    return images


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch might have worked."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


def _explained(
    base: nn.Module, x: torch.Tensor, error: Exception, module: nn.Module, inputs: tuple[Any, ...]
) -> CnnWidgetsError:
    advice = wrapping_advice(base, error) if module is base else ""
    if advice:
        return InputError(advice)
    name = next((name for name, candidate in base.named_modules() if candidate is module), "")
    where = f"layer {name!r} ({type(module).__name__})" if name else f"{type(module).__name__}.forward"
    shape = next((tuple(value.shape) for value in inputs if isinstance(value, torch.Tensor)), None)
    wanted = getattr(module, "in_channels", None)
    if isinstance(module, nn.Conv2d) and shape == tuple(x.shape) and len(shape) == 4 and shape[1] != wanted:
        return InputError(
            f"The input has {shape[1]} {'channel' if shape[1] == 1 else 'channels'}, shape {shape}; "
            f"{where} expects {wanted}. Pass images of shape (N, {wanted}, H, W)."
        )
    got = f", which got input of shape {shape}" if shape is not None else ""
    return CnnWidgetsError(f"The model raised {type(error).__name__}: {error} — in {where}{got}.")
