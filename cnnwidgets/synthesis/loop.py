"""The loop that all recipes share: many images uphill at once, each for its own goal, until each has converged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from cnnwidgets.core.progress import Meter
from cnnwidgets.explainers.engine.memory import Chunks

from .diversity import likeness_gradient
from .objective import Goals
from .recipes.recipe import ImageRecipe
from .waking import redirected

_ASLEEP = 128
"""So many steps are made to wake a unit."""
_GAIN = 0.01
"""An activation that rises by less than this share has converged."""


class Reader(Protocol):
    """Makes maps (n, K, h, w) of what a network is given, (n, C, H, W)."""

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the maps."""
        ...

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The maps, in the autograd graph of ``x``."""
        ...


class Ascent:
    """R images on their way.

    Args:
        goals: of each image.
        steps: in all.
        chunks: how many images at a time.
        variants: images that share a goal, side by side.

    Attributes:
        activations: (R, steps), after random changes; NaN where no step was made.
        awake: (R,), whether the activation ever reacted to the image.
        converged: (R,), whether the image is no longer worked on.
    """

    def __init__(self, goals: Goals, steps: int, chunks: Chunks, variants: int) -> None:
        images = len(goals.channels)
        self._goals, self._steps, self._chunks, self._variants = goals, steps, chunks, variants
        self.activations = torch.full((images, steps), torch.nan)
        self.awake = torch.zeros(images, dtype=torch.bool)
        self.converged = torch.zeros(images, dtype=torch.bool)
        self._step = 0

    def climb(self, recipe: ImageRecipe, reader: Reader, until: int, meter: Meter, partial: Callable[[], Any]) -> None:
        """Steps up to ``until``, with one recipe at one size; what ``meter`` is told of raises out of here."""
        begin = self._step
        self.converged &= ~self.awake
        while self._step < until:
            rows = (~self.converged).nonzero().flatten().tolist()
            if not rows:
                meter.advance(0, partial())
            for now, result in self._chunks.each(rows, lambda some: self._uphill(recipe, reader, some)):
                activations, gradients = result
                self.activations[now, self._step] = activations
                recipe.ascend(torch.tensor(now), gradients)
                meter.advance(len(now), partial())
            self._step += 1
            leaving = self._leaving(rows, begin, recipe.patience)
            self.converged[leaving] = True
            if leaving:
                meter.advance(len(leaving) * (until - self._step))
            if not rows:
                break
        self._step = until

    def _uphill(self, recipe: ImageRecipe, reader: Reader, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """The activations (n,) of images ``rows``, and the gradients (n, ...) for their parameters that raise them."""
        leaf = recipe.parameters[rows].detach().requires_grad_()
        views = recipe.views(recipe.inputs(leaf), rows, self._step).to(recipe.space.dtype)
        maps = reader(views)
        copies = len(views) // len(rows)
        goal_maps = self._goals.maps(maps, torch.tensor(rows).repeat_interleave(copies))
        activations = self._goals.activations(goal_maps, recipe.border).view(len(rows), copies).mean(1)
        # Summed over the map: of a mean nothing may be left in half precision.
        size = goal_maps[0].numel()
        goal = self._goals.sign * size * activations
        (gradients,) = torch.autograd.grad(goal.sum(), leaf, retain_graph=self._variants > 1)
        gradients = gradients.nan_to_num(0, 0, 0)
        reacts = _reacts(gradients)
        self.awake[rows] |= reacts
        if not bool(reacts.all()):
            asleep = (~reacts).nonzero().flatten()
            gradients[asleep] = self._roused(recipe, reader, [rows[index] for index in asleep.tolist()])
        if self._variants > 1:
            groups = [row // self._variants for row in rows for _ in range(copies)]
            gradients = gradients - likeness_gradient(maps, groups, leaf, gradients)
        return activations.detach().float().cpu(), gradients / size

    def _roused(self, recipe: ImageRecipe, reader: Reader, rows: list[int]) -> torch.Tensor:
        """A gradient (n, ...) that may wake units which did not react to their images, changed at random.

        Without changes; where that is not enough, through ReLUs that are closed, half of it of the cell in the middle:
        with all cells asleep, what one of them is in want of is what its neighbours have too much of.
        """
        leaf = recipe.parameters[rows].detach().requires_grad_()
        maps = reader(recipe.plain_view(recipe.inputs(leaf)).to(recipe.space.dtype))
        goal_maps = self._goals.sign * self._goals.maps(maps, torch.tensor(rows))
        size = goal_maps[0].numel()
        whole = size * self._goals.activations(goal_maps, recipe.border)
        middle = self._goals.activations(goal_maps, where="center" if self._goals.where == "mean" else None)
        (gradients,) = torch.autograd.grad(whole.sum(), leaf, retain_graph=True)
        reacts = _reacts(gradients)
        self.awake[rows] |= reacts
        with redirected(whole + middle):
            roused = [torch.autograd.grad(goal.sum(), leaf, retain_graph=True)[0] for goal in (whole, middle)]
        mask = reacts.to(leaf.device).view(-1, *[1] * (leaf.ndim - 1))
        return torch.where(mask, gradients, sum(map(_unit, roused))).nan_to_num(0, 0, 0)

    def _leaving(self, rows: Sequence[int], begin: int, patience: int | None) -> list[int]:
        """Which of ``rows`` have converged, or sleep for good."""
        steps = self._step - begin
        leaving = [row for row in rows if not self.awake[row] and self._step >= _ASLEEP]
        if patience is not None and steps >= 2 * patience:
            now = self.activations[rows, self._step - patience : self._step].mean(1)
            before = self.activations[rows, self._step - 2 * patience : self._step - patience].mean(1)
            still = self._goals.sign * (now - before) < _GAIN * now.abs()
            leaving += [row for row, stays in zip(rows, still.tolist(), strict=True) if stays and self.awake[row]]
        return leaving

    @torch.no_grad()
    def plain(self, recipe: ImageRecipe, reader: Reader) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each image, without random changes: its activation (R,), and that of the most active cell (R,)."""
        every = range(len(self.awake))
        parts = [part for _, part in self._chunks.each(every, lambda rows: self._looked_at(recipe, reader, rows))]
        activations, peaks = (torch.cat(list(some)) for some in zip(*parts, strict=True))
        return activations, peaks

    def _looked_at(self, recipe: ImageRecipe, reader: Reader, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = recipe.plain_view(recipe.inputs(recipe.parameters[rows]))
        goal_maps = self._goals.maps(reader(inputs.to(recipe.space.dtype)), torch.tensor(rows))
        flat = goal_maps.flatten(1) * self._goals.sign
        peaks = flat.amax(1) * self._goals.sign
        return self._goals.activations(goal_maps, recipe.border).float().cpu(), peaks.float().cpu()


def _unit(gradients: torch.Tensor) -> torch.Tensor:
    """``gradients`` (n, ...) scaled to a root mean square of 1 each, zeros but for that."""
    size = gradients.flatten(1).pow(2).mean(1).sqrt()
    return gradients / size.clamp(min=1e-30).view(-1, *[1] * (gradients.ndim - 1))


def _reacts(gradients: torch.Tensor) -> torch.Tensor:
    """(n,), on the CPU: where there is any gradient (n, ...)."""
    return (gradients.flatten(1).nan_to_num(0, 0, 0) != 0).any(1).cpu()
