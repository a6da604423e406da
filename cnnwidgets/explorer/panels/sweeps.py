"""What an occlusion map says, given to an :class:`Occluder`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.occlusion.explainer import Occlusion
from cnnwidgets.explorer.work.session import Scene
from cnnwidgets.outputs.kinds import has_probabilities, probabilities
from cnnwidgets.widgets.occluder import Occluder, SweepWish

_CLASSES = 12  # whose scores at each place are sent
_MOST_SENT_LIVE = 1 << 22  # scores; a larger sweep sends them at its end only


def target_of(scene: Scene) -> int | Callable[[Any], torch.Tensor]:
    """What is explained: a class, or a function of what the model returns."""
    chosen = scene.now.chosen
    return chosen if callable(chosen) else int(chosen[0])


def class_of(scene: Scene) -> int | None:
    """The class explained; None where it is a function."""
    target = target_of(scene)
    return None if callable(target) else target


def told_of(found: Occlusion, scene: Scene) -> Occlusion | None:
    """The same sweep for what ``scene`` explains; None where that was not measured."""
    target = target_of(scene)
    if callable(target) or callable(found.target):
        return found if target is found.target else None
    try:
        return found if found.target == (target,) else found.for_target(target)
    except CnnWidgetsError:  # the other classes' scores were too many to be kept
        return None


def show_sweep(
    widget: Occluder, found: Occlusion, scene: Scene, label: Callable[[int], str], wish: SweepWish, *, complete: bool
) -> None:
    """Show ``found``, which tells of what ``scene`` explains."""
    classes, scores, baseline = _few_classes(found, scene, complete=complete)
    one_wins = scene.task.one_wins
    mentioned = {*(found.counts if one_wins else ()), *classes, scene.predicted}
    is_score = callable(found.target) or not has_probabilities(scene.kind)
    widget.show_sweep(
        found.baseline[0] - found.grid[0],
        found.predicted[0] if one_wins else torch.full_like(found.predicted[0], -1),
        list(dict.fromkeys(top for top, _ in found.positions)),
        list(dict.fromkeys(left for _, left in found.positions)),
        patch=found.patch,
        names={index: label(index) for index in mentioned},
        first=scene.predicted,
        known=found.known[0],
        scores=scores,
        classes=classes,
        baseline=baseline,
        unit="score" if is_score else "probability",
        fill=wish.fill,
        color=wish.color,
    )


def _few_classes(
    found: Occlusion, scene: Scene, *, complete: bool
) -> tuple[list[int], torch.Tensor | None, list[float]]:
    """The target and the classes with the highest scores anywhere: their scores at each place, and without patch."""
    target = class_of(scene)
    count = found.grid[0].numel() * len(scene.logits)
    if target is None or (count > _MOST_SENT_LIVE and not complete):
        return [], None, []
    try:
        scores = found.scores_at[0]
    except CnnWidgetsError:  # too many to have been kept
        return [], None, []
    highest = scores.nan_to_num(-torch.inf).flatten(0, 1).amax(0)
    best = highest.argsort(descending=True, stable=True)[:_CLASSES].tolist()
    classes = list(dict.fromkeys([target, *best]))[:_CLASSES]
    whole = probabilities(scene.logits[None].float(), scene.kind)[0]
    return classes, scores[:, :, classes], whole[classes].tolist()
