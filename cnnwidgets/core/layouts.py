"""Which outputs with four axes are maps (N, C, H, W), and which only happen to have four axes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from .errors import Cancelled, CnnWidgetsError
from .graph import Graph, build
from .kinds import kind_of_call
from .names import unwrapped
from .receptive import Field
from .recording import Frame, Op, Recording, record

_SUSPECT = re.compile("permute|transpose|rearrange|channels_?last|layernorm|rmsnorm|attention|attn|swin", re.IGNORECASE)
_NO_BATCH = "with another first axis than the images"


@dataclass(frozen=True)
class Layout:
    """What the axes of a tensor are.

    Attributes:
        shape: of the tensor.
        why_not: why it is no stack of maps (N, C, H, W), as words to put after its shape; None if it is one.
        sure: False where the axes could not be followed, so that only the shape speaks.
    """

    shape: tuple[int, ...]
    why_not: str | None = None
    sure: bool = True

    @property
    def spatial(self) -> bool:
        """Whether it is a stack of maps with more than one place."""
        return self.why_not is None and len(self.shape) == 4 and self.shape[2] * self.shape[3] > 1


@dataclass(frozen=True)
class Layouts:
    """The layouts of what a model's layers return, as far as they have been followed.

    Attributes:
        batch: number of images.
        calls: (name, which of its calls, from 0) -> layout for one image; None if no forward pass was followed.
        note: what to tell the reader, None if there is nothing.
    """

    batch: int
    calls: Mapping[tuple[str, int], Layout] | None = None
    note: str | None = None

    @property
    def followed(self) -> bool:
        """Whether a forward pass was followed, or could not be."""
        return self.calls is not None or self.note is not None

    def of(self, name: str, index: int, shape: tuple[int, ...]) -> Layout:
        """The layout of what call ``index`` of layer ``name`` returned."""
        if len(shape) == 4 and shape[0] != self.batch:
            return Layout(shape, _NO_BATCH)
        if self.calls is None:
            return Layout(shape)
        known = self.calls.get((name, index))
        if known is None or known.shape[1:] != shape[1:]:
            return Layout(shape, sure=False)
        return Layout(shape, known.why_not, known.sure)


def layouts(model: nn.Module, images: torch.Tensor) -> Layouts:
    """The layouts of ``model``, followed only if its modules hint at others than (N, C, H, W)."""
    suspect = any(_SUSPECT.search(type(module).__name__) for module in unwrapped(model).modules())
    return followed_layouts(model, images) if suspect else Layouts(len(images))


def followed_layouts(model: nn.Module, images: torch.Tensor) -> Layouts:
    """The layouts of ``model`` by a recorded forward pass of one image."""
    try:
        recording = record(model, images[:1])
    except Cancelled:
        raise
    except CnnWidgetsError as error:
        note = f"axes could not be followed, every output of four axes was read as (N, C, H, W): {error}"
        return Layouts(len(images), note=note)
    graph = build(recording)
    found = judged(recording, graph)
    made: Counter[str] = Counter()
    calls = {}
    for name, seen in _returned(recording, graph):
        calls[name, made[name]] = found[seen.id]
        made[name] += 1
    return Layouts(len(images), calls)


def judged(recording: Recording, graph: Graph) -> dict[int, Layout]:
    """The layout of what each module call and each functional layer returned, by ``id``.

    Where the axes could not be followed, other outputs of the same shape decide; if there are none, the shape does.
    """
    found: dict[int, Layout] = {}
    same_shape: dict[tuple[int, ...], set[str | None]] = {}
    unknown = []
    for _, seen in _returned(recording, graph):
        layout = _layout(seen, recording.input_shape)
        if layout is None:
            unknown.append(seen)
        else:
            found[seen.id] = layout
            same_shape.setdefault(layout.shape, set()).add(layout.why_not)
    for seen in unknown:
        reasons = same_shape.get(seen.output_shape, set())
        agreed = bool(reasons) and (None not in reasons or len(reasons) == 1)
        why_not = min((reason for reason in reasons if reason), default=None) if agreed else None
        found[seen.id] = Layout(seen.output_shape, why_not, sure=agreed)
    return found


def _returned(recording: Recording, graph: Graph) -> list[tuple[str, Frame | Op]]:
    modules: list[tuple[str, Frame | Op]] = [(frame.name, frame) for frame in recording.frames]
    return modules + [(call.layer, call.seen) for call in graph.calls if isinstance(call.seen, Op)]


def _layout(seen: Frame | Op, input_shape: tuple[int, ...]) -> Layout | None:
    """The layout of what a call returned; None if its axes could not be followed."""
    shape = seen.output_shape
    if len(shape) != 4:
        return Layout(shape, "without height and width")
    if len(input_shape) == 4 and shape[0] != input_shape[0]:
        return Layout(shape, _NO_BATCH)
    if seen.field is None:
        return Layout(shape, "which does not depend on the image")
    axes = _axes(seen.field)
    if len(axes) != 4 or (not any(axes) and shape[2:] != (1, 1)):
        return Layout(shape, "without height and width") if _mixes_last_axis(seen) else None
    rows, columns = {0}, {1}
    known = all(carried or size == 1 for carried, size in zip(axes[2:], shape[2:], strict=True))
    if known and not axes[0] and not axes[1] and axes[2] <= rows and axes[3] <= columns:
        return Layout(shape)
    if axes[1:] == [rows, columns, set()]:
        return Layout(shape, "channels last")
    if rows | columns in axes:
        return Layout(shape, "tokens in place of height and width")
    if axes[2:] == [columns, rows]:
        return Layout(shape, "width before height")
    return Layout(shape, "without an axis for height and one for width")


def _axes(field: Field) -> list[set[int]]:
    """The image axes that each axis of the tensor carries."""
    return [{reach.axis for _, reach in dim if reach is not None} for dim in field.dims]


def _mixes_last_axis(seen: Frame | Op) -> bool:
    if isinstance(seen, Frame):
        return isinstance(seen.module, nn.Linear)
    return kind_of_call(seen.name) in ("attention", "linear")
