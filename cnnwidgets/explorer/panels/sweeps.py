"""What an occlusion map says, given to an :class:`Occluder`."""

from __future__ import annotations

import torch

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.occlusion.explainer import Occlusion
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.outputs.kinds import has_probabilities, probabilities
from cnnwidgets.widgets.occluder import Occluder, SweepWish

_CLASSES = 12  # whose scores at each place are sent
_MOST_SENT_LIVE = 1 << 22  # scores; a larger sweep sends them at its end only


def sweep_for(occlusion: Occlusion, scene: Scene) -> Occlusion | None:
    """The same sweep for what ``scene`` explains; None where that was not measured."""
    target = scene.target
    if callable(target) or callable(occlusion.target):
        return occlusion if target is occlusion.target else None
    try:
        return occlusion if occlusion.target == (target,) else occlusion.for_target(target)
    except CnnWidgetsError:  # the other classes' scores were too many to be kept
        return None


def show_sweep(widget: Occluder, occlusion: Occlusion, scene: Scene, wish: SweepWish, *, complete: bool) -> None:
    """Show ``occlusion``, which tells of what ``scene`` explains."""
    classes, scores, baseline = _few_classes(occlusion, scene, complete=complete)
    one_wins = scene.task.one_wins
    mentioned = {*(occlusion.counts if one_wins else ()), *classes, scene.predicted}
    is_score = callable(occlusion.target) or not has_probabilities(scene.kind)
    widget.show_sweep(
        occlusion.baseline[0] - occlusion.grid[0],
        occlusion.predicted[0] if one_wins else torch.full_like(occlusion.predicted[0], -1),
        list(dict.fromkeys(top for top, _ in occlusion.positions)),
        list(dict.fromkeys(left for _, left in occlusion.positions)),
        patch=occlusion.patch,
        names={index: scene.label(index) for index in mentioned},
        first=scene.predicted,
        known=occlusion.known[0],
        scores=scores,
        classes=classes,
        baseline=baseline,
        unit="score" if is_score else "probability",
        fill=wish.fill,
        color=wish.color,
    )


def _few_classes(
    occlusion: Occlusion, scene: Scene, *, complete: bool
) -> tuple[list[int], torch.Tensor | None, list[float]]:
    """The target and the classes with the highest scores anywhere: their scores at each place, and without patch."""
    target = scene.target_class
    count = occlusion.grid[0].numel() * len(scene.logits)
    if target is None or (count > _MOST_SENT_LIVE and not complete):
        return [], None, []
    try:
        scores = occlusion.scores_at[0]
    except CnnWidgetsError:  # too many to have been kept
        return [], None, []
    highest = scores.nan_to_num(-torch.inf).flatten(0, 1).amax(0)
    best = highest.argsort(descending=True, stable=True)[:_CLASSES].tolist()
    classes = list(dict.fromkeys([target, *best]))[:_CLASSES]
    whole = probabilities(scene.logits[None].float(), scene.kind)[0]
    return classes, scores[:, :, classes], whole[classes].tolist()
