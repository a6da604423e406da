"""A layer's kernels as the browser and the still picture want them: five axes, and how many of them can be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.arrays import as_array, as_float32, real
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.kernel_numbers import Pairs, kernel_norms, near_duplicates

Floats = npt.NDArray[np.float32]
MOST_NUMBERS = 2**22
"""Numbers that are sent, 16 MB; of a layer with more, the filters with the largest norm."""
_MOST_COMPARED = 2**24
_EXPECTED = "(K, C, kh, kw), (K, C, kd, kh, kw), (K, C, k) of a signal, or (K, C)"


@dataclass(frozen=True, eq=False)
class ShownKernels:
    """What is on show.

    Attributes:
        values: (n, C, kd, kh, kw), the filters in order of their index.
        filters: (n,) int32, their indices in the layer.
        norms: (n,) of each.
        count: how many filters the layer has.
        signal: whether they go along one axis, as of a Conv1d.
        sides: of one kernel, as the layer has them.
        dead, duplicates: as for :class:`~cnnwidgets.kernels.KernelSummary`.
        notes: what the reader must know.
    """

    values: Floats
    filters: npt.NDArray[np.int32]
    norms: Floats
    count: int
    signal: bool
    sides: tuple[int, ...]
    dead: tuple[int, ...]
    duplicates: Pairs
    notes: tuple[str, ...]

    @property
    def coloured(self) -> bool:
        """Whether three input channels stand for red, green and blue."""
        return self.values.shape[1] == 3 and not self.signal and self.values[0, 0].size > 1


def shown_kernels(kernels: Any, groups: int = 1, summary: Any = None) -> ShownKernels:
    """Check ``kernels``, array, tensor, or what :func:`~cnnwidgets.kernels.weights` returns.

    Raises:
        InputError: they have another number of axes, or are no real numbers.
    """
    plain = getattr(kernels, "array", None)
    source = plain if isinstance(plain, np.ndarray) else kernels
    array = real(as_array(source, "The kernels", _EXPECTED), "The kernels", _EXPECTED)
    if array.ndim not in (2, 3, 4, 5) or array.size == 0:
        raise InputError(f"The kernels have shape {array.shape}; expected {_EXPECTED}, no side 0.")
    floats, changes = as_float32(array)
    norms = kernel_norms(floats)
    count = len(floats)
    if summary is None:
        dead = tuple(np.flatnonzero(norms == 0).tolist())
        duplicates = near_duplicates(floats, groups) if floats.size <= _MOST_COMPARED else ()
    else:
        dead, duplicates = tuple(summary.dead), tuple(summary.near_duplicates)
        if len(summary.norms) != count:
            raise InputError(f"The summary is of {len(summary.norms)} filters; the kernels have {count}.")
    notes = list(changes)
    most = max(1, MOST_NUMBERS // floats[0].size)
    filters = np.arange(count)
    if count > most:
        largest = np.argsort(-np.nan_to_num(norms, nan=np.inf), kind="stable")[:most]
        filters = np.sort(largest)
        notes.append(f"{most:,} of {count:,} filters are shown, those with the largest norm: all would be too many.")
    broken = int((~np.isfinite(floats)).sum())
    if broken:
        notes.append(f"{broken:,} {'weight is' if broken == 1 else 'weights are'} NaN or infinite, in magenta.")
    return ShownKernels(
        five_axes(floats[filters]),
        filters.astype(np.int32),
        norms[filters].astype(np.float32),
        count,
        floats.ndim == 3,
        floats.shape[2:],
        dead,
        duplicates,
        tuple(notes),
    )


def five_axes(array: Floats) -> Floats:
    """(K, C, kd, kh, kw), with sides of 1 where there is no such axis.

    Example:
        >>> five_axes(np.zeros((8, 3, 5), np.float32)).shape, five_axes(np.zeros((8, 3), np.float32)).shape
        ((8, 3, 1, 1, 5), (8, 3, 1, 1, 1))
    """
    return np.ascontiguousarray(array.reshape(*array.shape[:2], *(1,) * (5 - array.ndim), *array.shape[2:]))
