"""Run a model, and say which layer failed when it fails."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from .capture import attached
from .errors import CnnWidgetsError, InputError
from .names import unwrapped


def run(model: nn.Module, x: torch.Tensor) -> Any:
    """``model(x)``, as the model returns it.

    ``DataParallel`` and ``torch.compile`` wrappers are looked through: the module inside runs, where hooks can see it.

    Raises:
        InputError: the first convolution wants another number of channels than ``x`` has.
        CnnWidgetsError: the model's forward raised; names the layer it was in. The original is its cause.
            Errors of this package, ``KeyboardInterrupt`` and running out of memory pass unchanged.
    """
    base = unwrapped(model)
    deepest: dict[int, tuple[nn.Module, tuple[Any, ...]]] = {}

    def remember(module: nn.Module, inputs: tuple[Any, ...], _: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and error is not outer:
            deepest.setdefault(id(error), (module, inputs))

    outer = sys.exc_info()[1]
    with attached(base.modules(), always=remember):
        try:
            return base(x)
        except CnnWidgetsError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            module, inputs = deepest.get(id(error), (base, (x,)))
            raise _explained(base, x, error, module, inputs) from error


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
