"""Arrays, tensors and nested lists as numpy arrays for display, and what they lose on the way; columns as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import CnnWidgetsError, InputError
from .plain import MOST_EXPANDED, is_tensor, plain_tensor

Floats = npt.NDArray[np.float32]
_REAL = "biuf"
_TINY, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
_EXACT = 2**24
"""Whole numbers beyond it are rounded in float32."""


def as_array(
    data: Any, subject: str, expected: str = "an array, a tensor or a regular nested list"
) -> npt.NDArray[Any]:
    """``data`` (array, tensor on any device, in any graph, nested list) as a numpy array.

    Raises:
        InputError: it cannot be read, or is a view that would grow beyond memory.
    """
    if is_tensor(data):
        data = plain_tensor(data, subject).cpu()
        # numpy has no bfloat16 and no float8, and float16 is slow on a CPU
        narrow = data.is_floating_point() and data.element_size() < 4
        return np.asarray((data.float() if narrow else data).numpy())
    try:
        array = np.asarray(data)
    except MemoryError:
        raise InputError(f"{subject} does not fit into memory. Crop or shrink it first.") from None
    except Exception as error:  # a ragged list, or an __array__ of the caller's
        raise InputError(
            f"{subject} is a {type(data).__name__} that gives no array: expected {expected} ({type(error).__name__}: "
            f"{str(error)[:200]})."
        ) from error
    if array.size > MOST_EXPANDED and 0 in array.strides:
        raise InputError(f"{subject} has shape {array.shape}, expanded from fewer values. Crop or shrink it first.")
    if isinstance(array, np.ma.MaskedArray):
        array = array.filled(np.nan) if array.dtype.kind == "f" else array.filled()
    return np.asarray(array)


def as_float32(array: npt.NDArray[Any]) -> tuple[Floats, tuple[str, ...]]:
    """Real numbers as float32, and notes on what that changes.

    Maps that float32 cannot hold (of 1e-300 or 1e300) are divided by a power of ten, which the note tells: so they are
    right in their proportions, instead of 0 or infinite everywhere.

    Example:
        >>> as_float32(np.array([0.0, 2e-300]))[0].tolist(), as_float32(np.array([1, 2**24 + 1]))[1]
        ([0.0, 2.0], ('Whole numbers beyond 16,777,216 are rounded to 7 digits.',))
    """
    if array.dtype.kind in "iu" and array.size and max(abs(int(array.min())), abs(int(array.max()))) > _EXACT:
        return array.astype(np.float32), ("Whole numbers beyond 16,777,216 are rounded to 7 digits.",)
    if array.dtype.kind != "f" or array.dtype.itemsize <= 4 or not array.size:
        return array.astype(np.float32, copy=False), ()
    with np.errstate(all="ignore"):
        sizes = np.abs(array[np.isfinite(array) & (array != 0)])
        largest = float(sizes.max(initial=0.0))
        if largest == 0 or _TINY <= largest <= _LARGEST:
            return array.astype(np.float32, copy=False), ()
        if largest > _LARGEST and float(np.quantile(sizes, 0.5, method="lower")) <= _LARGEST:
            count = int((sizes > _LARGEST).sum())
            beyond = f"{count:,} {'value is' if count == 1 else 'values are'} beyond 3.4e38: shown as infinite."
            return array.astype(np.float32), (beyond,)
        power = int(np.floor(np.log10(largest)))
        # In two steps, since 10 ** 320 is no float64.
        half = power // 2
        scaled = array.astype(np.float64) / 10.0**half / 10.0 ** (power - half)
    note = f"The values reach {largest:.3g}, which 32 bits cannot hold: they are shown divided by 1e{power}."
    return scaled.astype(np.float32), (note,)


def real(array: npt.NDArray[Any], subject: str, expected: str) -> npt.NDArray[Any]:
    """``array``, if its values are real numbers.

    Raises:
        InputError: they are not.
    """
    if array.dtype.kind not in _REAL:
        how = " Pass its modulus, abs(...), or its real part." if array.dtype.kind == "c" else ""
        raise InputError(f"{subject} holds {array.dtype} values; expected real numbers {expected}.{how}")
    return array


def dataframe(columns: Mapping[str, Sequence[Any]]) -> Any:
    """A ``pandas.DataFrame`` of ``columns``, all of one length.

    Raises:
        CnnWidgetsError: pandas is not installed.

    Example:
        >>> dataframe({"layer": ["conv"], "params": [12]}).to_dict("records")
        [{'layer': 'conv', 'params': 12}]
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise CnnWidgetsError("to_dataframe() needs pandas, which is not installed: pip install pandas.") from error
    return pd.DataFrame(dict(columns))
