"""Which channels of a layer are switched off or scaled, as callers say it."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from cnnwidgets.core.arguments import is_number
from cnnwidgets.core.errors import InputError
from cnnwidgets.incremental.scaling import Factors


def factors_of(name: str, channels: Any, width: int | None) -> Factors:
    """``channels`` as factors.

    Args:
        channels: None: the whole layer, off; a float: the whole layer, times that; a mapping from channels to factors;
            or channels that are off.
        width: how many channels there are; None: not known yet.

    Raises:
        InputError: it is nothing of the kind, or there is no such channel.

    Example:
        >>> factors_of("conv", [1, 3], 4), factors_of("conv", None, 4), factors_of("conv", {2: 0.5}, 4)
        ({1: 0.0, 3: 0.0}, 0.0, {2: 0.5})
    """
    if channels is None:
        return 0.0
    if isinstance(channels, float):
        return _factor(name, channels)
    if isinstance(channels, Mapping):
        factors = {_index(name, channel): _factor(name, factor) for channel, factor in channels.items()}
    elif isinstance(channels, Iterable) and not isinstance(channels, str | bytes) and getattr(channels, "ndim", 1) == 1:
        factors = dict.fromkeys((_index(name, channel) for channel in channels), 0.0)
    else:
        raise InputError(
            f"The channels of layer {name!r} are {channels!r}; expected a list of them, as in {{{name!r}: [4, 17]}}, "
            f"a mapping to factors, as in {{{name!r}: {{4: 0.5}}}}, a float for the whole layer, or None to switch all "
            "of it off."
        )
    check_width(name, factors, width)
    return factors


def check_width(name: str, factors: Factors, width: int | None) -> None:
    """That the layer has these channels.

    Raises:
        InputError: it has not.
    """
    if width is None or isinstance(factors, float):
        return
    beyond = [channel for channel in factors if not 0 <= channel < width]
    if beyond:
        raise InputError(
            f"Layer {name!r} has {width} {'channel' if width == 1 else 'channels'}, 0 to {width - 1}; there is no "
            f"{', '.join(map(str, beyond[:5]))}{', ...' if len(beyond) > 5 else ''}."
        )


def _index(name: str, channel: Any) -> int:
    try:
        if type(channel).__name__ in ("bool", "bool_") or getattr(channel, "dtype", None) == torch.bool:
            raise TypeError
        return operator.index(channel)
    except (TypeError, ValueError):
        raise InputError(
            f"{channel!r} is no channel of layer {name!r}; expected whole numbers from 0, as in {{{name!r}: [4, 17]}}."
        ) from None


def _factor(name: str, factor: Any) -> float:
    number = factor.item() if hasattr(factor, "item") and getattr(factor, "size", 1) in (1, ()) else factor
    if not is_number(number) or not math.isfinite(number):
        raise InputError(f"{factor!r} is no factor for layer {name!r}; expected a finite number: 0 is off, 1 as it is.")
    return float(number)
