"""Targets for models that return more than one score a class: segmentation maps and detections.

Each function here makes a callable to be passed as ``target=`` to any explainer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import TargetError
from cnnwidgets.outputs.detections import detections
from cnnwidgets.outputs.scores import score_tensor, shown

Score = Callable[[Any], torch.Tensor]


def mask_sum(class_index: int, mask: Any = None) -> Score:
    """The sum of a segmentation class's logits inside a mask.

    Args:
        class_index: the class, an index of the output's second axis.
        mask: (H, W), bool, or weights; or (N, H, W), one an image; anything that ``torch.as_tensor`` takes. Of the
            size of the model's output. None: everywhere.

    Returns:
        A target for models that return (N, K, H, W), also as ``{"out": ...}`` like torchvision's.

    Raises:
        TargetError: the mask is none; when called: the output is no such map, or of another size than the mask.

    Example:
        >>> one = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> mask_sum(0, [[True, False], [False, True]])(one)
        tensor([5.])
    """
    if not is_whole(class_index) or class_index < 0:
        raise TargetError(f"class_index is {class_index!r}; expected a class index, an int of at least 0.")
    weights = None if mask is None else _weights(mask)

    def mask_sum_of_class(outputs: Any) -> torch.Tensor:
        maps = score_tensor(outputs)
        if maps.ndim != 4:
            raise TargetError(f"mask_sum needs (N, classes, H, W); the model returned {shown(outputs)}.")
        if class_index >= maps.shape[1]:
            raise TargetError(f"mask_sum of class {class_index}: the model has {maps.shape[1]} classes.")
        of_class = maps[:, class_index]
        if weights is None:
            return of_class.sum((1, 2))
        fits = weights.shape[-2:] == of_class.shape[1:] and (weights.ndim == 2 or len(weights) in (1, len(of_class)))
        if not fits:
            raise TargetError(
                f"The mask has shape {tuple(weights.shape)}, the model's maps {tuple(of_class.shape)} (N, H, W). "
                "Resize the mask to that (H, W); explain images that have masks of their own one at a time."
            )
        return (of_class * weights.to(of_class)).sum((1, 2))

    mask_sum_of_class.__name__ = mask_sum_of_class.__qualname__ = f"mask_sum({class_index})"
    return mask_sum_of_class


def detection(found: Mapping[str, torch.Tensor], index: int = 0, *, iou: float = 0.5) -> Score:
    """The score of one detection that a detector made.

    Args:
        found: what the detector returned for the image: ``model(images)[0]``, a dict of ``boxes`` (M, 4), ``labels``
            (M,) and ``scores`` (M,), as torchvision's detectors return in evaluation mode.
        index: which detection; torchvision's come with the highest score first.
        iou: see :func:`detection_score`.

    Raises:
        TargetError: there is no such detection.

    Example:
        >>> found = {"boxes": torch.tensor([[0.0, 0.0, 4.0, 4.0]]), "labels": torch.tensor([7])}
        >>> found["scores"] = torch.tensor([0.5])
        >>> detection(found)([found])
        tensor([0.5000])
    """
    if not isinstance(found, Mapping) or not {"boxes", "labels", "scores"} <= set(found):
        raise TargetError(
            f"Expected one image's detections, a dict of boxes, labels and scores; got {shown(found)}. A detector "
            "returns a list of them, in evaluation mode: pass model(images)[0]."
        )
    number = len(found["boxes"])
    if not is_whole(index) or not -number <= index < number:
        raise TargetError(
            f"There is no detection {index!r}: the detector found {number}. Pass an index from 0, or lower the "
            "detector's score threshold."
        )
    return detection_score(found["boxes"][index], int(found["labels"][index]), iou=iou)


def detection_score(box: Sequence[float] | torch.Tensor, label: int, *, iou: float = 0.5) -> Score:
    """The score of the detection that has ``label`` and lies where ``box`` is.

    An edit of the image moves boxes and changes their order, so the detection is recognised by its place: of those
    with this label, the one whose box overlaps most, if by at least ``iou`` (intersection over union). Where there is
    none, the object is not found any more, and the score is 0.

    Args:
        box: x1, y1, x2, y2 in pixels of the image.
        label: as in the detector's ``labels``.
        iou: the least overlap, above 0, up to 1.

    Returns:
        A target for models that return a list of dicts, one an image, of ``boxes``, ``labels`` and ``scores``. Scores
        are torchvision's, probabilities of the label, and keep their place in the autograd graph.

    Raises:
        TargetError: the box is none; when called: the model returned no detections.

    Example:
        >>> target = detection_score((0, 0, 4, 4), 7)
        >>> boxes, scores = torch.tensor([[0.0, 0.0, 4.0, 5.0], [8.0, 8.0, 9.0, 9.0]]), torch.tensor([0.5, 0.9])
        >>> target([{"boxes": boxes, "labels": torch.tensor([7, 7]), "scores": scores}])
        tensor([0.5000])
        >>> target([{"boxes": boxes, "labels": torch.tensor([1, 1]), "scores": scores}])
        tensor([0.])
    """
    corners = torch.as_tensor(box, dtype=torch.float64).detach().cpu()
    if corners.shape != (4,) or not bool((corners[2:] > corners[:2]).all()):
        raise TargetError(f"box is {box!r}; expected x1, y1, x2, y2 in pixels with x2 > x1 and y2 > y1.")
    if not 0 < iou <= 1:
        raise TargetError(f"iou is {iou!r}; expected a share above 0, up to 1.")

    def score_of_detection(outputs: Any) -> torch.Tensor:
        objects = detections(outputs)
        if objects is None:
            raise TargetError(
                f"A detection's score needs a list with a dict of boxes, labels and scores for each image; the model "
                f"returned {shown(outputs)}."
            )
        return torch.stack([_detection_score_of(image_objects, corners, int(label), iou) for image_objects in objects])

    name = f"detection of label {int(label)}"
    score_of_detection.__name__ = score_of_detection.__qualname__ = name
    return score_of_detection


def _detection_score_of(objects: Mapping[str, torch.Tensor], box: torch.Tensor, label: int, iou: float) -> torch.Tensor:
    scores: torch.Tensor = objects["scores"]
    overlap = _box_overlaps(objects["boxes"].detach().double().cpu(), box)
    overlap = overlap.where(objects["labels"].cpu() == label, -1.0)
    if not len(overlap) or float(overlap.max()) < iou:
        return scores.new_zeros(())
    return scores[int(overlap.argmax())]


def _box_overlaps(boxes: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
    """(M,): intersection over union of each of (M, 4) with (4,)."""
    low, high = torch.maximum(boxes[:, :2], box[:2]), torch.minimum(boxes[:, 2:], box[2:])
    shared = (high - low).clamp(min=0).prod(1)
    sizes = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return shared / (sizes - shared)


def _weights(mask: Any) -> torch.Tensor:
    try:
        weights = torch.as_tensor(mask)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TargetError(f"mask is {type(mask).__name__}; expected (H, W) or (N, H, W) of bool or numbers.") from error
    if weights.ndim not in (2, 3) or weights.numel() == 0:
        raise TargetError(f"The mask has shape {tuple(weights.shape)}; expected (H, W) or (N, H, W).")
    return weights
