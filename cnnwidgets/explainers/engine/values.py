"""Values that are no float32: complex ones, and those beyond its range; shown rightly, or said."""

from __future__ import annotations

from collections.abc import Iterator

import torch

COMPLEX = "the layer's output is complex: real and imaginary parts count as channels of their own"
MODULUS = "This layer's output is complex; the modulus is shown."
_EXACT = 2**24


def precise(values: torch.Tensor) -> torch.Tensor:
    """``values`` in at least float32."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def real_channels(values: torch.Tensor) -> torch.Tensor:
    """Complex maps (N, C, h, w) as (N, 2 C, h, w): the real parts, then the imaginary ones; others as they are.

    So a sum over channels of gradient times activation is what a small change of the complex values adds to the score:
    torch's gradient of a complex tensor holds the derivatives by the real and by the imaginary part.
    """
    if not values.is_complex():
        return values
    # An empty tensor stands for a gradient that nobody asked for.
    return torch.cat([values.real, values.imag], 1) if values.ndim > 1 else values.real


def for_display(values: torch.Tensor) -> tuple[torch.Tensor, str]:
    """Maps as float32 on the CPU, and what the reader must know of how they came to be that."""
    values = values.detach()
    if values.is_complex():
        return values.abs().float().cpu(), MODULUS
    if values.is_floating_point():
        largest = _beyond_float32(values)
        if largest is None:
            return values.float().cpu(), ""
        power = int(torch.tensor(largest, dtype=torch.float64).log10().floor())
        scaled = values.double() / 10.0 ** (power // 2) / 10.0 ** (power - power // 2)
        return scaled.float().cpu(), (
            f"The values reach {largest:.3g}, which 32 bits cannot hold: they are shown divided by 1e{power}."
        )
    if values.dtype == torch.int64 and values.numel() and int(values.abs().max()) > _EXACT:
        return values.float().cpu(), "Whole numbers beyond 16,777,216 are rounded to 7 digits."
    return values.float().cpu(), ""


def range_notes(values: torch.Tensor) -> Iterator[str]:
    """What is lost of a result when it becomes float32."""
    largest = _beyond_float32(values)
    if largest is not None:
        stored = "0" if largest < 1 else "infinite"
        yield f"the map's values reach {largest:.3g}, which float32 cannot hold: they are {stored} in it"


def _beyond_float32(values: torch.Tensor) -> float | None:
    """The largest magnitude where it is beyond float32; else None."""
    if values.dtype != torch.float64 or not values.numel():
        return None
    largest = float(values.detach().nan_to_num(0.0, 0.0, 0.0).abs().max())
    limits = torch.finfo(torch.float32)
    return largest if 0 < largest < limits.tiny or largest > limits.max else None
