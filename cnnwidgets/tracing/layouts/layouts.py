"""Which outputs are maps (N, C, H, W), which hold maps in another order, and which only happen to have four axes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, CnnWidgetsError
from cnnwidgets.tracing.anatomy import Anatomy
from cnnwidgets.tracing.graph import LayerGraph
from cnnwidgets.tracing.placement import Placement, placement_of
from cnnwidgets.tracing.recorded import ModuleCall, Op, Recording

from .grids import Grids
from .rules import NO_BATCH, Reading, layout_reading
from .token_layout import AnyForm, CustomForm


@dataclass(frozen=True)
class Layout:
    """What the axes of a tensor are.

    Attributes:
        shape: of the tensor.
        why_not: why it is no stack of maps (N, C, H, W), as words to put after its shape; None if it is one.
        sure: False where the axes could not be followed, so that only the shape speaks.
        form: how it holds maps all the same, in another order; None if it does not, or needs no turning.
        placement: where its maps lie in the image; None if it holds none, or that is not known.
    """

    shape: tuple[int, ...]
    why_not: str | None = None
    sure: bool = True
    form: AnyForm | None = None
    placement: Placement | None = None

    @property
    def spatial(self) -> bool:
        """Whether it is, as it stands, a stack of maps with more than one place."""
        return self.why_not is None and len(self.shape) == 4 and self.shape[2] * self.shape[3] > 1

    @property
    def stacked(self) -> bool:
        """Whether it is, or holds, a stack of maps."""
        return self.form is not None or (self.why_not is None and len(self.shape) == 4)

    @property
    def mapped(self) -> bool:
        """Whether it is, or holds, a stack of maps with more than one place."""
        return self.form.several if self.form is not None else self.spatial

    def maps(self, tensor: torch.Tensor) -> torch.Tensor:
        """The maps (N, C, h, w) in ``tensor``."""
        return tensor if self.form is None else self.form.maps(tensor)


@dataclass(frozen=True)
class Layouts:
    """The layouts of what a model's layers return, as far as they have been followed.

    Attributes:
        batch: number of images.
        calls: (name, which of its calls, from 0) -> layout for one image; None if no forward pass was followed.
        note: what to tell the reader, None if there is nothing.
        given: rows and columns of tokens, of which the user says that they form this grid.
        lost: the scores do not depend on the image, as far as it was followed.
        custom: layer -> how the user says that it holds maps.
    """

    batch: int
    calls: Mapping[tuple[str, int], Layout] | None = None
    note: str | None = None
    given: tuple[int, int] | None = None
    lost: bool = False
    custom: Mapping[str, CustomForm] = field(default_factory=dict)

    @property
    def has_tokens(self) -> bool:
        """Whether some layer's maps lie in it as tokens."""
        forms = (layout.form for layout in (self.calls or {}).values())
        return any(form is not None and form.has_tokens and form.several for form in forms)

    def of(self, name: str, index: int, shape: tuple[int, ...]) -> Layout:
        """The layout of what call ``index`` of layer ``name`` returned."""
        if name in self.custom:
            return Layout(shape, "read by a function", form=self.custom[name])
        layout = self.calls.get((name, index)) if self.calls is not None else None
        if layout is not None and _same_but_for_batch(layout, shape):
            if layout.form is not None and shape[layout.form.images_at] != self.batch:
                return Layout(shape, NO_BATCH)
            if layout.why_not is not None or shape[0] == self.batch or len(shape) != 4:
                return replace(layout, shape=shape)
        if len(shape) == 4:
            return Layout(shape, NO_BATCH) if shape[0] != self.batch else Layout(shape, sure=self.calls is None)
        if self.calls is None and self.given is not None and len(shape) == 3 and shape[0] == self.batch:
            return Layout(shape, form=Grids(tokens_grid=self.given).form((1, *shape[1:])))
        return Layout(shape)


def _same_but_for_batch(layout: Layout, shape: tuple[int, ...]) -> bool:
    at = layout.form.images_at if layout.form is not None else 0
    before = layout.shape
    return len(before) == len(shape) and before[:at] + before[at + 1 :] == shape[:at] + shape[at + 1 :]


def followed_layouts(model: nn.Module, images: torch.Tensor, grid: tuple[int, int] | None = None) -> Layouts:
    """The layouts of ``model`` by a recorded forward pass of one image; ``grid`` is what tokens are said to form."""
    try:
        recording, graph = Anatomy.shared(model, images)
    except Cancelled:
        raise
    except CnnWidgetsError as error:
        note = f"axes could not be followed, every output of four axes was read as (N, C, H, W): {error}"
        return Layouts(len(images), note=note, given=grid)
    layouts = layouts_of_recording(recording, graph, grid)
    counts: Counter[str] = Counter()
    calls = {}
    for name, event in returning_calls(recording, graph):
        calls[name, counts[name]] = layouts[event.id]
        counts[name] += 1
    return Layouts(len(images), calls, given=grid, lost=not recording.outputs)


def layouts_of_recording(
    recording: Recording, graph: LayerGraph, tokens_grid: tuple[int, int] | None = None
) -> dict[int, Layout]:
    """The layout of what each module call and each functional layer returned, by ``id``.

    Where the axes could not be followed, other outputs of the same shape decide, or the number of tokens; if there is
    no such thing, the shape does.
    """
    grids = Grids(recording.joins, tokens_grid)
    layouts: dict[int, Layout] = {}
    same_shape: dict[tuple[int, ...], set[Reading]] = {}
    unknown = []
    events = [event for _, event in returning_calls(recording, graph)]
    # In the order in which they returned.
    for event in sorted(events, key=lambda event: event.end if isinstance(event, ModuleCall) else event.id):
        axes_read = layout_reading(event, recording.input_shape, grids)
        if axes_read is None:
            unknown.append(event)
            if isinstance(event, ModuleCall) and isinstance(event.module, nn.Conv2d):
                grids.add((event.output_shape[2], event.output_shape[3]))  # tokens that were laid out for it
            continue
        why_not, form = axes_read
        layout, placement = Layout(event.output_shape, why_not, form=form), None
        if form is not None and not form.followed:
            placement = grids.placements.get(form.grid)
        elif layout.stacked:
            grid = form.grid if form is not None else (layout.shape[2], layout.shape[3])
            placement = placement_of(event.field, grid, recording.input_shape)
            if form is not None or layout.spatial:
                grids.add(grid, placement)
        layouts[event.id] = replace(layout, placement=placement)
        same_shape.setdefault(layout.shape, set()).add(axes_read)
    for event in unknown:
        among = same_shape.get(event.output_shape, set())
        refused = {axes_read for axes_read in among if axes_read[0] is not None}
        agreed = bool(among) and len(refused) in (0, len(among))
        if agreed and len(refused) == 1:
            why_not, form = refused.pop()
        else:
            why_not, form = min((str(reason) for reason, _ in refused), default=None) if agreed else None, None
        layouts[event.id] = Layout(event.output_shape, why_not, sure=agreed, form=form)
    return layouts


def returning_calls(recording: Recording, graph: LayerGraph) -> list[tuple[str, ModuleCall | Op]]:
    """The name and call of each module call and each functional layer; the calls of one layer in their order."""
    modules: list[tuple[str, ModuleCall | Op]] = [(frame.name, frame) for frame in recording.frames]
    return modules + [(call.layer, call.event) for call in graph.calls if isinstance(call.event, Op)]
