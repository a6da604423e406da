"""What a caller hands in (arrays, tensors, nested lists) as numpy arrays for display, or refused with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.arrays import as_array, as_float32, real
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.plain import conversion, is_tensor

from .pictures import is_attribution

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Notes = tuple[str, ...]
_REAL = "biuf"


class DisplayedMap(NamedTuple):
    """One image's part of an attribution, ready for display.

    Attributes:
        values: (h, w), signed.
        magnitude: (h, w), what stands in for the positive part; None where that is max(values, 0).
        channels: how many input channels were merged; 0 for maps that have none.
        colours: (3, h, w), the channels themselves where there are three; else None.
    """

    values: Floats
    magnitude: Floats | None = None
    channels: int = 0
    colours: Floats | None = None

    @property
    def arrays(self) -> dict[str, Floats]:
        """What is sent of it: ``values``, and ``magnitude`` where there is one."""
        return {"values": self.values} | ({} if self.magnitude is None else {"magnitude": self.magnitude})


def map_and_notes(values: Any, dims: tuple[int, ...] = (2,)) -> tuple[Floats, Notes]:
    """``values`` (array-like, or a tensor on any device) as float32 with one of ``dims`` dimensions, not empty.

    Where a map (h, w) is wanted, (1, h, w) is one, too: what explainers give for one image. The notes tell what
    float32, or reading a quantised tensor, changes.
    """
    if is_attribution(values):
        raise InputError("The map is an Attribution; show it with show_attribution(attribution).")
    expected = "(h, w) or (1, h, w)" if dims == (2,) else "(N, h, w) or (N, C, H, W)"
    array = real(as_array(values, "The map", f"real numbers {expected}"), "The map", expected)
    is_batch_of_one = dims == (2,) and array.ndim == 3 and len(array) == 1
    if not (array.ndim in dims or is_batch_of_one) or array.size == 0:
        raise InputError(
            f"The map has shape {array.shape}; expected {expected}, no side 0. Show one image's map at a time."
        )
    floats, notes = as_float32(array[0] if is_batch_of_one else array)
    return np.array(floats), _with_conversion(values, notes)


def first_image(values: Any) -> DisplayedMap:
    """The first image of an attribution's ``values``.

    Channels of an input gradient are merged by the largest magnitude (Simonyan et al. 2014) and, for the signed view,
    by their sum; a place where any channel is not finite is NaN in both.

    >>> merged = first_image([[[[3.0]], [[-4.0]]]])
    >>> merged.values.item(), merged.magnitude.item(), merged.channels
    (-1.0, 4.0, 2)
    """
    maps = map_and_notes(values, dims=(3, 4))[0][0]
    if maps.ndim == 2:
        return DisplayedMap(maps)
    finite = np.isfinite(maps).all(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        total, largest = maps.sum(axis=0), np.abs(maps).max(axis=0)
    signed, magnitude = (np.where(finite, part, np.nan).astype(np.float32) for part in (total, largest))
    return DisplayedMap(signed, magnitude, len(maps), maps if len(maps) == 3 else None)


def one_image(values: Any) -> tuple[DisplayedMap, Notes]:
    """(h, w) or (1, h, w), a map, or (C, H, W), an input gradient, as of an image; and notes on the values.

    >>> one_image([[[-1.0]]])[0].values.tolist(), one_image([[[-1.0]]])[0].channels
    ([[-1.0]], 0)
    """
    checked, notes = map_and_notes(values, dims=(2, 3))
    return first_image(checked if len(checked) == 1 and checked.ndim == 3 else checked[None]), notes


def feature_maps(data: Any) -> tuple[npt.NDArray[Any], Notes]:
    """``data`` as (C, h, w) of real numbers that float32 can hold, and notes on what that changes.

    Raises:
        InputError: it is something else; says what.
    """
    maps = as_array(data, "The stack of feature maps")
    if maps.dtype.kind == "O":
        raise InputError(
            f"Got a {type(data).__name__}; feature maps are real numbers (C, h, w). Of captured outputs pass "
            "outputs['layer'][0]; an Attribution is shown by HeatmapOverlay(picture, attribution)."
        )
    if maps.dtype.kind not in _REAL:
        raise InputError(
            f"Feature maps are real numbers, got {maps.dtype}. Pass a (C, h, w) array or tensor of floats."
        )
    if maps.ndim == 4 and maps.shape[0] == 1:
        maps = maps[0]
    if maps.ndim != 3:
        batch = " Pass one image's maps: maps[0]." if maps.ndim == 4 else ""
        raise InputError(f"Feature maps have the shape (C, h, w), got {maps.shape}.{batch}")
    if maps.size == 0:
        raise InputError(f"There is nothing to show in maps of shape {maps.shape}: each side must be at least 1.")
    floats, notes = as_float32(maps)
    return floats, _with_conversion(data, notes)


def per_channel(data: Any, channels: int) -> Floats:
    """``data`` as (C,) float32 for C ``channels``."""
    values = as_array(data, "The contribution")
    if values.shape != (channels,) or values.dtype.kind not in _REAL:
        raise InputError(f"Expected one number for each of the {channels} channels, got {values.dtype} {values.shape}.")
    return values.astype(np.float32)


def field_sides(size: int | Sequence[int] | None) -> list[int] | None:
    """A receptive field as [height, width]; an int is a square."""
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return [int(height), int(width)]


def cell_spans(cells: Any, grid: tuple[int, ...]) -> dict[str, Floats]:
    """``cells``, the rows (h, 2) and columns (w, 2) of a ``grid`` of cells, as arrays of a push.

    Raises:
        InputError: they are not that many, or end before they begin.
    """
    spans = [as_array(along, "The cells").astype(np.float32) for along in cells]
    fitting = [along.shape for along in spans] == [(side, 2) for side in grid]
    if not fitting or any((along[:, 1] < along[:, 0]).any() for along in spans):
        shapes = " and ".join(str(along.shape) for along in spans)
        raise InputError(f"The cells have shapes {shapes}; expected ({grid[0]}, 2) and ({grid[1]}, 2), begin and end.")
    return dict(zip(("rows", "columns"), spans, strict=True))


def doubles(values: Any) -> Doubles:
    """An array or tensor as a float64 array.

    Raises:
        InputError: it holds no real numbers.
    """
    array = as_array(values, "The numbers")
    if array.dtype.kind in "cOSUVmM":
        raise InputError(f"Expected real numbers, got {type(values).__name__} of {array.dtype}.")
    return array.astype(np.float64)


def class_vector(values: Any) -> Doubles:
    """The scores of one image's classes, from whatever a model returned, as (classes,) float64.

    Args:
        values: (classes,) or (1, classes), an array, a list, or a tensor on any device and with its graph.

    Raises:
        InputError: it is something else; says what to pass.

    Example:
        >>> class_vector([[0.5, 2]]).tolist()
        [0.5, 2.0]
    """
    if isinstance(values, list | tuple) and any(is_tensor(value) and value.ndim for value in values):
        raise InputError(
            f"The scores are a {type(values).__name__} of {len(values)} tensors; expected one number a class. Pass the "
            "one that holds the scores, such as model(x)[0]."
        )
    array = as_array(values, "The scores", "one number a class")
    if array.dtype.kind not in _REAL:
        raise InputError(
            f"The scores are {array.dtype}; expected one real number a class: of several outputs, or an object, pass "
            "the scores alone, model(x)[0] or model(x).logits, say."
        )
    if array.ndim == 2 and len(array) == 1:
        array = array[0]
    if array.ndim == 2 and len(array) > 1:
        raise InputError(
            f"Scores have shape {array.shape}, those of {len(array)} images; expected one number a class, (classes,). "
            "Pass scores[0]."
        )
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"Scores have shape {array.shape}; expected one number a class, (classes,).")
    return array.astype(np.float64)


def _with_conversion(data: Any, notes: Notes) -> Notes:
    return tuple(note for note in (conversion(data), *notes) if note)


def area_shares(source: int, target: int) -> npt.NDArray[np.float64]:
    """(target, source): how much of each source cell lies in each target cell; rows sum to 1.

    >>> area_shares(3, 2).tolist()
    [[0.6666666666666666, 0.3333333333333333, 0.0], [0.0, 0.3333333333333333, 0.6666666666666666]]
    """
    edges = np.arange(target + 1) * source / target
    cells = np.arange(source)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    weights = np.maximum(overlap, 0)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def area_mean(values: Floats, most: int) -> Floats:
    """``values`` (h, w) with no side over ``most``: each cell is the mean of what it covers.

    A cell that covers anything not finite is NaN.
    """
    height, width = values.shape
    if max(height, width) <= most:
        return values
    factor = most / max(height, width)
    down, across = (area_shares(side, max(1, round(side * factor))) for side in (height, width))
    finite = np.isfinite(values)
    means = down @ np.where(finite, values, 0).astype(np.float64) @ across.T
    broken = down @ ~finite @ across.T > 0
    return np.where(broken, np.nan, means).astype(np.float32)
