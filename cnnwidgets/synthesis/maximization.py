"""One call of :func:`~cnnwidgets.synthesis.maximize`, from its size to its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import nn

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.engine.memory import Chunks, estimated_batch
from cnnwidgets.running.forward import again

from .class_outputs import ClassOutputs
from .draws import Draws
from .layer_maps import LayerMaps
from .loop import Ascent
from .objective import Goals
from .recipes.recipe import ImageRecipe
from .result import Synthesis
from .space import InputSpace

_OFTEN = 0.25
"""Seconds between two results so far."""
_PIXELS = 16 * 180 * 180
"""At a time on a CPU: as the pass ends at the layer, more than for others pays."""
_LEAST_GRID = 4
"""Cells a side that a map must have at half the size for a beginning there."""


class Largest(Protocol):
    """What knows the largest natural activations, such as :class:`~cnnwidgets.exemplars.Exemplars`."""

    def largest(self, layer: str) -> Any:
        """(K,), of any cell of each channel."""
        ...


class Maximization:
    """One call of :func:`maximize`."""

    def __init__(
        self,
        model: nn.Module,
        layer: str | nn.Module | None,
        kind: type[ImageRecipe],
        space: InputSpace,
        steps: int,
        seed: int,
        variants: int,
    ) -> None:
        self._model, self._layer, self._kind, self._space = model, layer, kind, space
        self._steps, self._seed, self._variants = steps, seed, variants
        self._largest: torch.Tensor | None = None
        self._last_partial = 0.0

    def prepare(self, size: Any, goals: Callable[[str, int, tuple[int, int]], Goals]) -> None:
        """Decide on the size, look at the layer, and check what is asked of it."""
        self._sides = _checked_sides(size) or self._default_sides()
        _check_size(self._kind, self._sides)
        try:
            self._reader = self._read(self._sides)
        except InputError:
            own = self._space.sides
            if size is not None or own is None or own == self._sides:
                raise
            self._sides, self._reader = own, self._read(own)
        self._goals = goals(self._reader.name, self._reader.channels, self._reader.grid)
        grid, border = self._reader.grid, self._kind.border
        if self._reader.name and min(grid) <= 2 * border:
            raise InputError(
                f"The maps of layer {self._reader.name!r} are {grid[0]} × {grid[1]} for images of {self._sides[0]} × "
                f"{self._sides[1]} pixels; the recipe {self._kind.name!r} leaves out {border} cells at each side, and "
                "nothing remains. Pass a larger size, an earlier layer or another recipe."
            )

    def _default_sides(self) -> tuple[int, int]:
        own, side = self._space.sides, self._kind.side
        return own if own is not None and min(own) < side else (side, side)

    def _read(self, sides: tuple[int, int]) -> LayerMaps | ClassOutputs:
        probe = torch.zeros(1, self._space.channels, *sides, device=self._space.device)
        probe = self._space.inputs(probe + 0.5).to(self._space.dtype)
        return ClassOutputs(self._model, probe) if self._layer is None else LayerMaps(self._model, self._layer, probe)

    def compare_with(self, exemplars: Largest | None) -> None:
        """Take from ``exemplars`` what natural images reach."""
        if exemplars is None or not self._reader.name or self._goals.directions is not None or self._goals.sign < 0:
            return
        largest = torch.as_tensor(exemplars.largest(self._reader.name), dtype=torch.float32).cpu()
        if largest.shape != (self._reader.channels,):
            raise InputError(
                f"The exemplars know {tuple(largest.shape)} largest activations of layer {self._reader.name!r}, which "
                f"has {self._reader.channels} channels. Pass exemplars of this model."
            )
        self._largest = largest[list(self._goals.channels)]

    def run(self, progress: ProgressCallback | bool | None, notes: tuple[str, ...]) -> Synthesis:
        """Make the images; whatever ends that early carries those so far as ``partial``."""
        try:
            return self._run(progress, notes)
        except BaseException as error:
            if hasattr(self, "_recipe"):
                error.partial = self._so_far()  # type: ignore[attr-defined]
            raise

    def _run(self, progress: ProgressCallback | bool | None, notes: tuple[str, ...]) -> Synthesis:
        images = len(self._goals.channels)
        draws = Draws(self._seed, self._keys())
        repeats = self._kind.repeats
        many = min(images * repeats, _PIXELS // (self._sides[0] * self._sides[1]))
        estimate = max(many, estimated_batch(torch.empty(1, *self._sides, device=self._space.device), images * repeats))
        self._ascent = Ascent(self._goals, self._steps, Chunks(max(1, estimate // repeats)), self._variants)
        stages = self._stages()
        with Meter(progress, images * self._steps) as meter:
            for reader, sides, until in stages:
                smaller = getattr(self, "_recipe", None)
                self._recipe = self._kind(self._space, sides, draws, images)
                if smaller is not None:
                    self._recipe.enlarged_from(smaller)
                partial = self._partial if callable(progress) else lambda: None
                self._ascent.climb(self._recipe, reader, until, meter, partial)
            values, peaks = again(lambda: self._ascent.plain(self._recipe, self._reader))
            result = self._result(values, peaks, ~self._ascent.awake, notes)
            if callable(progress):
                meter.advance(meter.total - meter.done, result)
        return result

    def _keys(self) -> list[int]:
        """What tells the images' random numbers apart: channel or direction, and variant."""
        return [
            (index // self._variants if channel < 0 else channel) * 1_000 + index % self._variants
            for index, channel in enumerate(self._goals.channels)
        ]

    def _stages(self) -> list[tuple[LayerMaps | ClassOutputs, tuple[int, int], int]]:
        """With which reader, at which size, and up to which step."""
        whole = (self._reader, self._sides, self._steps)
        half = self._sides[0] // 2, self._sides[1] // 2
        even = all(side % 4 == 0 for side in self._sides)
        if not self._kind.doubles or not even or min(half) < 48 or self._goals.where != "mean":
            return [whole]
        try:
            reader = self._read(half)
        except InputError:
            return [whole]
        if not self._reader.name or min(reader.grid) < _LEAST_GRID:
            return [whole]
        return [(reader, half, self._steps // 2), whole]

    def _partial(self) -> Synthesis | None:
        now = time.monotonic()
        if now - self._last_partial < _OFTEN:
            return None
        self._last_partial = now
        return self._so_far()

    def _so_far(self) -> Synthesis:
        blank = torch.full((len(self._goals.channels),), torch.nan)
        nothing = torch.zeros(len(blank), dtype=torch.bool)
        return self._result(blank, blank, nothing, ("not finished yet",))

    def _result(
        self, values: torch.Tensor, peaks: torch.Tensor, dead: torch.Tensor, notes: tuple[str, ...]
    ) -> Synthesis:
        rows = torch.arange(len(dead))
        images = self._recipe.pictures(rows).detach().float().cpu().clone()
        images[dead] = 0.5
        ratios = torch.full_like(peaks, torch.nan)
        if self._largest is not None:
            ratios = torch.where((self._largest > 0) & ~dead, peaks / self._largest, torch.nan)
        transparency = self._recipe.transparency(rows)
        where = self._goals.where
        return Synthesis(
            images=images,
            activations=self._ascent.activations.clone(),
            values=values,
            peaks=peaks,
            ratios=ratios,
            dead=dead.clone(),
            channels=self._goals.channels,
            layer=self._reader.name,
            recipe=self._kind.name,
            size=self._sides,
            seed=self._seed,
            sign=self._goals.sign,
            objective="center" if where == "center" else "mean",
            variants=self._variants,
            unit=where if isinstance(where, tuple) else None,
            transparency=None if transparency is None else transparency.detach().float().cpu(),
            notes=(*notes, *self._notes(values, dead)),
        )

    def _notes(self, values: torch.Tensor, dead: torch.Tensor) -> tuple[str, ...]:
        notes = [*self._space.notes, *self._reader.notes, *self._goals.notes]
        if bool(dead.any()):
            units = ", ".join(str(self._goals.channels[row]) for row in dead.nonzero().flatten().tolist())
            notes.append(f"dead, no step could wake them: {units}; their images are left empty")
            if bool(dead.all()):
                notes.append("no unit reacts to its image: the network may round, detach or ignore its input")
        low = (values <= 0) & ~dead
        if bool(low.any()) and self._goals.sign > 0:
            units = ", ".join(str(self._goals.channels[row]) for row in low.nonzero().flatten().tolist())
            notes.append(f"not positive even for these images: {units}")
        return tuple(dict.fromkeys(notes))


def _checked_sides(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = (size, size) if is_whole(size) else size
    if not isinstance(sides, tuple | list) or len(sides) != 2 or not all(is_whole(side) and side > 0 for side in sides):
        raise InputError(f"size is {size!r}; expected the side in pixels, or (height, width).")
    return sides[0], sides[1]


def _check_size(kind: type[ImageRecipe], sides: tuple[int, int]) -> None:
    if min(sides) < kind.least:
        raise InputError(
            f"size is {sides[0]} × {sides[1]} pixels; the recipe {kind.name!r} needs at least {kind.least} × "
            f"{kind.least}. Pass a larger size, or another recipe."
        )
