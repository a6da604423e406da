"""What a network is given for a picture in [0, 1]: its number of channels, value range and normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn

from cnnwidgets.core.arguments import is_number
from cnnwidgets.core.errors import InputError
from cnnwidgets.pictures.preprocess import Preprocess, input_channels, preprocess_for
from cnnwidgets.running.forward import fitted

Levels: TypeAlias = float | Sequence[float]
"""A number, or a number a channel."""

# How the colours of photographs go together (Olah et al. 2017), divided by the norm of its longest column.
_CORRELATION = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]]) / 0.4619

_UNKNOWN = "how {what} are normalised is not known: {how} were assumed; pass value_range=, or mean= and std="


@dataclass(frozen=True, eq=False)
class InputSpace:
    """How a network wants a picture.

    Attributes:
        scale, offset: (C, 1, 1); what goes in is ``scale * picture + offset``.
        dtype, device: of what goes in.
        sides: (height, width) in pixels that the network is used to, where that is known.
        notes: what was assumed.
    """

    scale: torch.Tensor
    offset: torch.Tensor
    dtype: torch.dtype
    device: torch.device
    sides: tuple[int, int] | None
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        model: nn.Module,
        value_range: tuple[Levels, Levels] | None = None,
        mean: Levels | None = None,
        std: Levels | None = None,
    ) -> InputSpace:
        """What the arguments say; where they say nothing, the network's own preprocessing.

        Raises:
            InputError: they are no numbers, or not as many as the network has channels.
        """
        explicit = [value for value in (value_range, mean, std) if value is not None]
        preprocess = preprocess_for(model)
        low, high = _both_levels(value_range) if value_range is not None else (0.0, 1.0)
        lengths = {len(value) for value in (low, high, mean, std) if isinstance(value, Sequence)}
        channels = max(lengths, default=0) or input_channels(model) or preprocess.channels
        notes: tuple[str, ...] = ()
        if explicit:
            mean, std = 0.0 if mean is None else mean, 1.0 if std is None else std
        elif len(preprocess.mean) == channels:
            mean, std, notes = preprocess.mean, preprocess.std, _assumptions(preprocess)
        else:
            mean, std = 0.0, 1.0
            notes = (_UNKNOWN.format(what=f"images of {channels} channels", how="values from 0 to 1"),)
        bottom, top, centre, spread = (
            _per_channel(value, channels, name)
            for value, name in ((low, "value_range"), (high, "value_range"), (mean, "mean"), (std, "std"))
        )
        if bool((top <= bottom).any()) or bool((spread <= 0).any()):
            raise InputError(
                f"value_range is {value_range!r} and std {std!r}; expected (lowest, highest) and deviations above 0."
            )
        probe = fitted(model, torch.zeros(1, channels, *(preprocess.size or (64, 64))))
        own_sides = preprocess.size if preprocess.source != "assumed" else None
        scale, offset = (top - bottom) / spread, (bottom - centre) / spread
        return cls(scale.to(probe.device), offset.to(probe.device), probe.dtype, probe.device, own_sides, notes)

    @property
    def channels(self) -> int:
        """How many there are."""
        return len(self.scale)

    def inputs(self, pictures: torch.Tensor) -> torch.Tensor:
        """What the network is given for ``pictures`` (n, C, H, W) in [0, 1], in float32."""
        return pictures * self.scale + self.offset

    def pictures(self, inputs: torch.Tensor) -> torch.Tensor:
        """The pictures behind ``inputs``; outside of [0, 1] where those are outside of their range."""
        return (inputs - self.offset) / self.scale

    def from_any(self, values: torch.Tensor) -> torch.Tensor:
        """Pictures in (0, 1) of any real numbers (n, C, H, W), their colours decorrelated where there are three."""
        if self.channels == 3:
            values = torch.einsum("dc,nchw->ndhw", _CORRELATION.to(values), values)
        return values.sigmoid()


def _both_levels(value_range: Any) -> tuple[Levels, Levels]:
    if not isinstance(value_range, tuple | list) or len(value_range) != 2:
        raise InputError(f"value_range is {value_range!r}; expected (lowest, highest) of what the network is given.")
    return value_range[0], value_range[1]


def _per_channel(value: Any, channels: int, name: str) -> torch.Tensor:
    """``value`` as (channels, 1, 1)."""
    numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    numbers = numbers * channels if len(numbers) == 1 else numbers
    if not all(map(is_number, numbers)) or len(numbers) != channels:
        raise InputError(f"{name} is {value!r}; expected a number, or {channels}, as many as the input has channels.")
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1)


def _assumptions(preprocess: Preprocess) -> tuple[str, ...]:
    if preprocess.source != "assumed":
        return tuple(note.replace("preprocess=", "mean= and std=") for note in preprocess.notes)
    how = "values from 0 to 1" if preprocess.channels == 1 else "ImageNet's mean and standard deviation"
    return (_UNKNOWN.format(what="this network's images", how=how),)
