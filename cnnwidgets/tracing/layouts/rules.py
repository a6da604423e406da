"""How what a call returned holds maps, by the image axes that each of its axes carries."""

from __future__ import annotations

import re

from torch import nn

from cnnwidgets.tracing.kinds import kind_of_call
from cnnwidgets.tracing.receptive.field import Dim, Field, length_of, moved_by
from cnnwidgets.tracing.recorded import ModuleCall, Op

from .grids import Grids
from .token_layout import TokenLayout

NO_BATCH = "with another first axis than the images"
NO_PLACES = "without height and width"
SHIFTED = "with its rows and columns shifted"
INDEPENDENT = "which does not depend on the image"
_ROWS, _COLUMNS = {0}, {1}
_ATTENTION = re.compile("attention|attn", re.IGNORECASE)

Reading = tuple[str | None, TokenLayout | None]
"""Why it is no stack of maps (N, C, H, W), None if it is one; and the order in which it holds maps all the same."""


def layout_reading(event: ModuleCall | Op, input_shape: tuple[int, ...], grids: Grids) -> Reading | None:
    """How what ``seen`` returned holds maps; None if that cannot be told."""
    shape, field = event.output_shape, event.field
    if len(shape) not in (3, 4):
        return NO_PLACES, None
    if field is None:
        return INDEPENDENT, None
    axes = _axes(field)
    by = moved_by(*field.dims)
    if len(shape) == 3 and by is None:
        form = _followed_row(field, shape, axes)
        if form is not None:
            return "tokens in place of height and width", form
    if len(input_shape) == 4 and shape[0] != input_shape[0] and (len(shape) == 4 or any(axes[:1])):
        windows = len(axes) == len(shape) and axes[0] == _ROWS | _COLUMNS and any(axes[1:])
        return f"windows of the image, {NO_BATCH}" if windows else NO_BATCH, None
    if len(shape) == 3:
        if by is not None and grids.tokens_grid is None:
            _note_shuffle(field, grids)
            return f"{NO_PLACES}, and with its tokens shifted ({by})", None
        return _three(event, field, axes, grids)
    if len(axes) != 4 or (not any(axes) and shape[2:] != (1, 1)):
        if _is_inside_attention(event) and (grids.fits(shape[2]) or grids.fits(shape[1])):
            return "weights of an attention" if shape[2] == shape[3] else "tokens split over the heads", None
        return (NO_PLACES, None) if _mixes_last_axis(event) else None
    if by is not None:
        return f"{SHIFTED} ({by})", None
    if any(len(dim) > 1 and dim[0][1] is None for dim in field.dims[1:]) and _ROWS | _COLUMNS not in axes:
        return "with channels laid beside each other as rows or columns", None
    return _four(shape, axes)


def _four(shape: tuple[int, ...], axes: list[set[int]]) -> Reading:
    is_followed = all(carried or size == 1 for carried, size in zip(axes[2:], shape[2:], strict=True))
    if is_followed and not axes[0] and not axes[1] and axes[2] <= _ROWS and axes[3] <= _COLUMNS:
        return None, None
    if not axes[0] and sorted(map(sorted, axes[1:])) == [[], [0], [1]]:
        order = "n" + "".join("c" if not carried else "hw"[min(carried)] for carried in axes[1:])
        why_not = {"nhwc": "channels last", "ncwh": "width before height"}.get(order, "with its axes in another order")
        return why_not, TokenLayout(order, (shape[order.index("h")], shape[order.index("w")]))
    if axes[1] == _ROWS and axes[2] == _COLUMNS:
        return "with parts of height and width on the last axis", None
    if _ROWS | _COLUMNS in axes:
        return "tokens in place of height and width", None
    return "without an axis for height and one for width", None


def _followed_row(field: Field, shape: tuple[int, ...], axes: list[set[int]]) -> TokenLayout | None:
    """How one axis of three holds all places in a row, if its axes say so."""
    if len(axes) != 3 or sum(map(bool, axes)) != 1:
        return None
    at = [bool(carried) for carried in axes].index(True)
    row = _row_of_tokens(field.dims[at])
    images = next((axis for axis in range(3) if axis != at and shape[axis] == 1), None)
    if row is None or images is None:
        return None
    letters = {at: row[0], images: "n", 3 - at - images: "c"}
    return TokenLayout("".join(letters[axis] for axis in range(3)), row[1])


def _three(event: ModuleCall | Op, field: Field, axes: list[set[int]], grids: Grids) -> Reading:
    shape = event.output_shape
    _note_shuffle(field, grids)
    if not any(axes) or grids.tokens_grid is not None:
        form = grids.form(shape)
        if form is not None and shape[-1] == shape[-2] and _makes_weights(event):
            return "weights of an attention", None
        if form is not None:
            return "tokens in place of height and width", form
    if grids.tokens_grid is not None:
        return f"{NO_PLACES} and not the tokens of a grid of {grids.tokens_grid[0]} × {grids.tokens_grid[1]}", None
    return NO_PLACES, None


def _note_shuffle(field: Field, grids: Grids) -> None:
    """Remember how many tokens are in another order than that of a grid."""
    for dim in field.dims:
        carried = {reach.axis for _, reach in dim if reach is not None}
        if moved_by(dim) is not None or (carried == _ROWS | _COLUMNS and _row_of_tokens(dim) is None):
            grids.shuffle(length_of(dim))


def _row_of_tokens(dim: Dim) -> tuple[str, tuple[int, int]] | None:
    """The letter and the grid of an axis that holds all places in a row."""
    if len(dim) != 2 or any(reach is None for _, reach in dim):
        return None
    (first, _), (second, _) = dim
    order = [reach.axis for _, reach in dim if reach is not None]
    return {(0, 1): ("t", (first, second)), (1, 0): ("s", (second, first))}.get((order[0], order[1]))


def _axes(field: Field) -> list[set[int]]:
    """The image axes that each axis of the tensor carries."""
    return [{reach.axis for _, reach in dim if reach is not None} for dim in field.dims]


def _mixes_last_axis(event: ModuleCall | Op) -> bool:
    if isinstance(event, ModuleCall):
        return isinstance(event.module, nn.Linear)
    return kind_of_call(event.name) in ("attention", "linear")


def _makes_weights(event: ModuleCall | Op) -> bool:
    """Whether it makes weights of one token for each other one."""
    if isinstance(event, ModuleCall):
        return isinstance(event.module, nn.Softmax)
    return event.name in ("softmax", "bmm", "baddbmm", "matmul")


def _is_inside_attention(event: ModuleCall | Op) -> bool:
    around = event.parent if isinstance(event, ModuleCall) else event.frame
    while around is not None:
        if is_attention(around.module):
            return True
        around = around.parent
    return False


def is_attention(module: nn.Module) -> bool:
    """Whether the module's class says that it is an attention."""
    return bool(_ATTENTION.search(type(module).__name__))
