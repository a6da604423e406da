"""One picture: the tensor for the network, and the pixels that show what the network sees."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.plain import conversion, plain_tensor
from cnnwidgets.running.forward import again, fitted, run
from cnnwidgets.state.preserved import preserved

from .decode import decoded
from .files import LEAST_SIDE, check_size, name_of
from .image_processors import is_image_processor, processor_transform
from .preprocess import Preprocess, input_channels, preprocess_for

_MOST_CHANNELS = 10_000
ImageLike = Any
"""A PIL image, a path, the bytes of an image file, an array, or a preprocessed (1, C, H, W) tensor."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What :func:`load_picture` returns.

    Attributes:
        tensor: (1, C, H, W) float32 on the CPU, ready for the model.
        pixels: (H, W, 3) uint8, exactly what the network sees: same crop, same size as ``tensor``.
        name: the file's name, or "image".
        notes: what was assumed or changed on the way, one sentence each.
    """

    tensor: torch.Tensor = field(repr=False)
    pixels: npt.NDArray[np.uint8] = field(repr=False)
    name: str = "image"
    notes: tuple[str, ...] = ()


def load_picture(image: ImageLike, model: nn.Module | None = None, preprocess: Any = None) -> Picture:
    """Read ``image`` and prepare it for ``model``.

    Args:
        image: a PIL image; the path or the bytes of an image file; an array (H, W) or (H, W, 1 | 3 | 4) of uint8,
            uint16, bool, or float in [0, 1]; or an already preprocessed float tensor (C, H, W) or (1, C, H, W), taken
            as it is.
            All but a tensor are read as 8 bits a channel, upright, transparent parts on white.
        model: tells how many channels are wanted, and its preprocessing where that is known.
        preprocess: a function from a PIL image to a tensor (C, H, W) or (1, C, H, W), such as torchvision's or timm's
            transforms; a torchvision ``WeightsEnum`` member; a :class:`Preprocess`; None: found for ``model``.

    Raises:
        InputError: the image cannot be read or used; says why, and what to do.

    Example:
        >>> picture = load_picture(np.zeros((300, 400, 3), np.uint8))
        >>> tuple(picture.tensor.shape), picture.pixels.shape
        ((1, 3, 224, 224), (224, 224, 3))
    """
    transform = transform_of(preprocess)
    name = "image"
    notes: tuple[str, ...] = ()
    if isinstance(image, torch.Tensor):
        tensor = image_tensor(image)
        notes = tuple(note for note in [conversion(image)] if note)
        undo: Any = transform or preprocess_for(model)
    else:
        picture, notes, name = _read(image)
        if transform is None:
            own = preprocess_for(model)
            undo, tensor, notes = own, own.apply(picture), notes + own.notes
        else:
            undo = transform
            tensor = _transformed(transform, picture.convert("L") if input_channels(model) == 1 else picture)
    if model is not None:
        _check_channels(model, tensor)
    bad = tensor.numel() - int(torch.isfinite(tensor).sum())
    if bad:
        notes = (*notes, f"{bad:,} of {tensor.numel():,} input values are NaN or infinite; results may be NaN.")
    guessed = isinstance(image, torch.Tensor) and isinstance(undo, Preprocess) and undo.source == "assumed"
    pixels, more = denormalised(tensor, undo, sure=not guessed)
    return Picture(tensor, pixels, name, (*notes, *more))


def _read(image: Any) -> tuple[Image.Image, tuple[str, ...], str]:
    if hasattr(image, "__array__") and not isinstance(image, type | os.PathLike | Image.Image | np.ndarray):
        image = _as_array(image)
    picture = decoded(image)
    if picture is not None:
        path = getattr(image, "filename", "") if isinstance(image, Image.Image) else image
        return *picture, name_of(path) if isinstance(path, str | os.PathLike) and path else "image"
    hint = " It looks like a model: the model comes first, then the image." if isinstance(image, nn.Module) else ""
    if isinstance(image, list | tuple):
        hint = " Of several images pass one; explore() takes them all."
    raise InputError(
        f"Got a {type(image).__name__} as image; expected a PIL image, a path, the bytes of an image file, "
        f"a numpy array (H, W, 3), or a preprocessed tensor (C, H, W) or (1, C, H, W).{hint}"
    )


def _as_array(image: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(image)
    except Exception as error:  # its own code
        raise InputError(
            f"The image is a {type(image).__name__} that gives no array ({type(error).__name__}: {str(error)[:200]}). "
            "Pass a numpy array (H, W, 3)."
        ) from error


def transform_of(preprocess: Any) -> Callable[[Image.Image], Any] | Preprocess | None:
    """What ``preprocess=`` of :func:`load_picture` does to a picture; None: nobody said it."""
    if preprocess is None or isinstance(preprocess, Preprocess):
        return preprocess
    if hasattr(preprocess, "meta") and callable(getattr(preprocess, "transforms", None)):
        transform: Callable[[Image.Image], Any] = preprocess.transforms()
        return transform
    if is_image_processor(preprocess):
        return processor_transform(preprocess)
    if isinstance(preprocess, type) or not callable(preprocess):
        raise InputError(
            f"preprocess is {preprocess!r}; expected a function from a PIL image to a tensor, such as "
            "torchvision.transforms.Compose([...]), a member of a torchvision weights enum, or an image processor of "
            "transformers."
        )
    return preprocess  # type: ignore[no-any-return]


def _transformed(transform: Callable[[Image.Image], Any] | Preprocess, picture: Image.Image) -> torch.Tensor:
    if isinstance(transform, Preprocess):
        return transform.apply(picture)
    try:
        tensor = transform(picture)
    except Exception as error:  # the caller's own code
        raise InputError(
            f"preprocess raised {type(error).__name__}: {error} (given a PIL image, mode {picture.mode}, "
            f"{picture.width}x{picture.height})."
        ) from error
    if not isinstance(tensor, torch.Tensor):
        raise InputError(
            f"preprocess returned a {type(tensor).__name__}; expected a tensor (C, H, W). End it with ToTensor()."
        )
    return image_tensor(tensor, "The tensor from preprocess")


def image_tensor(tensor: torch.Tensor, subject: str = "The tensor") -> torch.Tensor:
    """A preprocessed (C, H, W) or (1, C, H, W) as (1, C, H, W) float32 on the CPU, a copy.

    Raises:
        InputError: it is none.
    """
    tensor = plain_tensor(tensor, subject)
    tensor = tensor[None] if tensor.ndim == 3 else tensor
    shape = tuple(tensor.shape)
    if tensor.ndim != 4:
        raise InputError(f"{subject} has shape {shape}; expected (1, C, H, W), one preprocessed image.")
    if tensor.numel() == 0:
        raise InputError(
            f"{subject} is empty, shape {shape}; expected (1, C, H, W) with at least {LEAST_SIDE} pixels a side."
        )
    if shape[0] != 1:
        raise InputError(
            f"{subject} holds {shape[0]} images, shape {shape}; expected one. Pass tensor[:1], or one at a time."
        )
    if not tensor.is_floating_point():
        raise InputError(
            f"{subject} is {str(tensor.dtype).removeprefix('torch.')}; a tensor is taken as already preprocessed and "
            "must be float. Pass a picture as a uint8 numpy array (H, W, 3) instead."
        )
    if min(shape[2:]) < LEAST_SIDE:
        raise InputError(f"{subject} is {shape[3]}x{shape[2]} pixels; expected at least {LEAST_SIDE}x{LEAST_SIDE}.")
    check_size(shape[3], shape[2])
    if shape[1] > _MOST_CHANNELS:
        raise InputError(f"{subject} has {shape[1]:,} channels, shape {shape}; expected at most {_MOST_CHANNELS:,}.")
    # a copy, so that an in-place operation of the model cannot reach the caller's tensor
    return tensor.detach().to(device="cpu", dtype=torch.float32, copy=True).contiguous()


def _check_channels(model: nn.Module, tensor: torch.Tensor) -> None:
    expected, channels = input_channels(model), tensor.shape[1]
    if expected is None or expected == channels:
        return
    try:  # a network may make its own channels (repeat grey, add coordinates): its forward has the last word
        with preserved(model, evaluate=True), torch.no_grad():
            again(lambda: run(model, fitted(model, tensor)))
    except CnnWidgetsError as error:
        raise InputError(
            f"The image has {channels} channel{'s' if channels != 1 else ''}; the network's first convolution takes "
            f"{expected}. Pass a tensor (1, {expected}, H, W), or preprocess= that makes one."
        ) from error


GUESSED = "The input's normalisation is not known: its colours are shown as if it were ImageNet's; pass preprocess=."
STRETCHED = "The input's normalisation is not known: its colours are stretched to the full range for display."


def denormalised(tensor: torch.Tensor, undo: Any, sure: bool = True) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """The (H, W, 3) uint8 picture of a (1, C, H, W) tensor, and notes on how far its colours are true.

    ``undo`` is what made the tensor, or what makes such tensors: a :class:`Preprocess`, or any transform in which a
    ``Normalize`` can be found. ``sure=False``: that is a guess, and values in [0, 1] are rather taken for colours.
    """
    values = tensor[0]
    plain = Preprocess(mean=(0.0,), std=(1.0,))
    if not sure and values.shape[0] in (1, 3) and _in_range(values):
        return plain.pixels(tensor), ()
    for mean, std in normalisations(undo):
        if len(mean) in (1, values.shape[0]) and values.shape[0] in (1, 3):
            preprocess = Preprocess(mean=mean, std=std)
            if _in_range(preprocess.colours(values)):
                return preprocess.pixels(tensor), () if sure else (GUESSED,)
    notes: tuple[str, ...] = ()
    if values.shape[0] not in (1, 3):
        notes = (f"The input has {values.shape[0]} channels; their mean is shown, in grey.",)
        values = values.mean(0, keepdim=True)
    if _in_range(values):
        return plain.pixels(values), notes
    finite = values[torch.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.numel() else (0.0, 1.0)
    return plain.pixels((values - low) / ((high - low) or 1.0)), (*notes, STRETCHED)


def _in_range(values: torch.Tensor) -> bool:
    """True colours lie in [0, 1]; a little slack for interpolation that overshoots and for half precision."""
    finite = values[torch.isfinite(values)]
    return bool(((finite < -0.02) | (finite > 1.02)).sum() <= 0.001 * finite.numel())


def normalisations(transform: Any) -> Iterable[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Mean and std of each normalisation inside ``transform``: its own, or those of the steps it is composed of."""
    mean, std = getattr(transform, "mean", None), getattr(transform, "std", None)
    try:
        if mean is not None and std is not None:
            yield _channel_numbers(mean), _channel_numbers(std)
    except (TypeError, ValueError):
        pass
    steps = getattr(transform, "transforms", None)
    if isinstance(transform, torch.nn.Sequential):
        steps = list(transform)
    if isinstance(steps, list | tuple | torch.nn.ModuleList):
        for step in steps:
            yield from normalisations(step)


def _channel_numbers(values: Any) -> tuple[float, ...]:
    return tuple(torch.as_tensor(values, dtype=torch.float32).flatten().tolist())
