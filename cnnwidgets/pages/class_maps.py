"""The class activation map of every class, from one forward: the classes' weights times the maps."""

# ruff: noqa: SLF001 (explorer stands on this room, and hands itself in)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.cam import linear_parts
from cnnwidgets.outputs.targets import class_scores

from .recording import PageRecording

MOST_CLASSES = 2_000
"""A page holds a map and bars of each."""


def every_class(model: nn.Module, image: torch.Tensor) -> Iterator[Attribution]:
    """What :func:`~cnnwidgets.explainers.cam.cam` returns for ``image`` (1, C, H, W) and each class, in order.

    Raises:
        CnnWidgetsError: no layer feeds a pooled linear head, or the model failed.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
        >>> [attribution.target for attribution in every_class(net, torch.rand(1, 1, 4, 4))]
        [(0,), (1,), (2,)]
    """
    layer_pass, weight, notes = linear_parts(model, image, None, None, -1, None)
    logits = class_scores(layer_pass.outputs, batch=1).detach()
    values = torch.einsum("ck,khw->chw", weight, layer_pass.maps[0])
    for index in range(len(values)):
        of_class = replace(layer_pass, target=(index,), scores=logits[:, index])
        yield of_class.attribution(values[index : index + 1], "cam", *notes)


def other_classes(explorer: Any) -> list[Attribution]:
    """The class activation maps of the photograph on show, of all classes; none where the network has no such head."""
    scene = explorer._scene
    if scene.target_class is None or not scene.task.one_wins or len(scene.logits) > MOST_CLASSES:
        return []
    try:
        with scene.task.reading():
            attributions = list(every_class(explorer._session.model_of(scene), scene.picture.tensor))
    except CnnWidgetsError:
        return []
    return attributions if len(attributions) == len(scene.logits) else []


def class_of(attribution: Attribution) -> int:
    """The class that it explains."""
    return -1 if callable(attribution.target) else attribution.target[0]


def record_others(
    explorer: Any, recording: PageRecording, photograph: int, attributions: Sequence[Attribution]
) -> None:
    """Keep the map and the bars of a class each; ``explorer`` shows them one by one, and is left without a strip."""
    scene, overlay, scores = explorer._scene, explorer.overlay, explorer.scores
    overlay.clear_strip()
    still = {"settings": [], "methods": [choice for choice in overlay.methods if choice[0] == "cam"]}
    # Else each class chosen would have its Grad-CAM computed, which would come upon the overlay at any time.
    with explorer._host.unchecked():
        for attribution in attributions:
            index = class_of(attribution)
            explorer._view.show_map(scene, attribution)
            own = {**still, "busy": False, "method": "cam", "layer": attribution.layer, "layers": [attribution.layer]}
            recording.add("overlay", f"{photograph}/{index}/cam", overlay, True, **own)
            scores.target = index
            explorer._display.show_chosen(index)
            record_scores(scores, recording, f"{photograph}/{index}", few=True)
        scores.target = scene.target_class


def record_scores(scores: Any, recording: PageRecording, key: str, *, few: bool = False) -> None:
    """Bars of either number, few and many, or only few."""
    for scores.score in ("probability", "logit"):
        for scores.more in (False,) if few else (False, True):
            shot = f"{key}/{scores.score}/{str(scores.more).lower()}"
            ends = [[round(end, 4) for end in bar] for bar in scores.bars]  # in shares of the room for bars
            has_more = scores.has_more and not few
            recording.add("scores", shot, scores, score="probability", more=False, bars=ends, has_more=has_more)
    scores.score, scores.more = "probability", False
