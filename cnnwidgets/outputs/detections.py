"""The objects that a detector found, in what it returned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from cnnwidgets.core.errors import TargetError
from cnnwidgets.core.nested import members

from .choice import leaves

_DEPTH = 2


def detections(raw: Any, depth: int = _DEPTH) -> list[dict[str, torch.Tensor]] | None:
    """A dict of ``boxes`` (M, 4), ``labels`` (M,) and ``scores`` (M,) an image, on whatever device they were.

    Found in a list of mappings or objects, as torchvision's detectors return; in a single one, of an image or, with a
    leading axis, of several; and in either beside losses. Where there are no labels, all are 0.

    Returns:
        None: the model returned something else.

    Raises:
        TargetError: boxes, labels and scores do not belong together, or are no numbers.

    Example:
        >>> detections({"boxes": torch.zeros(2, 4), "scores": torch.ones(2)})[0]["labels"]
        tensor([0, 0])
    """
    if isinstance(raw, torch.Tensor) or raw is None:
        return None
    if _is_detection(raw):
        try:
            whole = _checked_detections(raw)
        except TargetError:  # scores of classes beside a box, say
            return None
        if whole["boxes"].ndim == 2:
            return [whole]
        return [{key: value[image] for key, value in whole.items()} for image in range(len(whole["boxes"]))]
    if isinstance(raw, list | tuple) and raw and all(_is_detection(item) for item in raw):
        every = [_checked_detections(item) for item in raw]
        if all(detection["boxes"].ndim == 2 for detection in every):
            return every
    inner = [detections(item, depth - 1) for _, item in members(raw)] if depth else []
    some = [item for item in inner if item is not None]
    return some[0] if len(some) == 1 else None


def images_detected_in(raw: Any) -> int | None:
    """For how many images a detector returned this, also where a user's function has to read it; None: it is none."""
    try:
        objects: Any = detections(raw)
    except TargetError:
        objects = raw if isinstance(raw, list | tuple) else [raw]
    return None if objects is None else len(objects)


def lies_beside_boxes(raw: Any) -> bool:
    """Whether a model returned, for one image, M boxes and as many numbers: scores of objects, not of classes."""
    shapes = {tuple(leaf.tensor.shape) for leaf in leaves(raw) if leaf.tensor.is_floating_point()}
    return any((shape[0], 4) in shapes for shape in shapes if len(shape) == 1 and shape[0] > 1)


def _is_detection(item: Any) -> bool:
    return not isinstance(item, torch.Tensor) and {"boxes", "scores"} <= {name for name, _ in members(item)}


def _checked_detections(item: Any) -> dict[str, torch.Tensor]:
    attributes: Mapping[Any, Any] = dict(members(item))
    try:
        boxes, scores = (torch.as_tensor(attributes[key]) for key in ("boxes", "scores"))
        labels = attributes.get("labels")
        labels = torch.as_tensor(torch.zeros_like(scores, dtype=torch.long) if labels is None else labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TargetError(
            f"The detector's boxes, labels or scores are no numbers ({error}); expected tensors of (M, 4), (M,) and "
            "(M,) for each image."
        ) from error
    if not len(scores) and boxes.numel() == 0:
        boxes = boxes.reshape(*scores.shape, 4)
    if boxes.ndim not in (2, 3) or boxes.shape != (*scores.shape, 4) or labels.shape != scores.shape:
        raise TargetError(
            f"The detections have boxes of shape {tuple(boxes.shape)}, labels {tuple(labels.shape)} and scores "
            f"{tuple(scores.shape)}; expected (M, 4), (M,) and (M,) for each image."
        )
    return {"boxes": boxes, "labels": labels, "scores": scores if scores.is_floating_point() else scores.float()}
