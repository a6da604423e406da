"""Tensors of every kind, as plain ones: dense, real, with values, and no larger than what is in memory.

No import of torch: a widget does without it, and who passes a tensor has it.
"""

from __future__ import annotations

import sys
from typing import Any

from .errors import InputError

MOST_EXPANDED = 2**28
"""Values (1 GB as float32) to which an expanded view of fewer may grow; what is in memory already may be larger."""


def is_tensor(value: Any) -> bool:
    """Whether ``value`` is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def check_example(example: Any) -> None:
    """Refuse an input of a model that is no tensor, or one that torch cannot be asked about.

    Whether its type is one that the model takes, only the model knows.

    Raises:
        InputError: says what to pass.
    """
    values = example if isinstance(example, list | tuple) else (example,)
    for value in values or (None,):
        if not is_tensor(value):
            kind = type(value).__name__ if values else "an empty tuple"
            raise InputError(
                f"example must be a tensor or a tuple of tensors, what the model takes; got {kind}. "
                "For an image network: torch.zeros(1, 3, 224, 224), or "
                "pictures.picture.load_picture(image, model).tensor."
            )
        try:
            reason = _why_not(value, values=False)
        except Exception as error:  # a subclass may refuse anything
            reason = f"is a {type(value).__name__} that cannot be read ({str(error)[:200]}); pass a plain torch.Tensor."
        if reason:
            raise InputError(f"example {reason}")


def plain_tensor(tensor: Any, subject: str, *, expanded: bool = False) -> Any:
    """``tensor`` out of any graph and of torch's own class, without being copied where it is that already.

    Quantised tensors are dequantised; :func:`conversion` says so.

    Args:
        what: begins the sentence of an error: "The map".
        expanded: views of any size are let through; the caller never copies them whole.

    Raises:
        InputError: it has no values (meta, fake), is nested, sparse or complex, belongs to torch.func, or is a view
            that would grow beyond :data:`MOST_EXPANDED`.
    """
    try:
        reason = _why_not(tensor, expanded=expanded)
        if reason:
            raise InputError(f"{subject} {reason}")
        return _as_plain(tensor)
    except InputError:
        raise
    except Exception as error:  # a subclass may refuse anything
        raise InputError(
            f"{subject} is a {type(tensor).__name__} whose values cannot be read ({type(error).__name__}: "
            f"{str(error)[:200]}). Pass a plain torch.Tensor."
        ) from error


def conversion(tensor: Any) -> str:
    """What the reader must know of how :func:`plain_tensor` reads ``tensor``; empty where nothing changes."""
    if is_tensor(tensor) and bool(tensor.is_quantized):
        return "The values are quantised; their dequantised values are shown."
    return ""


def _why_not(tensor: Any, *, values: bool = True, expanded: bool = False) -> str:
    """Why it cannot be read, the end of a sentence; ``values``: dense real ones are needed."""
    torch = sys.modules["torch"]
    if getattr(tensor, "is_nested", False):
        return "is a nested tensor, of rows of different sizes; expected one dense tensor: pass its parts one by one."
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):  # noqa: SLF001
        return "belongs to a function transformed by torch.func (vmap, grad); call this outside of it."
    if values and _empty_handed(tensor):
        return "is on the meta device, where tensors have a shape and no values; pass real ones."
    if values and tensor.layout != torch.strided:
        return f"is a {tensor.layout} tensor; expected a dense one: pass its .to_dense()."
    if values and tensor.is_complex():
        return f"is {str(tensor.dtype).removeprefix('torch.')}; expected real numbers: pass its .abs() or .real."
    if tensor.layout != torch.strided or _empty_handed(tensor):
        return ""
    stored = tensor.untyped_storage().nbytes() // max(tensor.element_size(), 1)
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    if tensor.numel() and stored <= tensor.storage_offset() + sum((size - 1) * step for size, step in steps):
        return "has given its memory away (untyped_storage().resize_, as sharded training does); pass one with values."
    if not expanded and tensor.numel() > max(stored, MOST_EXPANDED):
        shape = tuple(tensor.shape)
        return f"has shape {shape}: {tensor.numel():,} values, expanded from {stored:,}. Crop or shrink it first."
    return ""


def _empty_handed(tensor: Any) -> bool:
    return bool(tensor.is_meta) or any(kind.__name__ == "FakeTensor" for kind in type(tensor).__mro__)


def _as_plain(tensor: Any) -> Any:
    torch = sys.modules["torch"]
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if type(tensor) is not torch.Tensor:
        tensor = tensor.as_subclass(torch.Tensor)
    return tensor.resolve_neg() if tensor.is_neg() else tensor
