"""Images that excite channels, classes or directions of a network as much as they get."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cnnwidgets.core.arguments import checked_count, is_whole
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.network import walked_once
from cnnwidgets.core.progress import ProgressCallback
from cnnwidgets.explainers.engine.notes import model_notes
from cnnwidgets.outputs.readout import Readout, reading, readout_of
from cnnwidgets.state.preserved import preserved

from .maximization import Largest, Maximization
from .objective import Objective, goals_of
from .recipes.all_recipes import RECIPES
from .result import Synthesis
from .space import InputSpace, Levels


def maximize(
    model: nn.Module,
    layer: str | nn.Module | None = None,
    channels: Any = None,
    *,
    unit: tuple[int, int] | None = None,
    direction: Any = None,
    sign: int = 1,
    objective: Objective = "mean",
    recipe: str = "fourier",
    size: int | tuple[int, int] | None = None,
    steps: int | None = None,
    variants: int = 1,
    seed: int = 0,
    progress: ProgressCallback | bool | None = None,
    exemplars: Largest | None = None,
    value_range: tuple[Levels, Levels] | None = None,
    mean: Levels | None = None,
    std: Levels | None = None,
) -> Synthesis:
    """Images that make channels of a layer, or scores of classes, as large as they get, by gradient ascent.

    All are made at once, each with its own random changes and its own gradient, and the network runs only as far as
    the layer. An image that no longer improves is not worked on any more. Where a unit is silent because a ReLU is
    closed everywhere, the gradient is let through that ReLU until it opens; a unit that never reacts is ``dead``.

    Recipes: "fourier" (Olah et al. 2017), the image as a spectrum with decorrelated colours, moved, scaled and turned a
    little at each step; "maco" (Fel et al. 2023), magnitudes of photographs, only the phases are sought; "keras"
    (Chollet 2020), what the network is given itself, from grey noise, 30 steps, the inner part shown; "pixels", with
    total variation and L2, for small and grey networks.

    Args:
        model: any network; it is left as it was, and so are the random number generators.
        layer: dotted name or module whose channels are maximised; None: the scores of classes, before a softmax or
            sigmoid at the end of the network.
        channels: an index or several; None: the first 64.
        unit: (row, column) of one cell of the layer's maps, in place of the whole map.
        direction: weights over the layer's channels, (K,) or (D, K), in place of ``channels``.
        sign: 1, or -1 to make it as small as it gets.
        objective: "mean" over the map, or its "center" cell, for deep layers where few cells matter.
        recipe: "fourier", "maco", "keras" or "pixels".
        size: side, or (height, width), in pixels of what the network is given; None: as the recipe has it, or the
            network's own size where that is smaller or the only one that it takes.
        steps: None: as the recipe has it, fewer where images converge.
        variants: images for each channel, kept apart by a price on how alike they are to the layer.
        seed: of the random numbers; each image has its own, whichever others are made beside it.
        progress: told after each batch of each step, at times with the result so far as ``partial``; True for a bar.
            Raise ``Cancelled`` in it to stop; whatever ends the call early, ``KeyboardInterrupt`` too, carries the
            images so far as ``error.partial``.
        exemplars: what knows the layer's largest natural activations, for ``ratios``.
        value_range: (lowest, highest) value that the network is given, of all channels or each.
        mean, std: what is subtracted, and divided by, after that. By default all three are the network's own.

    Returns:
        A :class:`~cnnwidgets.synthesis.Synthesis`.

    Raises:
        LayerNotFound: no such layer. NotSpatial: it makes no maps.
        InputError: an argument does not fit the network, or the size the recipe.
        TargetError: ``layer`` is None and the network returns no row of scores.
        CnnWidgetsError: the model failed, or no gradient comes through it.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3))
        >>> result = maximize(net, "0", 1, size=16, steps=4)
        >>> result.images.shape, result.activations.shape
        (torch.Size([1, 1, 16, 16]), torch.Size([1, 4]))
    """
    kind = RECIPES.get(recipe) if isinstance(recipe, str) else None
    if kind is None:
        raise InputError(f"recipe is {recipe!r}; expected one of {', '.join(map(repr, RECIPES))}.")
    steps = kind.steps if steps is None else checked_count(steps, "steps")
    checked_count(variants, "variants")
    if not is_whole(seed) or seed < 0:
        raise InputError(f"seed is {seed!r}; expected an int of at least 0.")
    # Of a pass that ends at a layer nobody reads the scores.
    readout = readout_of(model) if layer is None else Readout()
    # Also under a caller's inference_mode, in which nothing can be differentiated.
    with Deferral(), torch.inference_mode(False), torch.enable_grad(), reading(readout), walked_once():
        notes = tuple(note.replace("explained in", "run in") for note in model_notes(model))
        with preserved(model, evaluate=True):
            space = InputSpace.of(model, value_range, mean, std)
            work = Maximization(model, layer, kind, space, steps, seed, variants)
            work.prepare(
                size,
                lambda name, count, grid: goals_of(
                    name, count, grid, channels, unit, direction, sign, objective, variants
                ),
            )
            work.compare_with(exemplars)
            return work.run(progress, notes)
